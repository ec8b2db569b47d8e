//! A webhook's signature: `t=<unix s>,v1=<hex hmac_sha256(secret, t + "." + raw body)>`. Whether
//! it fits is found out in a time that does not depend on the secrets.
//!
//! Secrets are shown by nothing: [`Secrets`] has a `Debug` that counts them.

use hmac::{Hmac, KeyInit, Mac};
use schemas::time::Timestamp;
use sha2::Sha256;
use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The header that carries it.
pub const SIGNATURE_HEADER: &str = "Watermart-Signature";
/// How far its time may be from ours, either way: a copy of an old webhook is refused.
pub const TOLERANCE_S: i64 = 300;
/// Signatures one header may hold: a provider that changes its secret sends two.
const SIGNATURES_MAX: usize = 8;

/// The secrets shared with the provider; never empty.
#[derive(Clone)]
pub struct Secrets(Vec<Vec<u8>>);

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file holds none.
    #[error("{} holds no secret; write one a line", .0.display())]
    None(PathBuf),
    /// The file cannot be had.
    #[error("could not read or make {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Secrets {
    /// One secret, for tests and tools that are given it.
    #[must_use]
    pub fn one(secret: &[u8]) -> Self {
        Self(vec![secret.to_vec()])
    }

    /// Reads a file of one secret a line; blank lines and blanks around are nothing.
    pub fn load(path: &Path) -> Result<Self, SecretsError> {
        let text = fs::read_to_string(path).map_err(|source| io_error(path, source))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let secrets: Vec<_> = lines.map(|line| line.as_bytes().to_vec()).collect();
        if secrets.is_empty() {
            return Err(SecretsError::None(path.to_owned()));
        }
        Ok(Self(secrets))
    }

    /// Reads the file, or makes one (mode 600) with a new secret if there is none.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretsError> {
        if !path.try_exists().map_err(|source| io_error(path, source))? {
            create(path).map_err(|source| io_error(path, source))?;
        }
        Self::load(path)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} kept back)", self.0.len())
    }
}

fn io_error(path: &Path, source: io::Error) -> SecretsError {
    SecretsError::Io { path: path.to_owned(), source }
}

/// Whole or not at all: a crash leaves no file with half a secret.
fn create(path: &Path) -> io::Result<()> {
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let unfinished = path.with_extension("new");
    if unfinished.try_exists()? {
        fs::remove_file(&unfinished)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{}", hex(&random))?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is not of the form above.
    #[error("the signature header is malformed")]
    Malformed,
    /// Its time is too far from ours.
    #[error("the signature is {0} s from now, more than {TOLERANCE_S}")]
    OutOfTime(i64),
    /// No secret makes it from this body.
    #[error("the signature does not fit the body")]
    Mismatch,
}

/// The header for a body, by the first secret.
#[must_use]
pub fn sign(secrets: &Secrets, at: Timestamp, body: &[u8]) -> String {
    let at_s = at.0.div_euclid(1000).to_string();
    let mac = mac(&secrets.0[0], &at_s, body);
    format!("t={at_s},v1={}", hex(&mac.finalize().into_bytes()))
}

/// Whether a header fits a body: by any secret, by any of its signatures.
pub fn verify(
    secrets: &Secrets,
    header: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let mut at_s = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=').ok_or(SignatureError::Malformed)? {
            ("t", value) if at_s.is_none() => at_s = Some(value),
            ("v1", value) if signatures.len() < SIGNATURES_MAX => {
                signatures.push(unhex(value).ok_or(SignatureError::Malformed)?);
            }
            ("t" | "v1", _) => return Err(SignatureError::Malformed),
            // Another scheme, which we do not know: a provider may send both.
            _ => {}
        }
    }
    let at_s = at_s.ok_or(SignatureError::Malformed)?;
    let is_number = !at_s.is_empty() && at_s.bytes().all(|byte| byte.is_ascii_digit());
    let at: i64 = at_s.parse().ok().filter(|_| is_number).ok_or(SignatureError::Malformed)?;
    if signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    let away_s = at.saturating_sub(now.0.div_euclid(1000));
    if away_s.saturating_abs() > TOLERANCE_S {
        return Err(SignatureError::OutOfTime(away_s));
    }
    let mut fits = false;
    for secret in &secrets.0 {
        for signature in &signatures {
            fits |= mac(secret, at_s, body).verify_slice(signature).is_ok();
        }
    }
    if fits { Ok(()) } else { Err(SignatureError::Mismatch) }
}

