//! `basic`: a name and a password (RFC 7617).
//!
//! A password is compared with a hash that takes time on purpose, on a thread where that is allowed, few at once. One
//! that was right is remembered as its keyed digest, so that a page with fifty files does not cost fifty hashes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use aws_lc_rs::hmac::{self, HMAC_SHA256, Tag};
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap};
use sha_crypt::ShaCrypt;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Credentials as Fault;
use crate::ask::Questions;
use crate::config::{Secret, User};

/// Bytes of the longest password that is hashed. What a hash costs grows with the password, for SHA-512 crypt in each of
/// its rounds, and so must not be for the client to choose.
const PASSWORD_BYTES_MAX: usize = 256;

/// Passwords that may be compared at once: more would not be faster. One processor is left to those who are in already,
/// as a hash may take a second, and whoever guesses passwords asks for one after the other.
pub(super) fn at_once_max(processors: usize) -> usize {
    processors.saturating_sub(1).max(1)
}

/// Who may come in.
pub(super) struct Users {
    /// By the keyed digest of the name: how long it takes to find one tells nothing about those that are near it.
    users: HashMap<Vec<u8>, Known>,
    /// What the password of a name is compared with that nobody has: the secret that costs most.
    decoy: Option<Secret>,
    /// Of this process alone: what is derived with it is worth nothing elsewhere.
    key: hmac::Key,
    places: Arc<Semaphore>,
    /// Those who wait for a place, and for their answer. Each has a place among the handshakes of the whole gateway.
    waiting: Questions,
}

struct Known {
    secret: Secret,
    /// The digest of the credentials that were right the last time.
    proven: Mutex<Option<Tag>>,
}

/// As many passwords are being compared as may be.
#[derive(Debug)]
pub(super) struct Busy;

struct Credentials {
    name: Vec<u8>,
    password: Vec<u8>,
}

impl Users {
    /// `places` bounds how many passwords are compared at once, `pending_max` how many of this route wait for that.
    pub(super) fn new(users: &[User], places: Arc<Semaphore>, pending_max: usize) -> Self {
        let key =
            hmac::Key::generate(HMAC_SHA256, &SystemRandom::new()).expect("the system gives random bytes");
        let known = |user: &User| {
            let name = hmac::sign(&key, user.name.as_bytes());
            (name.as_ref().to_vec(), Known { secret: user.secret.clone(), proven: Mutex::new(None) })
        };
        let decoy = users.iter().map(|user| &user.secret).max_by_key(|secret| cost(secret)).cloned();
        let waiting = Questions::new(pending_max);
        Self { users: users.iter().map(known).collect(), decoy, key, places, waiting }
    }

    /// Whether name and password of a user stand in the request. The caller bounds the time.
    pub(super) async fn check(&self, fields: &HeaderMap) -> Result<Result<(), Fault>, Busy> {
        let Some(credentials) = credentials(fields) else { return Ok(Err(Fault::Missing)) };
        let known = self.users.get(hmac::sign(&self.key, &credentials.name).as_ref());
        let digest = self.digest(&credentials);
        if known.is_some_and(|known| known.is_proven(&digest)) {
            return Ok(Ok(()));
        }
        // For a name that nobody has, as much work as for one that somebody has.
        let secret = known.map(|known| &known.secret).or(self.decoy.as_ref());
        let Some(secret) = secret.cloned() else { return Ok(Err(Fault::Wrong)) };
        let is_right = self.compare(secret, credentials.password).await?;
        Ok(match known {
            Some(known) if is_right => {
                *known.proven.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
                Ok(())
            }
            Some(_) | None => Err(Fault::Wrong),
        })
    }

    fn digest(&self, Credentials { name, password }: &Credentials) -> Tag {
        // A name has no colon, so no two pairs are written alike.
        hmac::sign(&self.key, &[name.as_slice(), b":", password].concat())
    }

    async fn compare(&self, secret: Secret, password: Vec<u8>) -> Result<bool, Busy> {
        if let Secret::Plain(plain) = &secret {
            let digest = hmac::sign(&self.key, plain.as_bytes());
            return Ok(hmac::verify(&self.key, &password, digest.as_ref()).is_ok());
        }
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        let _waiting = self.waiting.begin().map_err(|_too_many| Busy)?;
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the places are never closed");
        let compared = spawn_blocking(move || {
            let is_right = is_password_of(&secret, &password);
            drop(place); // kept until the work is done, even if nobody waits for it any more
            is_right
        });
        compared.await.map_err(|_cancelled| Busy)
    }
}

