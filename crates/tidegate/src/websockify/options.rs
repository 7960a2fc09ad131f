//! What a command line asks for, once its options have been held against each other.

use std::path::PathBuf;

use super::address::{self, Listen};
use super::args::Args;
use crate::config::Authority;

/// A command line that says one thing only.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) listen: From,
    pub(super) target: Target,
    /// The rest, which concerns no other option.
    pub(super) args: Args,
}

/// Where connections come from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum From {
    Address(Listen),
    Unix(PathBuf),
    /// `--inetd`: the socket that is standard input.
    Inherited,
}

/// Where they go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Tcp(Authority),
    Unix(PathBuf),
    /// `-- COMMAND`: on a port that it is told.
    Command(Vec<String>),
    Lookup(Lookup),
}

/// `--token-plugin`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    /// The name of the class; without the package of websockify's own.
    pub(super) plugin: String,
    pub(super) source: Option<String>,
}

impl Options {
    /// Holds the options against each other. `separated`: the command line has a `--`, so that what stands behind the
    /// address to listen on is a command.
    ///
    /// # Errors
    /// What cannot be meant, for a usage error.
    pub(super) fn new(mut args: Args, separated: bool) -> Result<Self, String> {
        if let Some(file) = args.target_config.take() {
            args.token_plugin = Some("TokenFile".to_owned());
            args.token_source = Some(file.to_string_lossy().into_owned());
        }
        needed(&args)?;
        let mut positional = std::mem::take(&mut args.positional).into_iter();
        let listen = match (args.inetd, &args.unix_listen) {
            (true, _) => From::Inherited,
            (false, Some(path)) => From::Unix(path.clone()),
            (false, None) => {
                let text = positional.next().ok_or("too few arguments: where to listen is missing")?;
                From::Address(address::listen(&text)?)
            }
        };
        let command: Vec<String> = if separated { positional.by_ref().collect() } else { Vec::new() };
        let target = if !command.is_empty() {
            Target::Command(command)
        } else if let Some(plugin) = &args.token_plugin {
            Target::Lookup(Lookup { plugin: own_class(plugin).to_owned(), source: args.token_source.clone() })
        } else if let Some(path) = &args.unix_target {
            Target::Unix(path.clone())
        } else {
            let text = positional.next().ok_or("too few arguments: the target is missing")?;
            Target::Tcp(address::target(&text)?)
        };
        if let Some(extra) = positional.next() {
            return Err(format!("too many arguments: {extra:?} has no meaning here"));
        }
        Ok(Self { listen, target, args })
    }
}

/// Options that mean something beside another one only.
fn needed(args: &Args) -> Result<(), String> {
    let rules = [
        (args.token_source.is_some(), "--token-source", args.token_plugin.is_some(), "--token-plugin"),
        (args.host_token, "--host-token", args.token_plugin.is_some(), "--token-plugin"),
        (args.auth_source.is_some(), "--auth-source", args.auth_plugin.is_some(), "--auth-plugin"),
        (args.web_auth, "--web-auth", args.auth_plugin.is_some(), "--auth-plugin"),
        (args.web_auth, "--web-auth", args.web.is_some(), "--web"),
        (args.legacy_syslog, "--legacy-syslog", args.syslog.is_some(), "--syslog"),
    ];
    match rules.iter().find(|(given, _, has_other, _)| *given && !has_other) {
        Some((_, option, _, other)) => Err(format!("{option} needs {other}")),
        None => Ok(()),
    }
}

/// A class of websockify's own packages, by its bare name; any other stays as it is.
fn own_class(class: &str) -> &str {
    let package = ["websockify.token_plugins.", "websockify.auth_plugins."];
    package.iter().find_map(|package| class.strip_prefix(package)).unwrap_or(class)
}

impl Args {
    /// `--auth-plugin`, without the package of websockify's own.
    pub(super) fn auth_class(&self) -> Option<&str> {
        self.auth_plugin.as_deref().map(own_class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        let words: Vec<_> = line.split_whitespace().collect();
        let args = Args::read(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
        Options::new(args, words.contains(&"--"))
    }

    #[test]
    fn the_four_forms() {
        let port = |port| From::Address(Listen { host: String::new(), port });
        let tcp = || Target::Tcp(Authority { host: "h".to_owned(), port: 5 });
        let command = |words: &[&str]| Target::Command(words.iter().map(|word| (*word).to_owned()).collect());
        let file =
            |plugin: &str| Target::Lookup(Lookup { plugin: plugin.to_owned(), source: Some("f".to_owned()) });
        for (line, listen, target) in [
            ("6080 h:5", port(6080), tcp()),
            ("--token-plugin TokenFile --token-source f 1", port(1), file("TokenFile")),
            ("1 --token-plugin websockify.token_plugins.X --token-source f", port(1), file("X")),
            ("1 --token-plugin my.X --token-source f", port(1), file("my.X")),
            ("1 --target-config f", port(1), file("TokenFile")),
            ("1 --unix-target /s", port(1), Target::Unix("/s".into())),
            ("1 -- vnc -v :1", port(1), command(&["vnc", "-v", ":1"])),
            ("-v -- 1 vnc", port(1), command(&["vnc"])),
            ("--inetd h:5", From::Inherited, tcp()),
            ("--unix-listen /s h:5", From::Unix("/s".into()), tcp()),
        ] {
            let options = options(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!((options.listen, options.target), (listen, target), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_meant() {
        for (line, problem) in [
            ("", "too few arguments: where to listen is missing"),
            ("6080", "too few arguments: the target is missing"),
            ("6080 --", "too few arguments: the target is missing"),
            ("6080 h:5 x", "too many arguments: \"x\" has no meaning here"),
            ("6080 h:5 --unix-target /s", "too many arguments: \"h:5\" has no meaning here"),
            ("6080 h:5 --token-plugin X", "too many arguments: \"h:5\" has no meaning here"),
            ("6080 h:5 --token-source f", "--token-source needs --token-plugin"),
            ("6080 h:5 --host-token", "--host-token needs --token-plugin"),
            ("6080 h:5 --auth-source f", "--auth-source needs --auth-plugin"),
            ("6080 h:5 --web . --web-auth", "--web-auth needs --auth-plugin"),
            ("6080 h:5 --auth-plugin X --web-auth", "--web-auth needs --web"),
            ("6080 h:5 --legacy-syslog", "--legacy-syslog needs --syslog"),
            ("6080 h", "the target \"h\" has no colon: write TARGET_ADDR:TARGET_PORT"),
        ] {
            assert_eq!(options(line).err().as_deref(), Some(problem), "{line}");
        }
    }
}
