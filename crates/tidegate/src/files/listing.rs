//! What a folder without `index.html` is shown as, where a route asks for it: names, sizes and dates, and no script.

use std::fmt::Write as _;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::is_for_visitors;
use super::room::Room;
use crate::http::{Body, text};
use crate::shown::is_shown;
use crate::{clock, date};

/// Entries that are found. More make a page that no browser scrolls through, and a long look at the folder.
const ENTRIES_MAX: usize = 10_000;

/// Bytes of the rows of a page; entries that have no room in it are counted at its end. Names may be long, and a character
/// of one is up to five of the page and three of its link.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// Folders that are looked through at once, on as many threads.
static LOOKS: Semaphore = Semaphore::const_new(4);

/// How long a folder is looked through. What was found until then is shown.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// The names in it are other people's: nothing of the page may load, run or lead anywhere but its own links.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// What stays as it is in a link (RFC 3986 §2.3).
const LINK: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\
                     h1{font-size:1.25rem;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}\
                     th{text-align:left}th,td{padding:.2rem .75rem .2rem 0;border-bottom:1px solid #8884}\
                     td:first-child{overflow-wrap:anywhere}\
                     th+th,td+td{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}";

/// The page of the folder that the canonical `path` names in the URL. `folder` is where it is, below `root`; neither has
/// a symbolic link in it. `has_parent`: there is a folder above it that is served as well.
///
/// # Errors
/// The folder cannot be read.
pub(super) async fn page(
    root: PathBuf,
    folder: PathBuf,
    path: &str,
    has_parent: bool,
) -> io::Result<Response<Body>> {
    let Some(room) = Room::take() else { return Ok(busy()) };
    let look = LOOKS.acquire().await.expect("it is never closed");
    let path = path.to_owned();
    let make = move || {
        let _look = look; // as long as the look takes, even if nobody waits for it any more
        let entries = Entries::read(&root, &folder, ENTRIES_MAX)?;
        io::Result::Ok(entries.render(&path, has_parent, PAGE_BYTES_MAX))
    };
    let page = spawn_blocking(make).await.map_err(io::Error::other)??;
    let mut response = Response::new(room.filled(page));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    fields.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// There is no memory for another one: too many have asked for theirs, or are slow to take it.
fn busy() -> Response<Body> {
    let again = [("Retry-After", "1")];
    text(StatusCode::SERVICE_UNAVAILABLE, "too many clients ask for lists of folders at once", &again)
}

/// What is shown of a folder.
#[derive(Debug, Default)]
struct Entries {
    /// Folders first, then by name.
    found: Vec<Entry>,
    /// There is more than that.
    cut: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    /// Bytes of a file; none of a folder.
    size: Option<u64>,
    modified: Option<SystemTime>,
}

impl Entries {
    fn read(root: &Path, folder: &Path, max: usize) -> io::Result<Self> {
        let since = clock::now();
        let mut entries = Self::default();
        for entry in fs::read_dir(folder)? {
            if entries.found.len() == max || since.elapsed() > LOOK_MAX {
                entries.cut = true;
                break;
            }
            // One that has gone between the look at the folder and the look at it is not shown.
            entries.found.extend(entry.ok().and_then(|entry| Entry::of(root, &entry)));
        }
        entries.found.sort_by_cached_key(|entry| {
            (entry.size.is_some(), entry.name.to_lowercase(), entry.name.clone())
        });
        Ok(entries)
    }

    /// The page. Its rows have at most `bytes_max` bytes, and one row more.
    fn render(&self, path: &str, has_parent: bool, bytes_max: usize) -> String {
        let title = escaped(&percent_decode_str(path).decode_utf8_lossy());
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>Index of {title}</title>\n<style>{STYLE}</style>\n<h1>Index of {title}</h1>\n\
             <table>\n<thead><tr><th>Name</th><th>Size</th><th>Last modified (UTC)</th></tr></thead>\n<tbody>\n"
        );
        if has_parent {
            page += "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
        }
        let end = page.len() + bytes_max;
        let mut shown = 0;
        while let Some(entry) = self.found.get(shown).filter(|_| page.len() < end) {
            entry.render(&mut page);
            shown += 1;
        }
        page += "</tbody>\n</table>\n";
        let (hidden, least) = (self.found.len() - shown, if self.cut { "at least " } else { "" });
        if self.cut || hidden > 0 {
            let hidden = hidden + usize::from(self.cut);
            writeln!(page, "<p>… and more: {least}{hidden} of the entries are not shown.</p>")
                .expect("a string can be written to");
        }
        page
    }
}

impl Entry {
    /// What would be served under this name, if anything would.
    fn of(root: &Path, entry: &DirEntry) -> Option<Self> {
        let name = entry.file_name().into_string().ok().filter(|name| is_for_visitors(name))?;
        if entry.file_type().ok()?.is_symlink() && !fs::canonicalize(entry.path()).ok()?.starts_with(root) {
            return None;
        }
        let metadata = fs::metadata(entry.path()).ok()?;
        let size = metadata.is_file().then_some(metadata.len());
        (metadata.is_dir() || metadata.is_file()).then(|| Self {
            name,
            size,
            modified: metadata.modified().ok(),
        })
    }

    fn render(&self, page: &mut String) {
        let slash = if self.size.is_none() { "/" } else { "" };
        // With ./ in front a colon in a name cannot make a scheme of what stands before it.
        let link = utf8_percent_encode(&self.name, LINK);
        let name = escaped(&self.name);
        let size = self.size.map(readable_size).unwrap_or_default();
        let modified = self.modified.and_then(date::minute).unwrap_or_default();
        writeln!(
            page,
            "<tr><td><a href=\"./{link}{slash}\">{name}{slash}</a></td><td>{size}</td><td>{modified}</td></tr>"
        )
        .expect("a string can be written to");
    }
}

/// Text that cannot be taken for markup, neither between tags nor in quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c if !is_shown(c) => safe.push(char::REPLACEMENT_CHARACTER),
            c => safe.push(c),
        }
    }
    safe
}

