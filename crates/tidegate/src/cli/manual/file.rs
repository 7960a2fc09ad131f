//! tidegate.toml(5): every key of the configuration, from the reference of them.

use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::config::{self, Chapter, Row};

/// The page; each is told where it comes from and which manual it belongs to.
pub(super) fn page(source: &str, manual: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("TH", [NAME, "5", "", source, manual]);
    roff.control("SH", ["NAME"])
        .text([roman(format!("{NAME} - the configuration of tidegate, the WebSocket gateway"))]);
    roff.control("SH", ["SYNOPSIS"]);
    as_it_stands(&mut roff, "tidegate serve -c tidegate.toml\ntidegate check -c tidegate.toml");
    roff.control("SH", ["DESCRIPTION"]);
    for paragraph in DESCRIPTION {
        roff.control("PP", []).text(inline(paragraph));
    }
    for Chapter { heading, keys } in config::chapters() {
        roff.control("SH", [format!("keys of {heading}").to_uppercase().as_str()]);
        keys.iter().for_each(|row| describe(&mut roff, row));
    }
    roff.control("SH", ["EXAMPLE"]);
    as_it_stands(&mut roff, EXAMPLE);
    roff.control("SH", ["SEE ALSO"]).text([roman("tidegate(1), tidegate-serve(1), tidegate-check(1)")]);
    roff
}

fn describe(roff: &mut Roff, row: &Row) {
    let Row { name, takes, default, meaning, .. } = row;
    roff.control("TP", []).text([bold(*name)]);
    roff.text(inline(meaning));
    roff.control("br", []).text(inline(&format!("Takes: {takes}. Default: {default}.")));
}

/// Each line as a line of its own.
fn as_it_stands(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

/// Markdown of one paragraph: what is code or strong is bold, and of a link its text is left.
fn inline(markdown: &str) -> Vec<Inline> {
    let text = without_links(markdown).replace("**", "`");
    let pieces = text.split('`').enumerate();
    pieces.map(|(index, piece)| if index % 2 == 1 { bold(piece) } else { roman(piece) }).collect()
}

fn without_links(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once("](") {
        let (lead, words) = before.rsplit_once('[').unwrap_or((before, ""));
        text = text + lead + words;
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    text + rest
}

pub(super) const NAME: &str = "tidegate.toml";

const DESCRIPTION: &[&str] = &[
    "One file in TOML says what the gateway serves: keys of the whole gateway first, then its listeners, each under a \
     `[[listener]]` of its own, and its routes, each under a `[[route]]`. Of the routes of the right kind, the first \
     whose `host` and `path` match is taken.",
    "`tidegate check` reports every mistake at once, with line and column, and prints the route table. A key that does \
     not exist is an error, and so is a value out of its bounds.",
    "**Durations** are a whole number and a unit, as `\"250ms\"`, `\"30s\"`, `\"5m\"`, `\"2h\"`, or a whole number of \
     seconds. **Sizes** are a whole number of bytes, or have a unit, as `\"64KiB\"`, `\"1MiB\"`, `\"1GiB\"`, or `kB`, \
     `MB`, `GB` for the decimal ones. **Names of files** that are relative start at the folder of the configuration.",
    "Documents and chapters that are named below belong to the documentation of tidegate (`docs/configuration.md`).",
];

const EXAMPLE: &str = "\
[[listener]]
address = \"0.0.0.0:443\"
tls = { cert = \"cert.pem\", key = \"key.pem\" }

[[route]]
path = \"/vnc\"
backend = \"tcp://127.0.0.1:5900\"
origins = [\"https://example.com\"]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_markdown_the_words_are_left() {
        for (markdown, words) in [
            ("see [Paths](#paths).", "see Paths."),
            ("`a` [x](y) and [`b`](c)", "`a` x and `b`"),
            ("`\"[::1]:80\"` stays", "`\"[::1]:80\"` stays"),
        ] {
            assert_eq!(without_links(markdown), words);
        }
        assert_eq!(inline("a `b` **c**.").len(), 5);
    }
}
