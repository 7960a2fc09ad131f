//! The grammar. As in lighttpd, a line takes effect as it is read: files are included by what variables are by then.

mod including;
#[cfg(test)]
mod tests;
mod values;

use std::rc::Rc;

use super::contexts::{Assignment, Condition, Contexts, ELSE};
use super::files::Files;
use super::lexer::{Placed, Token, tokens};
use super::position::{Position, Source, SyntaxError};
use super::value::Value;
use crate::import::report::Report;

/// Reads the file and all that it includes. What is odd, but has not to end the reading, goes to the report.
pub(super) fn read(files: &mut Files, report: &mut Report<Position>) -> Result<Contexts, SyntaxError> {
    let mut contexts = Contexts::new();
    let (text, source) = files.open_main()?;
    let mut reading = Reading { files, report, contexts: &mut contexts };
    reading.file(&text, &source, Contexts::GLOBAL, 0)?;
    Ok(contexts)
}

/// What all files have in common.
struct Reading<'r> {
    files: &'r mut Files,
    report: &'r mut Report<Position>,
    contexts: &'r mut Contexts,
}

/// One file.
struct Parser<'p, 'r> {
    reading: &'p mut Reading<'r>,
    tokens: std::vec::IntoIter<Placed>,
    next: Placed,
    /// How many files and blocks stand around.
    depth: usize,
}

impl Reading<'_> {
    fn file(
        &mut self,
        text: &str,
        source: &Rc<Source>,
        context: usize,
        depth: usize,
    ) -> Result<(), SyntaxError> {
        let mut tokens = tokens(text, source)?.into_iter();
        let next = tokens.next().expect("there is always the token for the end");
        let mut parser = Parser { reading: self, tokens, next, depth };
        while parser.next.token != Token::End {
            parser.line(context)?;
            if parser.next.token == Token::Sign("}") {
                let stray = parser.advance();
                parser.reading.report.note(&stray.at, "}", "closes nothing: passed over");
            }
        }
        Ok(())
    }
}

impl Parser<'_, '_> {
    /// One statement, and the end of its line.
    fn line(&mut self, context: usize) -> Result<(), SyntaxError> {
        match &self.next.token {
            Token::LineEnd => drop(self.advance()),
            Token::Sign("$") => self.condition(context, Vec::new())?,
            Token::Word(word) => match word.as_str() {
                "include" => self.include(context)?,
                "include_shell" => self.include_shell(context)?,
                "else" | "elseif" | "elsif" | "elif" => return Err(self.unexpected("a condition before it")),
                "global" => self.global()?,
                _ => self.assignment(context)?,
            },
            Token::Sign("}") | Token::End => {}
            Token::Text(_) | Token::Number(_) | Token::Sign(_) => {
                return Err(self.unexpected("a directive, a variable or a condition"));
            }
        }
        Ok(())
    }

    fn assignment(&mut self, context: usize) -> Result<(), SyntaxError> {
        let at = self.next.at.clone();
        let name = self.word("a directive")?;
        let how = if matches!(self.next.token, Token::Sign("=" | ":=")) {
            Assignment::Set
        } else if self.next.token == Token::Sign("+=") {
            Assignment::Append
        } else {
            return Err(self.unexpected("=, += or :="));
        };
        self.advance();
        let value = self.expression(context)?;
        let assigned = self.reading.contexts.assign(context, &name, how, value, &at);
        assigned.map_err(|problem| SyntaxError::new(&at, format!("{name} is {problem}")))
    }

    /// `global { … }`: as if it stood outside of everything.
    fn global(&mut self) -> Result<(), SyntaxError> {
        self.advance();
        self.block(Contexts::GLOBAL)
    }

