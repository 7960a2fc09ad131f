//! Manual pages, made of the same texts as `--help` and as the reference of the configuration.

mod file;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;
use super::args::ManArgs;

/// Prints one page, or writes all of them.
pub(super) fn print(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    if let Some(folder) = &args.dir {
        write_all(&root, folder).with_context(|| format!("cannot write into {}", folder.display()))?;
        let folder = of_files(folder).with_context(|| format!("no man5 beside {}", folder.display()))?;
        let page = folder.join(format!("{}.5", file::NAME));
        std::fs::write(&page, of_file()).with_context(|| format!("cannot write {}", page.display()))?;
    } else if args.command == [file::NAME] {
        io::stdout().write_all(of_file().as_bytes())?;
    } else {
        io::stdout().write_all(&page(find(&root, &args.command)?)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The command of this name, such as `import`, `lighttpd`.
fn find<'c>(root: &'c Command, names: &[String]) -> anyhow::Result<&'c Command> {
    names.iter().try_fold(root, |command, name| {
        command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            anyhow!("{} has no command {name:?}; there are: {known}", command.get_name())
        })
    })
}

fn write_all(command: &Command, folder: &Path) -> io::Result<()> {
    std::fs::write(folder.join(Man::new(command.clone()).get_filename()), page(command)?)?;
    command.get_subcommands().try_for_each(|below| write_all(below, folder))
}

/// Pages about files have a section of their own, which is a folder beside that of the commands where these have one.
fn of_files(folder: &Path) -> io::Result<PathBuf> {
    if folder.file_name().is_none_or(|name| name != "man1") {
        return Ok(folder.to_owned());
    }
    let beside = folder.with_file_name("man5");
    std::fs::create_dir_all(&beside)?;
    Ok(beside)
}

/// The page of the configuration.
fn of_file() -> String {
    file::page(SOURCE, MANUAL).render()
}

/// One page: what clap knows, then the sections that stand below the options in `--help`.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).source(SOURCE).manual(MANUAL);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(more) = command.get_after_help() {
        sections(&more.to_string()).to_writer(&mut page)?;
    }
    let mut see = Roff::new();
    let others =
        if command.get_name() == "tidegate" { "tidegate.toml(5)" } else { "tidegate(1), tidegate.toml(5)" };
    see.control("SH", ["SEE ALSO"]).text([roman(others)]);
    see.to_writer(&mut page)?;
    // Each part begins with the same definition; the page needs it once.
    let page = String::from_utf8_lossy(&page).replace(PREAMBLE, "");
    Ok(format!("{PREAMBLE}{page}").into_bytes())
}

/// How the command is used, in the words of `--help`: the long list of flags is that of the options.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let name = command.get_bin_name().unwrap_or("tidegate");
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).control("nf", []);
    for line in usage.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let rest = line.strip_prefix(name).unwrap_or(line);
        roff.text([bold(&line[..line.len() - rest.len()]), roman(rest)]);
    }
    roff.control("fi", []);
    roff
}

/// A line that begins at the margin is a heading; what is indented below it stands as it is, in lines of its own.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    let mut is_open = false;
    for line in text.lines() {
        match line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            Some(heading) => {
                if is_open {
                    roff.control("fi", []);
                }
                roff.control("SH", [heading.to_uppercase().as_str()]).control("nf", []);
                is_open = true;
            }
            None if line.is_empty() => {}
            None => {
                roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
        }
    }
    if is_open {
        roff.control("fi", []);
    }
    roff
}

const SOURCE: &str = concat!("tidegate ", env!("CARGO_PKG_VERSION"));
const MANUAL: &str = "tidegate";
/// What the library begins each part with: an apostrophe for printers that have two.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";
