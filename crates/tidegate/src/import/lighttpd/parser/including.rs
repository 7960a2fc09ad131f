//! `include`: other files, as if they stood here.

use super::{DEPTH_MAX, Parser};
use crate::import::lighttpd::position::{Position, SyntaxError};
use crate::import::lighttpd::value::Value;

impl Parser<'_, '_> {
    pub(super) fn include(&mut self, context: usize) -> Result<(), SyntaxError> {
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

    pub(super) fn include_shell(&mut self, context: usize) -> Result<(), SyntaxError> {
        let at = self.advance().at;
        self.expression(context)?;
        let way_out =
            "commands are never run here: run it yourself, and include a file with its output instead";
        self.reading.report.without(&at, "include_shell", way_out);
        Ok(())
    }
}