/// A size in the largest unit of which there is at least one, with a digit behind the point.
fn readable_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let Some(unit) = bytes.checked_ilog2().map(|log| log as usize / 10).filter(|unit| *unit > 0) else {
        return format!("{bytes} B");
    };
    // In tenths, rounded down, and without a detour over floating point, which would round up to the next unit.
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit - 1])
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn t226_names_are_text_and_links_are_links() {
        let shown = ["<img src=x>", "a&b\"'.txt", "javascript:alert(1)", "ä b", "a?b#c%d", "line\nbreak"]
            .map(|name| Entry { name: name.to_owned(), size: Some(1), modified: None });
        let page = Entries { found: shown.into(), cut: false }.render("/a%3Cb%3E/", false, PAGE_BYTES_MAX);
        for expected in [
            "<title>Index of /a&lt;b&gt;/</title>",
            "<a href=\"./%3Cimg%20src%3Dx%3E\">&lt;img src=x&gt;</a>",
            "<a href=\"./a%26b%22%27.txt\">a&amp;b&quot;&#39;.txt</a>",
            "<a href=\"./javascript%3Aalert%281%29\">javascript:alert(1)</a>",
            "<a href=\"./%C3%A4%20b\">ä b</a>",
            "<a href=\"./a%3Fb%23c%25d\">a?b#c%d</a>",
            "<a href=\"./line%0Abreak\">line\u{fffd}break</a>",
        ] {
            assert!(page.contains(expected), "{expected} in {page}");
        }
        assert!(!page.contains("../"));
    }

    #[test]
    fn t226_only_what_would_be_served_is_shown_folders_first() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["b.txt", "A.txt", ".hidden", "old~", "back\\slash"] {
            fs::write(root.join(name), "12345").unwrap();
        }
        for name in ["z", ".git", ".well-known"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        link(Path::new("b.txt"), "inside");
        link(Path::new("z"), "inside-folder");
        link(&outside.path().join("secret"), "outside");
        link(outside.path(), "outside-folder");
        link(Path::new("nowhere"), "dangling");
        link(Path::new("loop"), "loop");
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let entries = Entries::read(&root, &root, 100).unwrap();
        let names: Vec<_> = entries.found.iter().map(|entry| (entry.name.as_str(), entry.size)).collect();
        assert_eq!(
            names,
            [
                (".well-known", None),
                ("inside-folder", None),
                ("z", None),
                ("A.txt", Some(5)),
                ("b.txt", Some(5)),
                ("inside", Some(5)),
            ]
        );
        assert!(!entries.cut);
    }

    #[test]
    fn t226_a_large_folder_is_cut_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..5 {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        let entries = |max| Entries::read(folder.path(), folder.path(), max).unwrap();
        assert!(!entries(5).cut);
        let cut = entries(3);
        assert_eq!((cut.found.len(), cut.cut), (3, true));
        assert!(cut.render("/", true, 1000).contains("and more: at least 1 of the entries are not shown"));
        let short = entries(5).render("/", true, 10);
        assert!(short.contains("and more: 4 of the entries are not shown"), "{short}");
    }

    #[test]
    fn no_date_makes_it_panic() {
        let folder = tempfile::tempdir().unwrap();
        for (name, time) in [
            ("old", UNIX_EPOCH - Duration::from_secs(86_400)),
            ("new", UNIX_EPOCH + Duration::from_secs(1_795_278_659)),
        ] {
            File::create(folder.path().join(name)).unwrap().set_modified(time).unwrap();
        }
        let page = Entries::read(folder.path(), folder.path(), 9).unwrap().render("/", true, PAGE_BYTES_MAX);
        assert!(page.contains(">old</a></td><td>0 B</td><td></td>"), "{page}");
        assert!(page.contains(">new</a></td><td>0 B</td><td>2026-11-21 16:30</td>"), "{page}");
    }

    #[test]
    fn sizes() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (1 << 20, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(readable_size(bytes), shown);
        }
    }
}
