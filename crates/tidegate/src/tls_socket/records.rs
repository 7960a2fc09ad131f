//! TLS 1.3 behind its handshake (RFC 8446 §5), from keys that another process has handed over.
//!
//! Sealing and opening are rustls's own, by its traits for a cipher suite; here is what stands around them: the numbers of
//! records, alerts, and new keys when the client wants some. New keys are derived from a secret that rustls does not
//! give away, so a few are derived in advance and travel along. A session that has come to the last of them
//! [is spent](Records::is_spent): it works for as long as it takes to say good-bye.

use std::io;

use rustls::crypto::aws_lc_rs::cipher_suite::{TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundPlainMessage,
};
use rustls::server::UnbufferedServerConnection;
use rustls::{
    AlertDescription, CipherSuite, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    SupportedCipherSuite, Tls13CipherSuite,
};

use super::{Held, PLAIN_BYTES_MAX, Reader};
use crate::handover::record::Keys;
use crate::handover::secret::Secret;

/// Keys of each direction that are derived in advance. Each is good for 2²⁴ records at the least.
const SPARE_KEYS: usize = 4;

/// Keys of a direction that another process may send.
const KEYS_MAX: usize = 64;

const HEADER_BYTES: usize = 5;

/// Bytes of the longest record behind its header (RFC 8446 §5.2).
const SEALED_BYTES_MAX: usize = PLAIN_BYTES_MAX + 256;

/// A KeyUpdate that asks for none in return (RFC 8446 §4.6.3).
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

/// The same, and asks for one.
const KEY_UPDATE_AND_ASK: [u8; 5] = [24, 0, 0, 1, 1];

/// The level of alerts that end the connection.
const FATAL: u8 = 2;

/// Cipher suites whose sessions can go on elsewhere: rustls makes keys of 32 bytes and no others from bytes.
fn suites() -> [&'static Tls13CipherSuite; 2] {
    [TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256]
        .map(|suite| suite.tls13().expect("they are suites of TLS 1.3"))
}

/// Whether a session with this cipher suite can go on elsewhere.
pub(crate) fn can_move(suite: SupportedCipherSuite) -> bool {
    suites().iter().any(|known| known.common.suite == suite.suite())
}

/// Both directions.
pub(super) struct Records {
    suite: &'static Tls13CipherSuite,
    opening: Direction<dyn MessageDecrypter>,
    sealing: Direction<dyn MessageEncrypter>,
}

struct Direction<C: ?Sized> {
    cipher: Box<C>,
    /// The number of the next record.
    seq: u64,
    /// The one in use, and behind it the spare ones.
    secrets: Vec<Secret>,
}

/// Why nothing more can be read.
enum Broken {
    /// The client is told this.
    Refused(AlertDescription),
    /// The client has said this.
    Told(AlertDescription),
}

impl Records {
    /// Takes the keys out of a connection that has taken its handshake and has nothing left to send.
    ///
    /// # Errors
    /// It is not one [that can move](can_move), or is not so far.
    pub(super) fn of(tls: UnbufferedServerConnection) -> Result<Self, Error> {
        let (secrets, mut later) = tls.dangerous_into_kernel_connection()?;
        let suite = later.negotiated_cipher_suite().suite();
        let sealing = keys(secrets.tx, || later.update_tx_secret())?;
        let opening = keys(secrets.rx, || later.update_rx_secret())?;
        Self::new(suite, opening, sealing).map_err(|what| Error::General(what.to_owned()))
    }

