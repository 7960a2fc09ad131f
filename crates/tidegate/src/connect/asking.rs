//! What the flags make of the request: fields, credentials, subprotocols.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use http::header::{HeaderName, HeaderValue};
use tidegate_proto::handshake::Subprotocols;

use super::args::RequestArgs;
use super::handshake::{Asking, SECRET_FIELDS};
use super::mistake::PlanError;
use super::secret::{Secret, SecretError};
use crate::named_file;

/// What the server is asked for. `subprotocol` is offered where no flag names one.
pub(super) fn asking(args: &RequestArgs, subprotocol: Option<&str>) -> Result<Asking, PlanError> {
    let mut subprotocols = Subprotocols::default();
    let default = subprotocol.filter(|_| args.subprotocol.is_empty());
    for name in args.subprotocol.iter().map(String::as_str).chain(default) {
        let subprotocol = name.parse().map_err(|error| PlanError::Subprotocol(name.to_owned(), error))?;
        subprotocols.push(subprotocol)?;
    }
    let origin = args.origin.clone();
    if let Some(origin) = origin.as_ref().filter(|origin| HeaderValue::from_str(origin).is_err()) {
        return Err(PlanError::Origin(origin.clone()));
    }
    Ok(Asking { subprotocols, origin, fields: fields(&args.header)?, credentials: credentials(args)? })
}

fn fields(headers: &[String]) -> Result<Vec<(String, Secret)>, PlanError> {
    let mut fields = Vec::new();
    for header in headers {
        match header.strip_prefix('@') {
            None => fields.push(field(header, false)?),
            Some(path) => {
                let failed = |error| PlanError::HeaderFile { path: path.into(), error };
                let mut text = String::new();
                let file = named_file::open(Path::new(path)).map_err(failed)?;
                file.take(HEADER_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
                if text.len() as u64 > HEADER_FILE_BYTES_MAX {
                    return Err(failed(io::Error::other("it has more than 64 KiB")));
                }
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    fields.push(field(line, true)?);
                }
            }
        }
    }
    Ok(fields)
}

/// Reads `NAME: VALUE`. In the error there is no value: it may be secret.
fn field(text: &str, from_file: bool) -> Result<(String, Secret), PlanError> {
    let malformed = |why: &str| PlanError::Header(why.to_owned());
    let (name, value) = text.split_once(':').ok_or_else(|| malformed("there is no colon in it"))?;
    let parsed = HeaderName::try_from(name).map_err(|_| malformed("its name is no name"))?;
    let value = value.trim();
    HeaderValue::from_str(value).map_err(|_| malformed("its value has a character that none may have"))?;
    if OURS.contains(&parsed.as_str()) || parsed.as_str().starts_with("sec-websocket-") {
        return Err(PlanError::HeaderOurs(name.to_owned()));
    }
    if !from_file && SECRET_FIELDS.contains(&parsed.as_str()) {
        return Err(PlanError::HeaderSecret(name.to_owned()));
    }
    Ok((name.to_owned(), Secret::of_field(value)))
}

fn credentials(args: &RequestArgs) -> Result<Option<Secret>, PlanError> {
    if let Some(user) = &args.user {
        if user.contains(':') {
            return Err(PlanError::UserColon("user"));
        }
        let missing =
            PlanError::NoPassword { flag: "user", flag_file: "password-file", variable: "TIDEGATE_PASSWORD" };
        let password = password(args.password_file.as_ref(), "TIDEGATE_PASSWORD")?.ok_or(missing)?;
        return Ok(Some(Secret::basic(user, &password)));
    }
    let token = password(args.bearer_file.as_ref(), "TIDEGATE_BEARER")?;
    Ok(token.as_ref().map(Secret::bearer))
}

/// From a file, else from the environment.
pub(super) fn password(file: Option<&PathBuf>, variable: &str) -> Result<Option<Secret>, SecretError> {
    match file {
        Some(file) => Secret::read(file).map(Some),
        None => Secret::from_env(variable),
    }
}

/// Bytes of the longest file of fields.
const HEADER_FILE_BYTES_MAX: u64 = 64 << 10;

/// Fields that the handshake and HTTP itself are made of.
const OURS: [&str; 6] = ["connection", "content-length", "host", "origin", "transfer-encoding", "upgrade"];
