//! A key pair, its secret kept from prints, logs and the memory left behind.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A secret string: no `Debug` or `Display` shows it, it is compared in constant time, and wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret itself, for writing it where it must go.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An access key id, its secret and, for temporary credentials, their session token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    access_key: String,
    secret: Secret,
    session_token: Option<Secret>,
}

impl Credentials {
    pub fn new(access_key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret: Secret::new(secret),
            session_token: None,
        }
    }

    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(Secret::new(token));
        self
    }

    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    pub fn session_token(&self) -> Option<&Secret> {
        self.session_token.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_secret_nor_token() {
        let credentials = Credentials::new("AKID", "hush").with_session_token("ticket");
        let shown = format!("{credentials:?}");
        assert!(
            shown.contains("AKID") && !shown.contains("hush") && !shown.contains("ticket"),
            "{shown}"
        );
    }

    #[test]
    fn secrets_are_equal_by_content() {
        assert_eq!(Secret::new("a"), Secret::new("a"));
        assert_ne!(Secret::new("a"), Secret::new("ab"));
    }
}