    /// From keys that were written down.
    ///
    /// # Errors
    /// There are none, or they are of an unknown kind.
    pub(super) fn new(suite: CipherSuite, opening: Keys, sealing: Keys) -> Result<Self, &'static str> {
        let suite = suites().into_iter().find(|known| known.common.suite == suite);
        let suite = suite.ok_or("a cipher suite of TLS that cannot be gone on with")?;
        let opening = Direction::new(opening, |key, iv| suite.aead_alg.decrypter(key, iv))?;
        let mut sealing = Direction::new(sealing, |key, iv| suite.aead_alg.encrypter(key, iv))?;
        if sealing.seq > 0 {
            // AWS-LC takes the first nonce that it sees for that of record 0. What is sealed here goes nowhere.
            sealing
                .seal(0, ContentType::ApplicationData, &[])
                .map_err(|_| "keys of TLS that seal nothing")?;
        }
        Ok(Self { suite, opening, sealing })
    }

    /// The number of the suite, and the keys to open and to seal with.
    pub(super) fn write_down(&self) -> (u16, Keys, Keys) {
        (self.suite.common.suite.into(), self.opening.write_down(), self.sealing.write_down())
    }

    /// Whether no further key is left for either direction: the session should end while these serve.
    pub(super) const fn is_spent(&self) -> bool {
        self.opening.secrets.len() < 2 || self.sealing.secrets.len() < 2
    }

    /// Opens records until the reader has no more room; how many bytes of them are done with.
    ///
    /// # Errors
    /// They are wrong; the client is told in what is outgoing.
    pub(super) fn open_all(
        &mut self,
        records: &mut [u8],
        held: &mut Held,
        reader: &mut Reader<'_, '_>,
    ) -> io::Result<usize> {
        let mut at = 0;
        while reader.has_room() && !held.read_ended {
            match self.open(&mut records[at..], held, reader) {
                Ok(0) => break,
                Ok(bytes) => at += bytes,
                Err(Broken::Refused(alert)) => {
                    held.outgoing.extend(self.seal_one(ContentType::Alert, &[FATAL, alert.into()])?);
                    return Err(invalid(format!("a TLS record was refused: {alert:?}")));
                }
                Err(Broken::Told(alert)) => {
                    return Err(invalid(format!("TLS was ended by an alert: {alert:?}")));
                }
            }
        }
        Ok(at)
    }

    /// Opens the first record; how many bytes it has, 0 for one that is cut.
    fn open(
        &mut self,
        records: &mut [u8],
        held: &mut Held,
        reader: &mut Reader<'_, '_>,
    ) -> Result<usize, Broken> {
        let Some((header, rest)) = records.split_first_chunk_mut::<HEADER_BYTES>() else { return Ok(0) };
        let [kind, _, _, length @ ..] = *header;
        let length = usize::from(u16::from_be_bytes(length));
        if ContentType::from(kind) != ContentType::ApplicationData {
            return Err(Broken::Refused(AlertDescription::UnexpectedMessage)); // nothing goes in the clear any more
        }
        if length > SEALED_BYTES_MAX {
            return Err(Broken::Refused(AlertDescription::RecordOverflow));
        }
        let Some(sealed) = rest.get_mut(..length) else { return Ok(0) };
        let sealed =
            InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, sealed);
        let plain = self.opening.cipher.decrypt(sealed, self.opening.seq).map_err(|error| refused(&error))?;
        self.opening.seq += 1;
        match (plain.typ, plain.payload) {
            (ContentType::ApplicationData, payload) => reader.take(payload),
            (ContentType::Alert, [_, alert]) => {
                let alert = AlertDescription::from(*alert);
                if alert == AlertDescription::CloseNotify {
                    held.read_ended = true;
                } else if alert != AlertDescription::UserCanceled {
                    return Err(Broken::Told(alert)); // behind that one, a close_notify follows (RFC 8446 §6.1)
                }
            }
            (ContentType::Handshake, payload) if payload == KEY_UPDATE => self.update_opening()?,
            (ContentType::Handshake, payload) if payload == KEY_UPDATE_AND_ASK => {
                self.update_opening()?;
                let answer = self.update_sealing();
                held.outgoing.extend(answer.map_err(|_| Broken::Refused(AlertDescription::InternalError))?);
            }
            _ => return Err(Broken::Refused(AlertDescription::UnexpectedMessage)),
        }
        Ok(HEADER_BYTES + length)
    }

    /// Makes records of these bytes in `into`, which has room for them and one more; how many bytes they are.
    pub(super) fn seal(&mut self, payload: &[u8], into: &mut [u8]) -> io::Result<usize> {
        let mut end = 0;
        let mut put = |record: &[u8]| {
            into[end..end + record.len()].copy_from_slice(record);
            end += record.len();
        };
        for part in payload.chunks(PLAIN_BYTES_MAX) {
            if self.sealing.seq + 1 >= self.suite.common.confidentiality_limit {
                put(&self.update_sealing()?);
            }
            put(&self.seal_one(ContentType::ApplicationData, part)?);
        }
        Ok(end)
    }

    /// The record that says that no more will come.
    pub(super) fn close_notify(&mut self) -> io::Result<Vec<u8>> {
        const WARNING: u8 = 1;
        self.seal_one(ContentType::Alert, &[WARNING, AlertDescription::CloseNotify.into()])
    }

    fn seal_one(&mut self, kind: ContentType, payload: &[u8]) -> io::Result<Vec<u8>> {
        let record = self.sealing.seal(self.sealing.seq, kind, payload)?;
        self.sealing.seq += 1;
        Ok(record)
    }

    /// The client seals with its next key from now on.
    fn update_opening(&mut self) -> Result<(), Broken> {
        let aead = self.suite.aead_alg;
        let is_updated = self.opening.update(|key, iv| aead.decrypter(key, iv));
        if is_updated { Ok(()) } else { Err(Broken::Refused(AlertDescription::InternalError)) }
    }

    /// Seals with the next key from now on. The record that says so.
    fn update_sealing(&mut self) -> io::Result<Vec<u8>> {
        let aead = self.suite.aead_alg;
        let record = self.seal_one(ContentType::Handshake, &KEY_UPDATE)?;
        let is_updated = self.sealing.update(|key, iv| aead.encrypter(key, iv));
        if is_updated { Ok(record) } else { Err(invalid("TLS has no key left to seal with".to_owned())) }
    }
}