    /// `$SUBJECT["key"] == "value" { … }`, and what `else` has to say to it. `unless`: the contexts of which it is an
    /// `else` itself.
    fn condition(&mut self, context: usize, mut unless: Vec<usize>) -> Result<(), SyntaxError> {
        let at = self.advance().at;
        let family = self.word("HTTP or SERVER")?;
        self.expect("[")?;
        let key = self.text("the name of what is compared, in quotation marks")?;
        self.expect("]")?;
        let Token::Sign(operator @ ("==" | "!=" | "=~" | "!~" | "=^" | "=$")) = self.next.token else {
            return Err(self.unexpected("==, !=, =~, !~, =^ or =$"));
        };
        self.advance();
        let value = self.expression(context)?;
        let subject = format!("{family}[\"{key}\"]");
        let condition = Condition { subject, operator, value, unless: unless.clone(), at };
        unless.push(self.open(context, condition)?);
        self.otherwise(context, unless)
    }

    /// `else` may stand on the next line.
    fn otherwise(&mut self, context: usize, unless: Vec<usize>) -> Result<(), SyntaxError> {
        self.skip_line_ends();
        let Token::Word(word) = &self.next.token else { return Ok(()) };
        let is_short = matches!(word.as_str(), "elseif" | "elsif" | "elif");
        if word != "else" && !is_short {
            return Ok(());
        }
        let at = self.advance().at;
        if !is_short && self.next.token == Token::Word("if".to_owned()) {
            self.advance();
        }
        if self.next.token == Token::Sign("$") {
            return self.condition(context, unless);
        }
        if self.next.token != Token::Sign("{") {
            return Err(self.unexpected("{ or a condition"));
        }
        let value = Value::Text(String::new());
        let rest = Condition { subject: ELSE.to_owned(), operator: "==", value, unless, at };
        self.open(context, rest).map(drop)
    }

    /// Reads the block of a condition; its context.
    fn open(&mut self, context: usize, condition: Condition) -> Result<usize, SyntaxError> {
        let at = condition.at.clone();
        let opened = self.reading.contexts.open(context, condition);
        let inner = opened.map_err(|problem| SyntaxError::new(&at, problem))?;
        self.block(inner)?;
        Ok(inner)
    }

    fn block(&mut self, context: usize) -> Result<(), SyntaxError> {
        self.skip_line_ends();
        self.deeper()?;
        self.expect("{")?;
        while self.next.token != Token::Sign("}") {
            if self.next.token == Token::End {
                return Err(self.unexpected("} for the block that is open"));
            }
            self.line(context)?;
        }
        self.advance();
        self.depth -= 1;
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let problem = format!("more than {DEPTH_MAX} files, blocks and lists in each other");
            return Err(SyntaxError::new(&self.next.at, problem));
        }
        Ok(())
    }

    fn skip_line_ends(&mut self) {
        while self.next.token == Token::LineEnd {
            self.advance();
        }
    }

    fn word(&mut self, expected: &str) -> Result<String, SyntaxError> {
        if !matches!(self.next.token, Token::Word(_)) {
            return Err(self.unexpected(expected));
        }
        let Token::Word(word) = self.advance().token else { unreachable!("looked at above") };
        Ok(word)
    }

    fn text(&mut self, expected: &str) -> Result<String, SyntaxError> {
        if !matches!(self.next.token, Token::Text(_)) {
            return Err(self.unexpected(expected));
        }
        let Token::Text(text) = self.advance().token else { unreachable!("looked at above") };
        Ok(text)
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), SyntaxError> {
        if self.next.token != Token::Sign(sign) {
            return Err(self.unexpected(sign));
        }
        self.advance();
        Ok(())
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        SyntaxError::new(&self.next.at, format!("{}; expected {expected}", self.next.token))
    }

    /// Takes the next token; the last one, which says that there are no more, stays.
    fn advance(&mut self) -> Placed {
        match self.tokens.next() {
            Some(next) => std::mem::replace(&mut self.next, next),
            None => self.next.clone(),
        }
    }
}

/// Each level is a level of our own stack.
const DEPTH_MAX: usize = 32;
