//! The signing key of one day, region and service, and the signatures that it makes.

use std::fmt;

use subtle::ConstantTimeEq as _;

use crate::credentials::Secret;
use crate::encode::hex;
use crate::sha256::{MacKey, Sha256};
use crate::stamp::Stamp;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A signature: 64 lower-case hexadecimal digits. `Debug` does not show it, `==` takes constant time.
#[derive(Clone, Copy)]
pub struct Signature([u8; 64]);

impl Signature {
    pub(crate) fn new(mac: &[u8; 32]) -> Self {
        Self(hex(mac))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Compares with a signature as it was presented, in constant time.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_slice().ct_eq(presented.as_bytes()).into()
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.as_str())
    }
}

impl Eq for Signature {}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

/// A credential scope with its derived key (AWS IAM guide, "Derive a signing key").
#[derive(Clone)]
pub(crate) struct Scope {
    /// `20130524/us-east-1/s3/aws4_request`
    pub(crate) text: String,
    pub(crate) key: MacKey,
}

impl Scope {
    pub(crate) fn derive(secret: &Secret, date: &str, region: &str, service: &str) -> Self {
        let day = MacKey::new(&[b"AWS4", secret.expose().as_bytes()]).mac(date.as_bytes());
        let region_key = MacKey::new(&[&day]).mac(region.as_bytes());
        let service_key = MacKey::new(&[&region_key]).mac(service.as_bytes());
        let key = MacKey::new(&[&MacKey::new(&[&service_key]).mac(b"aws4_request")]);
        Self {
            text: [date, region, service, "aws4_request"].join("/"),
            key,
        }
    }

    /// Signs `algorithm`, time, scope and the further lines: every string to sign looks like this.
    pub(crate) fn sign_lines(&self, algorithm: &str, stamp: &Stamp, lines: &[&[u8]]) -> Signature {
        self.finish_lines(self.start_lines(algorithm, stamp), lines)
    }

    /// What all strings to sign of one time begin with.
    pub(crate) fn start_lines(&self, algorithm: &str, stamp: &Stamp) -> Sha256 {
        let mut message = self.key.start();
        message.update(algorithm.as_bytes());
        message.update(b"\n");
        message.update(stamp.as_bytes());
        message.update(b"\n");
        message.update(self.text.as_bytes());
        message
    }

    pub(crate) fn finish_lines(&self, mut message: Sha256, lines: &[&[u8]]) -> Signature {
        for line in lines {
            message.update(b"\n");
            message.update(line);
        }
        Signature::new(&self.key.finish(message))
    }
}
