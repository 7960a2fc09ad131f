//! The grammar. As in lighttpd, a line takes effect as it is read: files are included by what variables are by then.

use std::rc::Rc;

use super::contexts::{Assignment, Condition, Contexts, ELSE};
use super::files::Files;
use super::lexer::{Placed, Token, tokens};
use super::position::{Position, Source, SyntaxError};
use super::value::{Item, Value, WEIGHT_MAX};
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

    fn include(&mut self, context: usize) -> Result<(), SyntaxError> {
        let at = self.advance().at;
        let name = match self.expression(context)? {
            Value::Text(name) => name,
            Value::Unknown(why) => {
                self.unread(context, &at, format!("its file is not known: {why}"));
                return Ok(());
            }
            Value::Number(_) | Value::List(_) => {
                return Err(SyntaxError::new(
                    &at,
                    "an include of what is no string; expected the name of a file",
                ));
            }
        };
        let depth = self.depth + 1;
        if depth > DEPTH_MAX {
            return Err(SyntaxError::new(
                &at,
                format!("more than {DEPTH_MAX} files and blocks in each other"),
            ));
        }
        let (found, hidden) = self.reading.files.matching(&name, &at)?;
        if let Some(why) = hidden {
            self.unread(context, &at, why);
        } else if found.is_empty() {
            self.reading.report.note(&at, "include", format!("no file matches {name:?}"));
        }
        for file in found {
            match self.reading.files.open(&file, &at)? {
                Ok((text, source)) => self.reading.file(&text, &source, context, depth)?,
                Err(why) => self.unread(context, &at, why),
            }
        }
        Ok(())
    }

    fn unread(&mut self, context: usize, at: &Position, why: String) {
        self.reading.report.without(at, "include", why);
        self.reading.contexts.is_unread(context, at);
    }

    fn include_shell(&mut self, context: usize) -> Result<(), SyntaxError> {
        let at = self.advance().at;
        self.expression(context)?;
        let way_out =
            "commands are never run here: run it yourself, and include a file with its output instead";
        self.reading.report.without(&at, "include_shell", way_out);
        Ok(())
    }

    /// `value + value + …`
    fn expression(&mut self, context: usize) -> Result<Value, SyntaxError> {
        let mut sum = self.value(context)?;
        while self.next.token == Token::Sign("+") {
            let at = self.advance().at;
            self.skip_line_ends();
            let more = self.value(context)?;
            sum = sum.plus(more).map_err(|problem| SyntaxError::new(&at, problem))?;
        }
        Ok(sum)
    }

    fn value(&mut self, context: usize) -> Result<Value, SyntaxError> {
        match &self.next.token {
            Token::Sign("(") => return self.list(context),
            Token::Text(_) | Token::Number(_) | Token::Word(_) => {}
            Token::Sign(_) | Token::LineEnd | Token::End => {
                return Err(self.unexpected("a string, a number, a variable or a list"));
            }
        }
        Ok(match self.advance().token {
            Token::Text(text) => Value::Text(text),
            Token::Number(number) => Value::Number(number),
            Token::Word(name) => self.variable(context, &name),
            Token::Sign(_) | Token::LineEnd | Token::End => unreachable!("looked at above"),
        })
    }

    fn variable(&self, context: usize, name: &str) -> Value {
        let known = match name.strip_prefix("env.") {
            Some(name) => std::env::var(name).ok().map(Value::Text),
            None => self.reading.contexts.lookup(context, name).cloned(),
        };
        known.unwrap_or_else(|| Value::Unknown(format!("{name} is not set")))
    }

    /// `( value, "key" => value, … )`, over as many lines as it likes.
    fn list(&mut self, context: usize) -> Result<Value, SyntaxError> {
        self.deeper()?;
        let start = self.advance().at;
        let mut items = Vec::new();
        let mut weight = 0;
        loop {
            self.skip_line_ends();
            if self.next.token == Token::Sign(")") {
                break;
            }
            let item = self.item(context)?;
            weight += item.value.weight();
            if weight > WEIGHT_MAX {
                let problem = format!("a list of more than {WEIGHT_MAX} bytes and entries");
                return Err(SyntaxError::new(&start, problem));
            }
            items.push(item);
            self.skip_line_ends();
            if self.next.token == Token::Sign(",") {
                self.advance();
            } else if self.next.token != Token::Sign(")") {
                return Err(self.unexpected(", or )"));
            }
        }
        self.advance();
        self.depth -= 1;
        Ok(Value::List(items))
    }

    fn item(&mut self, context: usize) -> Result<Item, SyntaxError> {
        let at = self.next.at.clone();
        let first = self.expression(context)?;
        self.skip_line_ends();
        if self.next.token != Token::Sign("=>") {
            return Ok(Item { key: None, value: first, at });
        }
        self.advance();
        self.skip_line_ends();
        let value = self.expression(context)?;
        match first {
            Value::Text(key) => Ok(Item { key: Some(key), value, at }),
            Value::Number(key) => Ok(Item { key: Some(key.to_string()), value, at }),
            Value::Unknown(why) => Ok(Item { key: None, value: Value::Unknown(why), at }),
            Value::List(_) => Err(SyntaxError::new(&at, "a list before =>; expected a string")),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    /// Reads a text as if it were the main file.
    fn parse(text: &str) -> Result<Contexts, SyntaxError> {
        let source = Rc::new(Source { number: 0, name: "f".to_owned() });
        let (mut contexts, mut report) = (Contexts::new(), Report::new());
        let mut files = Files::new(Path::new("/nonexistent/lighttpd.conf"));
        let mut reading = Reading { files: &mut files, report: &mut report, contexts: &mut contexts };
        reading.file(text, &source, Contexts::GLOBAL, 0)?;
        Ok(contexts)
    }

    fn value(text: &str, name: &str) -> Value {
        parse(text).unwrap().global().settings[name].value.clone()
    }

    #[test]
    fn values_add_up() {
        for (text, expected) in [
            ("a.b = \"x\" + 5 + \"y\"", Value::Text("x5y".to_owned())),
            ("var.p = 80\na.b = var.p + 1", Value::Number(81)),
            ("a.b = 1\na.b := 2", Value::Number(2)),
            ("a.b = a.c", Value::Unknown("a.c is not set".to_owned())),
            ("root = \"/srv\"\na.b = root + \"/x\"", Value::Text("/srv/x".to_owned())),
            ("var.root = \"/srv\"\na.b = root", Value::Text("/srv".to_owned())),
            ("root = 1\nroot += 2\na.b = var.root", Value::Number(3)),
            ("a.b = root", Value::Unknown("root is not set".to_owned())),
            ("a.c = \"x\"\na.b = a.c", Value::Text("x".to_owned())),
        ] {
            assert_eq!(value(text, "a.b"), expected, "{text}");
        }
        let list = value("a.b = ( \"x\" )\na.b += ( \"k\" =>\n 1, )", "a.b");
        let keys: Vec<_> = list.as_list().unwrap().iter().map(|item| item.key.as_deref()).collect();
        assert_eq!(keys, [None, Some("k")]);
    }

    #[test]
    fn a_block_sees_what_is_around_it_and_adds_to_a_copy() {
        let text = "a.b = ( 1 )\n$HTTP[\"host\"] == \"x\"\n{\n a.b += ( 2 ) }\nelse $HTTP[\"host\"] == \"y\" { a.c = 1 }\n\
                    else { a.d = 1 }\n$HTTP[\"host\"] == \"x\" { a.e = 1 }\nglobal { a.f = 1 }\n";
        let contexts = parse(text).unwrap();
        let names: Vec<Vec<_>> = contexts
            .all()
            .iter()
            .map(|context| context.settings.keys().map(String::as_str).collect())
            .collect();
        assert_eq!(names, [vec!["a.b", "a.f"], vec!["a.b", "a.e"], vec!["a.c"], vec!["a.d"]]);
        let inner = contexts.all()[1].settings["a.b"].value.as_list().unwrap().len();
        assert_eq!((inner, contexts.global().settings["a.b"].value.as_list().unwrap().len()), (2, 1));
        let unless: Vec<_> =
            contexts.all()[1..].iter().map(|c| c.condition.as_ref().unwrap().unless.clone()).collect();
        assert_eq!(unless, [vec![], vec![1], vec![1, 2]]);
    }

    proptest! {
        /// Any text is read to its end or refused with a place within it; nothing panics, and nothing goes on for ever.
        #[test]
        fn any_text_is_answered(text in pieces()) {
            if let Err(error) = parse(&text) {
                prop_assert!(error.at.line <= text.split('\n').count(), "{error}");
            }
        }
    }

    /// Pieces of the language in any order, with some noise between them.
    fn pieces() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "a.b",
            "var.x",
            "env.HOME",
            "=",
            "+=",
            ":=",
            "==",
            "=~",
            "=>",
            "+",
            ",",
            "(",
            ")",
            "{",
            "}",
            "$",
            "[",
            "]",
            "\"",
            "\"x\"",
            "\\",
            "80",
            "\n",
            " ",
            "#",
            "else",
            "global",
            "include",
            "include_shell",
            "HTTP",
            "$HTTP[\"host\"] == \"a\" {",
            "a.b = ( \"c\" => 1 )\n",
        ]);
        let piece = prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }
}