impl<C: ?Sized> Direction<C> {
    fn new(keys: Keys, cipher: impl Fn(AeadKey, Iv) -> Box<C>) -> Result<Self, &'static str> {
        let Keys { seq, secrets } = keys;
        let first = secrets.first().filter(|_| secrets.len() <= KEYS_MAX);
        let cipher = cipher_of(first.ok_or("not as many keys of TLS as there can be")?, cipher);
        Ok(Self { cipher, seq, secrets })
    }

    fn write_down(&self) -> Keys {
        Keys { seq: self.seq, secrets: self.secrets.clone() }
    }

    /// Goes on with the next key. Whether there is one.
    fn update(&mut self, cipher: impl Fn(AeadKey, Iv) -> Box<C>) -> bool {
        let Some(next) = self.secrets.get(1) else { return false };
        (self.cipher, self.seq) = (cipher_of(next, cipher), 0);
        self.secrets.remove(0);
        true
    }
}

impl Direction<dyn MessageEncrypter> {
    fn seal(&mut self, seq: u64, kind: ContentType, payload: &[u8]) -> io::Result<Vec<u8>> {
        let plain = OutboundPlainMessage {
            typ: kind,
            version: ProtocolVersion::TLSv1_3,
            payload: OutboundChunks::Single(payload),
        };
        Ok(self.cipher.encrypt(plain, seq).map_err(io::Error::other)?.encode())
    }
}

fn cipher_of<C: ?Sized>(secret: &Secret, cipher: impl Fn(AeadKey, Iv) -> Box<C>) -> Box<C> {
    cipher(AeadKey::from(*secret.key()), Iv::from(*secret.iv()))
}

/// The keys of one direction: what is in use, and the next few.
fn keys(
    (seq, in_use): (u64, ConnectionTrafficSecrets),
    mut next: impl FnMut() -> Result<(u64, ConnectionTrafficSecrets), Error>,
) -> Result<Keys, Error> {
    let mut secrets = Vec::with_capacity(1 + SPARE_KEYS); // none is moved, and so none left behind
    secrets.push(secret(in_use)?);
    for _ in 0..SPARE_KEYS {
        secrets.push(secret(next()?.1)?);
    }
    Ok(Keys { seq, secrets })
}

fn secret(secrets: ConnectionTrafficSecrets) -> Result<Secret, Error> {
    let (ConnectionTrafficSecrets::Aes256Gcm { key, iv }
    | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = &secrets
    else {
        return Err(Error::General("keys of a cipher suite that cannot move".to_owned()));
    };
    let secret = Secret::new(key.as_ref(), iv.as_ref());
    secret.ok_or_else(|| Error::General("keys of an unknown length".to_owned()))
}

fn refused(error: &Error) -> Broken {
    let alert = if *error == Error::DecryptError {
        AlertDescription::BadRecordMac
    } else if *error == Error::PeerSentOversizedRecord {
        AlertDescription::RecordOverflow
    } else {
        AlertDescription::UnexpectedMessage
    };
    Broken::Refused(alert)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
