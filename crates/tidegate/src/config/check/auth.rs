//! `auth = { … }` of a route.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use http::{HeaderName, Uri};

use super::files::readable;
use super::found::Found;
use super::keys::Place;
use super::lookup::url;
use super::needless;
use super::section::Section;
use crate::config::diagnostic::{Fault, quoted};
use crate::config::{Auth, AuthKind, CertificateAuth, JwtAuth, NamesIn, Secret, TokenFrom, User};
use crate::jwt::{KeyError, Verifier};
use crate::named_file;

/// `None` where everybody may use the route, or where what is written is wrong, which is reported.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Auth> {
    let found = section.find("auth")?;
    section.nested("auth", Place::Auth, &found, read_table).flatten()
}

fn read_table(section: &mut Section<'_, '_>) -> Option<Auth> {
    if section.find("kind").is_none() {
        section.missing("kind", format!("write kind = \"basic\", or another of {}", names()));
    }
    let kind = section.text("kind", |text, _| {
        let known = KINDS.iter().find(|(kind, _)| *kind == text);
        known.ok_or_else(|| Fault::new("is no kind of authentication", format!("write one of {}", names())))
    });
    let (realm, timeout) = (section.text("realm", |text, _| realm(text)), section.duration("timeout"));
    let (kind, own) = kind?;
    only_its_own_keys(section, kind, own);
    let kind = match *kind {
        "basic" => users(section).map(AuthKind::Basic),
        "client-cert" => Some(AuthKind::ClientCert(certificate(section))),
        "jwt" => jwt(section).map(AuthKind::Jwt),
        _ => forward(section).map(AuthKind::Forward),
    };
    let auth = Auth::new(kind?);
    needless::of_auth(section, &auth.kind);
    Some(Auth { realm: realm.unwrap_or(auth.realm), timeout, kind: auth.kind })
}

/// A key of another kind would be ignored, and its author think himself guarded.
fn only_its_own_keys(section: &mut Section<'_, '_>, kind: &str, own: &[&str]) {
    for (_, keys) in KINDS {
        for key in keys.iter().filter(|key| !own.contains(key)) {
            if let Some(found) = section.find(key) {
                let message = format!("{key} stands beside kind = {}", quoted(kind));
                section.error(&found.spot, message, format!("this kind has {}", own.join(", ")));
            }
        }
    }
}

fn realm(text: &str) -> Result<String, Fault> {
    let legal = |b: u8| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\';
    if (1..=REALM_BYTES_MAX).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    let remedy = format!("write 1 to {REALM_BYTES_MAX} printable ASCII characters without quotes");
    Err(Fault::new("cannot be shown by browsers", remedy))
}

fn users(section: &mut Section<'_, '_>) -> Option<Vec<User>> {
    let Some(found) = section.find("users") else {
        section.missing("users", "write users = \"FILE\", or users = [\"NAME:HASH\"]");
        return None;
    };
    let users = match found.value.as_array() {
        // Not repeated in messages either: it may be the one entry of a list that was meant, with a password.
        None => {
            let (file, users) = section.secret("users", users_of_file)?;
            section.guard("users", &file);
            users
        }
        Some(list) => list.iter().filter_map(|item| listed_user(section, &found.item(item))).collect(),
    };
    let mut seen = BTreeSet::new();
    if let Some(user) = users.iter().find(|user| !seen.insert(&user.name)) {
        let message = format!("users has {} twice", quoted(&user.name));
        section.error(&found.spot, message, "write each name once");
    }
    if users.is_empty() && found.value.as_array().is_none_or(|list| list.is_empty()) {
        section.error(&found.spot, "users has no user".to_owned(), "write one line NAME:HASH for each");
    }
    Some(users)
}

/// One entry of the list. It is not repeated in messages: it may be a password.
fn listed_user<'t>(section: &mut Section<'_, 't>, found: &Found<'t>) -> Option<User> {
    let Some(line) = found.value.as_str() else {
        section.wrong_type(found, section.key("users"));
        return None;
    };
    user(line)
        .map_err(|fault| {
            section.error(&found.spot, format!("an entry of users {}", fault.problem), fault.remedy);
        })
        .ok()
}

fn users_of_file(text: &str, folder: &Path) -> Result<(PathBuf, Vec<User>), Fault> {
    let path = existing_file(text, folder)?;
    let mut content = String::new();
    let read =
        named_file::open(&path).and_then(|file| file.take(USERS_BYTES_MAX + 1).read_to_string(&mut content));
    if let Err(cause) = read {
        return Err(Fault::new(
            format!("cannot be read: {cause}"),
            "name a text file that this user may read",
        ));
    }
    if content.len() as u64 > USERS_BYTES_MAX {
        return Err(Fault::new(
            "is larger than 1 MiB",
            "keep that many users elsewhere, and use kind = \"forward\"",
        ));
    }
    let lines = content.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let users = lines.map(|(at, line)| {
        user(line).map_err(|fault| Fault::new(format!("line {}: {}", at + 1, fault.problem), fault.remedy))
    });
    Ok((path, users.collect::<Result<_, _>>()?))
}

