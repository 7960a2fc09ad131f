//! From text to tokens.

use std::fmt;
use std::iter::Peekable;
use std::rc::Rc;
use std::str::Chars;

use super::position::{Position, Source, SyntaxError};

/// The smallest piece of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// `server.port`, `var.base`, `include`, `else`.
    Word(String),
    /// What stands between quotation marks.
    Text(String),
    Number(u64),
    /// Signs and operators, as they are written.
    Sign(&'static str),
    LineEnd,
    End,
}

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: Position,
}

/// Reads a whole file; the last token is [`Token::End`].
pub(super) fn tokens(text: &str, source: &Rc<Source>) -> Result<Vec<Placed>, SyntaxError> {
    let at = Position { source: Rc::clone(source), line: 1, column: 1 };
    let mut lexer = Lexer { chars: text.chars().peekable(), at };
    let mut tokens = Vec::new();
    loop {
        let placed = lexer.next()?;
        let is_end = placed.token == Token::End;
        tokens.push(placed);
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    chars: Peekable<Chars<'t>>,
    at: Position,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Placed, SyntaxError> {
        self.skip_blanks();
        let at = self.at.clone();
        let Some(first) = self.bump() else { return Ok(Placed { token: Token::End, at }) };
        let token = match first {
            '\n' => Token::LineEnd,
            '"' => Token::Text(self.quoted(&at)?),
            '0'..='9' => self.number(first, &at)?,
            _ if is_word(first) => {
                let mut word = String::from(first);
                word.extend(std::iter::from_fn(|| self.bump_if(|c| is_word(c) || c == '-')));
                Token::Word(word)
            }
            _ => self.sign(first, &at)?,
        };
        Ok(Placed { token, at })
    }

    fn skip_blanks(&mut self) {
        while self.bump_if(|c| c != '\n' && c.is_whitespace()).is_some() {}
        if self.chars.peek() == Some(&'#') {
            while self.bump_if(|c| c != '\n').is_some() {}
        }
    }

    /// Only the quotation mark can be escaped: every other backslash stands for itself, as regular expressions want it.
    fn quoted(&mut self, start: &Position) -> Result<String, SyntaxError> {
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(SyntaxError::new(start, "a string without its closing quotation mark")),
                Some('"') => return Ok(text),
                Some('\\') if self.chars.peek() == Some(&'"') => text.extend(self.bump()),
                Some(other) => text.push(other),
            }
        }
    }

    fn number(&mut self, first: char, at: &Position) -> Result<Token, SyntaxError> {
        let mut digits = String::from(first);
        digits.extend(std::iter::from_fn(|| self.bump_if(|c| c.is_ascii_digit())));
        let number = digits.parse().map_err(|_| SyntaxError::new(at, "a number of more than 64 bits"))?;
        Ok(Token::Number(number))
    }

    fn sign(&mut self, first: char, at: &Position) -> Result<Token, SyntaxError> {
        let second = self.chars.peek().copied();
        let double = SIGNS_OF_TWO.iter().find(|sign| {
            let mut chars = sign.chars();
            chars.next() == Some(first) && chars.next() == second
        });
        if let Some(sign) = double {
            self.bump();
            return Ok(Token::Sign(sign));
        }
        let single = SIGNS_OF_ONE.iter().find(|sign| sign.starts_with(first));
        match single {
            Some(sign) => Ok(Token::Sign(sign)),
            None => Err(SyntaxError::new(at, format!("the character {first:?}, which begins nothing"))),
        }
    }

    fn bump_if(&mut self, is_wanted: impl Fn(char) -> bool) -> Option<char> {
        self.chars.peek().copied().filter(|c| is_wanted(*c)).and_then(|_| self.bump())
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.chars.next()?;
        if next == '\n' {
            self.at.line += 1;
            self.at.column = 1;
        } else {
            self.at.column += 1;
        }
        Some(next)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

impl fmt::Display for Token {
    /// As a message names what was found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Text(_) => f.write_str("a string"),
            Self::Number(number) => number.fmt(f),
            Self::Sign(sign) => f.write_str(sign),
            Self::LineEnd => f.write_str("the end of the line"),
            Self::End => f.write_str("the end of the file"),
        }
    }
}

/// Looked for before the single ones.
const SIGNS_OF_TWO: [&str; 9] = ["=>", "==", "!=", "=~", "!~", "=^", "=$", "+=", ":="];
const SIGNS_OF_ONE: [&str; 10] = ["=", "+", ",", "(", ")", "{", "}", "[", "]", "$"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Placed>, SyntaxError> {
        tokens(text, &Rc::new(Source { number: 0, name: "f".to_owned() }))
    }

    #[test]
    fn every_kind_of_token() {
        let kinds: Vec<_> = read("a-b.c += ( \"x\\\"\\.\" => 80 ) # no }\n$A[\"b\"] =~\t\"\"").unwrap();
        let kinds: Vec<_> = kinds.into_iter().map(|placed| placed.token).collect();
        let text = |text: &str| Token::Text(text.to_owned());
        let word = |word: &str| Token::Word(word.to_owned());
        let sign = Token::Sign;
        assert_eq!(
            kinds,
            [
                word("a-b.c"),
                sign("+="),
                sign("("),
                text("x\"\\."),
                sign("=>"),
                Token::Number(80),
                sign(")"),
                Token::LineEnd,
                sign("$"),
                word("A"),
                sign("["),
                text("b"),
                sign("]"),
                sign("=~"),
                text(""),
                Token::End,
            ]
        );
    }

    #[test]
    fn places_are_counted_in_characters() {
        let read = read("\"ä\" x\n  y").unwrap();
        let places: Vec<_> = read.iter().map(|placed| (placed.at.line, placed.at.column)).collect();
        assert_eq!(places, [(1, 1), (1, 5), (1, 6), (2, 3), (2, 4)]);
    }

    #[test]
    fn what_is_no_token() {
        for (text, said) in [
            ("a = \"b\nc", "f:1:5: a string without its closing quotation mark"),
            ("a = 'b'", "f:1:5: the character '\\'', which begins nothing"),
            ("a = 99999999999999999999", "f:1:5: a number of more than 64 bits"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), said);
        }
    }
}