impl Known {
    fn is_proven(&self, digest: &Tag) -> bool {
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.as_ref().is_some_and(|proven| constant_time_eq(proven.as_ref(), digest.as_ref()))
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq as _;
    a.ct_eq(b).into()
}

fn is_password_of(secret: &Secret, password: &[u8]) -> bool {
    match secret {
        Secret::Plain(plain) => constant_time_eq(plain.as_bytes(), password),
        Secret::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
        Secret::Argon2(hash) => Argon2::default().verify_password(password, hash.as_str()).is_ok(),
        Secret::Sha512Crypt(hash) => ShaCrypt::SHA512.verify_password(password, hash.as_str()).is_ok(),
    }
}

/// About how many microseconds a comparison takes, to compare secrets by.
fn cost(secret: &Secret) -> u64 {
    match secret {
        Secret::Plain(_) => 0,
        Secret::Bcrypt(hash) => {
            let parts = hash.parse::<bcrypt::HashParts>().ok();
            parts
                .map_or(0, |parts| 1_u64.checked_shl(parts.get_cost()).unwrap_or(u64::MAX).saturating_mul(60))
        }
        Secret::Argon2(hash) => {
            let parsed = argon2::password_hash::phc::PasswordHash::new(hash).ok();
            let params = parsed.and_then(|parsed| argon2::Params::try_from(&parsed).ok());
            params.map_or(0, |params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
        }
        Secret::Sha512Crypt(hash) => {
            let rounds = hash.strip_prefix("$6$rounds=").and_then(|rest| rest.split_once('$'));
            rounds.map_or(5000, |(rounds, _)| rounds.parse().unwrap_or(5000))
        }
    }
}

/// What the one Authorization field says; of two nobody could say which was meant.
fn credentials(fields: &HeaderMap) -> Option<Credentials> {
    let mut values = fields.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(Credentials { name: decoded[..colon].to_vec(), password: decoded[colon + 1..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_from_one_field() {
        let read = |values: &[&str]| {
            let mut fields = HeaderMap::new();
            for value in values {
                fields.append(AUTHORIZATION, value.parse().unwrap());
            }
            credentials(&fields).map(|found| (found.name, found.password))
        };
        let encoded = STANDARD.encode("alice:se:cret");
        let expected = Some((b"alice".to_vec(), b"se:cret".to_vec()));
        assert_eq!(read(&[&format!("Basic {encoded}")]), expected);
        assert_eq!(read(&[&format!("bAsIc   {encoded}")]), expected);
        for wrong in ["", "Basic", "Basic !!!", "Basic YWxpY2U=", "Bearer YTpi", &encoded] {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
        let twice = format!("Basic {encoded}");
        assert_eq!(read(&[&twice, &twice]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn each_kind_of_hash_knows_its_password() {
        for secret in [
            Secret::Plain("password".into()),
            Secret::Bcrypt(bcrypt::hash("password", 4).unwrap()),
            Secret::Argon2(argon2_hash("password")),
            Secret::Sha512Crypt(sha512_hash("password")),
        ] {
            assert!(is_password_of(&secret, b"password"));
            for wrong in ["", "passwore", "passwor", "password ", "Password", "passwordpassword"] {
                assert!(!is_password_of(&secret, wrong.as_bytes()), "{wrong}");
            }
        }
    }

    #[test]
    fn a_processor_is_left_to_those_who_are_in() {
        assert_eq!([0, 1, 2, 3, 64].map(at_once_max), [1, 1, 1, 2, 63]);
    }

    /// Else a name that nobody has could be told by its quick answer.
    #[test]
    fn t057_the_decoy_is_the_costliest_secret() {
        let sha512 = |rounds: &str| Secret::Sha512Crypt(format!("$6${rounds}salt$digest"));
        let ascending = [
            Secret::Plain("x".into()),
            sha512("rounds=1000$"),
            sha512(""),
            Secret::Bcrypt(format!("$2y$08${}", ".".repeat(53))),
            Secret::Argon2(
                "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
                    .into(),
            ),
            Secret::Bcrypt(format!("$2y$10${}", ".".repeat(53))),
            sha512("rounds=700000$"),
        ];
        assert!(ascending.is_sorted_by_key(cost), "{:?}", ascending.iter().map(cost).collect::<Vec<_>>());
        let users = ascending.map(|secret| User { name: "x".into(), secret });
        let costliest = users.last().map(|user| user.secret.clone());
        for turned in 0..users.len() {
            let mut users = users.clone();
            users.rotate_left(turned);
            assert_eq!(Users::new(&users, Arc::new(Semaphore::new(1)), 1).decoy, costliest);
        }
    }

    fn argon2_hash(password: &str) -> String {
        use argon2::password_hash::PasswordHasher as _;
        let params = argon2::Params::new(64, 1, 1, None).unwrap();
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        argon2.hash_password_with_salt(password.as_bytes(), b"salt salt salt").unwrap().to_string()
    }

    fn sha512_hash(password: &str) -> String {
        use sha_crypt::PasswordHasher as _;
        let shortest =
            ShaCrypt::new(sha_crypt::Algorithm::Sha512Crypt, sha_crypt::Params::new(1000).unwrap());
        shortest.hash_password_with_salt(password.as_bytes(), b"salt salt salt").unwrap().to_string()
    }
}
