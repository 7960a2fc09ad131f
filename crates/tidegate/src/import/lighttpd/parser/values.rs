//! What stands behind an equals sign: strings, numbers, variables and lists of them, and their sums.

use super::Parser;
use crate::import::lighttpd::lexer::Token;
use crate::import::lighttpd::position::SyntaxError;
use crate::import::lighttpd::value::{Item, Value, WEIGHT_MAX};

impl Parser<'_, '_> {
    /// `value + value + …`
    pub(super) fn expression(&mut self, context: usize) -> Result<Value, SyntaxError> {
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
}