/// `NAME:HASH`. The fault does not repeat the text: it may be a password.
fn user(line: &str) -> Result<User, Fault> {
    const REMEDY: &str = "write NAME:HASH with a hash of bcrypt ($2y$), argon2 ($argon2id$) or SHA-512 ($6$), as htpasswd -nB NAME prints it";
    let (name, hash) = line.split_once(':').ok_or_else(|| Fault::new("is no NAME:HASH", REMEDY))?;
    if name.is_empty() {
        return Err(Fault::new("has no name", REMEDY));
    }
    let secret = secret(hash.trim_end()).ok_or_else(|| {
        Fault::new("has no hash that is known and not too costly", format!("{REMEDY}; {COSTS}"))
    })?;
    Ok(User { name: name.to_owned(), secret })
}

/// A hash whose cost is bounded: each request with a password has to pay it.
fn secret(hash: &str) -> Option<Secret> {
    let owned = hash.to_owned();
    if ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|start| hash.starts_with(start)) {
        let parts: bcrypt::HashParts = hash.parse().ok()?;
        return (parts.get_cost() <= BCRYPT_COST_MAX).then_some(Secret::Bcrypt(owned));
    }
    if hash.starts_with("$argon2") {
        let parsed = argon2::password_hash::phc::PasswordHash::new(hash).ok()?;
        let params = argon2::Params::try_from(&parsed).ok()?;
        let (memory, passes) = (params.m_cost(), params.t_cost());
        let bounded = memory <= ARGON2_KIB_MAX
            && passes <= ARGON2_PASSES_MAX
            && u64::from(memory) * u64::from(passes) <= ARGON2_WORK_KIB_MAX;
        return (bounded && parsed.hash.is_some()).then_some(Secret::Argon2(owned));
    }
    let fields = hash.strip_prefix("$6$")?;
    let (rounds, rest) = match fields.strip_prefix("rounds=") {
        Some(rest) => rest.split_once('$').and_then(|(rounds, rest)| Some((rounds.parse().ok()?, rest)))?,
        None => (5000, fields),
    };
    let is_whole = rest.split_once('$').is_some_and(|(_, digest)| digest.len() == SHA512_DIGEST_CHARS);
    ((1000..=SHA512_ROUNDS_MAX).contains(&rounds) && is_whole).then_some(Secret::Sha512Crypt(owned))
}

