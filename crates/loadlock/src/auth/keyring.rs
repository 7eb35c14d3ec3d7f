//! The service's own secrets, and what they sign: upload tokens, local users' tokens and links.

use hmac::{Hmac, KeyInit as _, Mac as _};
use loadlock_sigv4::Secret;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The service's own secrets. The newest signs, all of them verify: with a new one put first, the older may be dropped once
/// nothing that they signed is to hold any more.
#[derive(Debug, Clone)]
pub struct KeyRing {
    newest: Secret,
    older: Vec<Secret>,
}

/// What a signature is for; one for a link is none for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    UploadToken,
    UserToken,
    Link,
}

/// HMAC-SHA-256.
pub type Signature = [u8; 32];

impl KeyRing {
    /// A ring of the secret that signs and those that still verify.
    pub fn new(newest: Secret, older: Vec<Secret>) -> Self {
        Self { newest, older }
    }

    /// Signs with the newest secret.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        sign(&self.newest, purpose, message)
    }

    /// Whether one of the secrets made this signature.
    pub fn verify(&self, purpose: Purpose, message: &[u8], signature: &[u8]) -> bool {
        std::iter::once(&self.newest)
            .chain(&self.older)
            .any(|secret| bool::from(sign(secret, purpose, message).ct_eq(signature)))
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn sign(secret: &Secret, purpose: Purpose, message: &[u8]) -> Signature {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("any length will do");
    mac.update(match purpose {
        Purpose::UploadToken => b"upload token\0",
        Purpose::UserToken => b"user token\0",
        Purpose::Link => b"link\0",
    });
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_purpose_until_its_secret_is_dropped() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let before = KeyRing::new(secret("first"), vec![]);
        let rotated = KeyRing::new(secret("second"), vec![secret("first")]);
        let dropped = KeyRing::new(secret("second"), vec![]);
        let signature = before.sign(Purpose::Link, b"a file");
        let holds = |ring: &KeyRing| ring.verify(Purpose::Link, b"a file", &signature);
        assert_eq!(
            [&before, &rotated, &dropped].map(holds),
            [true, true, false]
        );
        assert!(!before.verify(Purpose::UploadToken, b"a file", &signature));
        assert!(!before.verify(Purpose::Link, b"another", &signature));
        assert!(!before.verify(Purpose::Link, b"a file", &signature[..31]));
        assert_ne!(rotated.sign(Purpose::Link, b"a file"), signature);
    }
}
