//! "Did you mean …?"

use super::keys::{self, Place};
use crate::config::diagnostic::quoted;

/// Message and remedy for a key that does not exist here; `elsewhere` is where it does exist.
pub(super) fn unknown_key(found: &str, known: &[&str], elsewhere: Option<Place>) -> (String, String) {
    let message = format!("unknown key {}", quoted(found));
    let remedy = match (elsewhere, called_otherwise(found), closest(found, known)) {
        (Some(place), _, _) => format!("move it to {place}"),
        (None, Some((ours, _)), _) if known.contains(&ours) => format!("did you mean {ours}?"),
        (None, Some((_, written)), _) => format!("write {written}"),
        (None, None, Some(name)) => format!("did you mean {}?", as_written(name)),
        (None, None, None) => format!("allowed here: {}", known.join(", ")),
    };
    (message, remedy)
}

/// What to write in the place of a flag that does not exist, if there is a key of that name.
pub(crate) fn in_place_of_flag(flag: &str) -> Option<String> {
    let name = flag.trim_start_matches('-').replace('-', "_");
    let ours = called_otherwise(&name).map_or(name.as_str(), |(ours, _)| ours);
    // One of several is given a name in the singular: `--origin`.
    let is_meant = |key: &&keys::Key| key.name == ours || key.name.strip_suffix('s') == Some(ours);
    let key = keys::KEYS.iter().find(is_meant)?;
    Some(match key.name {
        "address" | "listener" => "give --listen ADDR".to_owned(),
        "route" | "path" | "backend" => "give --route 'PATH=BACKEND'".to_owned(),
        "tls" | "cert" | "key" => "give --tls-cert FILE --tls-key FILE".to_owned(),
        name => format!("write {name} in a file ({}) and name that with -c FILE", key.place),
    })
}

/// Whether a name at the top is a slip for this table.
pub(super) fn is_meant(found: &str, table: &str) -> bool {
    let known: Vec<_> = keys::of(Place::Top).map(|key| key.name).collect();
    !known.contains(&found) && closest(found, &known) == Some(table)
}

/// Tables stand under headings.
fn as_written(name: &str) -> String {
    if ["listener", "route"].contains(&name) { format!("[[{name}]]") } else { name.to_owned() }
}

/// The key that other programs have under this name, and how it is written elsewhere than in its own table.
fn called_otherwise(found: &str) -> Option<(&'static str, &'static str)> {
    let found = found.to_lowercase().replace('-', "_");
    let known = OTHER_NAMES.iter().find(|(names, ..)| names.contains(&found.as_str()));
    known.map(|(_, ours, written)| (*ours, *written))
}

const OTHER_NAMES: &[(&[&str], &str, &str)] = &[
    (
        &["listen", "port", "bind", "bind_address", "listen_address"],
        "address",
        r#"[[listener]] with address = "127.0.0.1:8080" below it"#,
    ),
    (
        &[
            "tls_cert",
            "tls_key",
            "ssl_cert",
            "ssl_key",
            "ssl_certificate",
            "ssl_certificate_key",
            "cert_file",
            "key_file",
        ],
        "tls",
        r#"tls = { cert = "FILE", key = "FILE" } in a [[listener]]"#,
    ),
    (
        &["target", "upstream", "proxy_pass", "url", "destination", "server"],
        "backend",
        r#"backend = "tcp://HOST:PORT" in a [[route]]"#,
    ),
    (&["location", "uri"], "path", r#"path = "/…" in a [[route]]"#),
];

/// The known word that was probably meant, if one is near enough.
pub(super) fn closest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    if found.chars().count() > WORD_CHARS_MAX {
        return None;
    }
    let found = found.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(&found, word), *word))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// Below this, a guess misleads more often than it helps.
const LIKENESS_MIN: f64 = 0.6;
/// The distance is quadratic in the length, and no word of ours is longer.
const WORD_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_understood() {
        let known: Vec<_> = keys::of(Place::Route).map(|key| key.name).collect();
        for (found, meant) in [
            ("origin", Some("origins")),
            ("Backend", Some("backend")),
            ("bakcend", Some("backend")),
            ("max-frame", Some("max_frame")),
            ("ping_intervall", Some("ping_interval")),
            ("subprotocol", Some("subprotocols")),
            ("frobnicate", None),
            ("", None),
        ] {
            assert_eq!(closest(found, &known), meant, "{found}");
        }
        assert_eq!(closest(&"origins".repeat(100), &known), None);
    }

    #[test]
    fn a_key_of_another_table_is_sent_there() {
        let (message, remedy) = unknown_key("workers", &["name", "path"], Some(Place::Top));
        assert_eq!(message, "unknown key \"workers\"");
        assert_eq!(remedy, "move it to the top of the file, above the first [[listener]] or [[route]]");
    }

    #[test]
    fn names_that_other_programs_use_are_translated() {
        for (found, begins) in [
            ("listen", "write [[listener]] with address = "),
            ("Port", "write [[listener]] with address = "),
            ("tls-cert", "write tls = { cert = "),
            ("upstream", "write backend = "),
            ("target", "write backend = "),
        ] {
            let (_, remedy) = unknown_key(found, &["drain"], None);
            assert!(remedy.starts_with(begins), "{found}: {remedy}");
        }
        assert_eq!(unknown_key("listen", &["address"], None).1, "did you mean address?");
        assert_eq!(unknown_key("upstream", &["backend"], None).1, "did you mean backend?");
        for (names, ..) in OTHER_NAMES {
            assert!(
                names
                    .iter()
                    .all(|name| keys::KEYS.iter().all(|key| key.name != *name || key.place == Place::Auth))
            );
        }
    }
}