fn mac(secret: &[u8], at_s: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length will do");
    mac.update(at_s.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const NOW: Timestamp = Timestamp(1_700_000_000_999);
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    /// By another implementation: `openssl dgst -sha256 -hmac whsec_1` of `1700000000.` and the
    /// body.
    const KNOWN: &str = "86d9cb9088d7cce050b0134e2d515d0fc05e8c00073612d3451480c6291f4dcd";

    fn verify_at(header: &str, now: Timestamp) -> Result<(), SignatureError> {
        verify(&Secrets::one(b"whsec_1"), header, BODY, now)
    }

    #[test]
    fn a_signature_is_the_one_that_others_make() {
        let header = sign(&Secrets::one(b"whsec_1"), NOW, BODY);
        assert_eq!(header, format!("t=1700000000,v1={KNOWN}"));
        assert_eq!(verify_at(&header, NOW), Ok(()));
    }

    #[test]
    fn every_secret_and_every_signature_of_a_header_is_tried_and_the_first_secret_signs() {
        let both = Secrets(vec![b"new".to_vec(), b"old".to_vec()]);
        let by = |secret: &[u8]| sign(&Secrets::one(secret), NOW, BODY);
        assert_eq!(sign(&both, NOW, BODY), by(b"new"));
        for secret in [b"new", b"old"] {
            assert_eq!(verify(&both, &by(secret), BODY, NOW), Ok(()));
        }
        assert_eq!(verify(&both, &by(b"foe"), BODY, NOW), Err(SignatureError::Mismatch));
        let wrong = "0".repeat(64);
        let two = format!("t=1700000000,v1={wrong},v0=whatever, v1={KNOWN}");
        assert_eq!(verify_at(&two, NOW), Ok(()));
    }

    #[test]
    fn another_body_time_or_digit_does_not_fit() {
        let header = sign(&Secrets::one(b"whsec_1"), NOW, BODY);
        let secrets = Secrets::one(b"whsec_1");
        assert_eq!(verify(&secrets, &header, b"{}", NOW), Err(SignatureError::Mismatch));
        let later = header.replace("t=1700000000", "t=1700000001");
        assert_eq!(verify_at(&later, NOW), Err(SignatureError::Mismatch));
        let digit = format!("{}0", &header[..header.len() - 1]);
        assert_eq!(verify_at(&digit, NOW), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_signature_lives_300_s_either_way() {
        let header = sign(&Secrets::one(b"whsec_1"), NOW, BODY);
        for (away_s, expected) in [
            (300, Ok(())),
            (-300, Ok(())),
            (301, Err(SignatureError::OutOfTime(-301))),
            (-301, Err(SignatureError::OutOfTime(301))),
        ] {
            assert_eq!(verify_at(&header, NOW.plus_ms(away_s * 1000)), expected, "{away_s}");
        }
    }

    #[test]
    fn a_malformed_header_is_called_so() {
        let many = format!("t=1700000000{}", format!(",v1={KNOWN}").repeat(9));
        let twice = format!("t=1700000000,t=1700000000,v1={KNOWN}");
        for header in [
            "",
            "t=1700000000",
            &format!("v1={KNOWN}"),
            &format!("t=,v1={KNOWN}"),
            &format!("t=+1700000000,v1={KNOWN}"),
            &format!("t=99999999999999999999,v1={KNOWN}"),
            "t=1700000000,v1=abc",
            &format!("t=1700000000,v1={}", "\u{e4}".repeat(32)),
            &twice,
            &many,
        ] {
            assert_eq!(verify_at(header, NOW), Err(SignatureError::Malformed), "{header}");
        }
    }

    #[test]
    fn secrets_are_made_once_kept_from_others_and_shown_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("webhook-secret");
        assert!(matches!(Secrets::load(&path), Err(SecretsError::Io { .. })));
        let made = Secrets::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Secrets::load_or_create(&path).unwrap().0, made.0);
        assert_eq!((made.0.len(), made.0[0].len()), (1, 64));
        assert_eq!(format!("{made:?}"), "Secrets(1 kept back)");
        fs::write(&path, "\n first \n\nsecond\n").unwrap();
        assert_eq!(Secrets::load(&path).unwrap().0, [b"first".to_vec(), b"second".to_vec()]);
        fs::write(&path, "\n \n").unwrap();
        assert!(matches!(Secrets::load(&path), Err(SecretsError::None(found)) if found == path));
    }
}