fn certificate(section: &mut Section<'_, '_>) -> CertificateAuth {
    let names = client_names(section);
    let names_in = section.text("names_in", |text, _| match text {
        "any" => Ok(NamesIn::Any),
        "common-name" => Ok(NamesIn::CommonName),
        _ => Err(Fault::new("is no place of a name in a certificate", r#"write "any" or "common-name""#)),
    });
    if let Some(found) = section.find("names_in")
        && section.find("names").is_none()
    {
        let message = "names_in stands without names".to_owned();
        section.error(&found.spot, message, "list the names that may come in, or leave it out");
    }
    CertificateAuth { names, names_in: names_in.unwrap_or_default() }
}

fn client_names(section: &mut Section<'_, '_>) -> Vec<String> {
    let names = section.texts("names", |text, _| match text {
        "" => Err(Fault::new("is empty", "write the common name or an alternative name of the certificate")),
        _ => Ok(text.to_owned()),
    });
    if let Some(found) = section.find("names")
        && names.as_ref().is_some_and(Vec::is_empty)
    {
        section.error(&found.spot, "names is an empty list".to_owned(), "leave it out for any certificate");
    }
    names.unwrap_or_default()
}

fn jwt(section: &mut Section<'_, '_>) -> Option<JwtAuth> {
    if section.find("key").is_none() {
        section.missing("key", "write key = \"FILE\", a public key in PEM or a shared key as base64url");
    }
    let key = section.text("key", jwt_key);
    if let Some(key) = &key {
        section.guard("key", key);
    }
    let from = section.text("from", |text, _| token_from(text));
    let text = |text: &str, _: &Path| Ok(text.to_owned());
    let (issuer, audience) = (section.text("issuer", text), section.text("audience", text));
    let ends_sessions = section.text("on_expiry", |text, _| on_expiry(text)).unwrap_or(false);
    Some(JwtAuth { key: key?, from: from.unwrap_or(TokenFrom::Bearer), issuer, audience, ends_sessions })
}

fn jwt_key(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let path = existing_file(text, folder)?;
    Verifier::load(&path).map(|_| path).map_err(|error| key_fault(&error))
}

/// What is wrong with a key, and the way out, which stand in one sentence.
pub(super) fn key_fault(error: &KeyError) -> Fault {
    let told = error.to_string();
    let (problem, remedy) =
        told.split_once("; ").unwrap_or((&told, "name a text file that this user may read"));
    Fault::new(problem, remedy)
}

/// Whether sessions end.
fn on_expiry(text: &str) -> Result<bool, Fault> {
    match text {
        "keep" => Ok(false),
        "close" => Ok(true),
        _ => Err(Fault::new("is nothing that can become of a WebSocket", r#"write "keep" or "close""#)),
    }
}

fn token_from(text: &str) -> Result<TokenFrom, Fault> {
    match text.split_once(':') {
        None if text == "bearer" => Ok(TokenFrom::Bearer),
        Some(("query", name)) if !name.is_empty() => Ok(TokenFrom::Query(name.to_owned())),
        // The name of a cookie is a token, as that of a field is (RFC 6265 §4.1.1).
        Some(("cookie", name)) if name.parse::<HeaderName>().is_ok() => {
            Ok(TokenFrom::Cookie(name.to_owned()))
        }
        _ => Err(Fault::new("is no place of a token", r#"write "bearer", "query:NAME" or "cookie:NAME""#)),
    }
}

fn forward(section: &mut Section<'_, '_>) -> Option<Uri> {
    if section.find("url").is_none() {
        section.missing("url", "write url = \"http://127.0.0.1:9000/auth\", the server that decides");
    }
    section.text("url", |text, _| url(text))
}

fn existing_file(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    readable(text, folder).map_err(|fault| Fault::new(fault.problem, "name a file that this user may read"))
}

fn names() -> String {
    KINDS.map(|(kind, _)| kind).join(", ")
}

/// The kinds, each with the keys that only it has.
const KINDS: [(&str, &[&str]); 4] = [
    ("basic", &["users"]),
    ("client-cert", &["names", "names_in"]),
    ("jwt", &["key", "from", "issuer", "audience", "on_expiry"]),
    ("forward", &["url"]),
];
const REALM_BYTES_MAX: usize = 64;
const USERS_BYTES_MAX: u64 = 1 << 20;
/// About a second on today's machines, each of them, and of the last for the longest password that is hashed.
const BCRYPT_COST_MAX: u32 = 14;
const ARGON2_KIB_MAX: u32 = 256 << 10;
const ARGON2_PASSES_MAX: u32 = 16;
/// Of all passes together.
const ARGON2_WORK_KIB_MAX: u64 = 1 << 20;
/// Above the 656000 that is the default of some tools.
const SHA512_ROUNDS_MAX: u32 = 700_000;
/// 64 bytes, six bits to a character.
const SHA512_DIGEST_CHARS: usize = 86;
const COSTS: &str = "at most cost 14, 256 MiB and 16 passes with 1 GiB in all of them, or 700000 rounds";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_that_are_known_and_bounded() {
        let sha512 = |rounds: &str| format!("$6${rounds}saltsalt${}", "a".repeat(SHA512_DIGEST_CHARS));
        let bcrypt = |cost: u32| format!("$2y${cost:02}${}", ".".repeat(53));
        let argon2 = |kib: u32, passes: u32| {
            format!(
                "$argon2id$v=19$m={kib},t={passes},p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
            )
        };
        assert!(matches!(secret(&bcrypt(10)), Some(Secret::Bcrypt(_))));
        for (kib, passes) in [(19_456, 2), (64 << 10, 16), (256 << 10, 4)] {
            assert!(matches!(secret(&argon2(kib, passes)), Some(Secret::Argon2(_))), "{kib} {passes}");
        }
        for rounds in ["", "rounds=1000$", "rounds=656000$", "rounds=700000$"] {
            assert!(matches!(secret(&sha512(rounds)), Some(Secret::Sha512Crypt(_))), "{rounds}");
        }
        for hash in [
            bcrypt(15),
            argon2(1 << 20, 1),
            argon2(256 << 10, 5),
            argon2(8, 17),
            sha512("rounds=700001$"),
            sha512("rounds=1$"),
            sha512("rounds=x$"),
            "$2y$10$short".into(),
            "$argon2id$v=19$m=1$x".into(),
            "$6$salt$short".into(),
            "password".into(),
            "$1$salt$abc".into(),
            "$apr1$salt$abc".into(),
            "{SHA}abc".into(),
            String::new(),
        ] {
            assert!(secret(&hash).is_none(), "{hash}");
        }
    }

    #[test]
    fn a_wrong_line_is_named_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("users"), text).unwrap();
        write("# users\n\nalice:hunter2\n");
        let fault = users_of_file("users", folder.path()).unwrap_err();
        assert!(
            fault.problem.starts_with("line 3: ") && !format!("{fault:?}").contains("hunter2"),
            "{fault:?}"
        );
        write(&format!("# users\nalice:$2y$10${}\n", ".".repeat(53)));
        assert_eq!(users_of_file("users", folder.path()).unwrap().1[0].name, "alice");
        assert!(users_of_file("nobody", folder.path()).is_err());
    }

    #[test]
    fn places_of_tokens() {
        assert_eq!(token_from("bearer"), Ok(TokenFrom::Bearer));
        assert_eq!(token_from("query:t"), Ok(TokenFrom::Query("t".into())));
        assert_eq!(token_from("cookie:session"), Ok(TokenFrom::Cookie("session".into())));
        for text in ["", "query", "query:", "cookie:", "cookie:a=b", "header:x", "bearer:x"] {
            assert!(token_from(text).is_err(), "{text}");
        }
    }
}
