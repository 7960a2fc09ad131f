//! Manual pages, made of the same texts as `--help`.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Cli;
use super::args::ManArgs;

/// Prints one page, or writes all of them.
pub(super) fn print(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    if let Some(folder) = &args.dir {
        write_all(&root, folder).with_context(|| format!("cannot write into {}", folder.display()))?;
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

/// One page: what clap knows, then the sections that stand below the options in `--help`.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man =
        Man::new(command.clone()).source(concat!("tidegate ", env!("CARGO_PKG_VERSION"))).manual("tidegate");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(more) = command.get_after_help() {
        sections(&more.to_string()).to_writer(&mut page)?;
    }
    if command.get_name() != "tidegate" {
        let mut see = Roff::new();
        see.control("SH", ["SEE ALSO"]).text([roman("tidegate(1)")]);
        see.to_writer(&mut page)?;
    }
    Ok(page)
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
