//! One request, and what comes of it.
use std::{fmt, time::Duration};

use loadlock_sigv4::SignError;
use reqwest::{StatusCode, header::HeaderMap};

use crate::cli::{put::transfer::element, report::cause};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Who {
    Uploader,
    Server,
    Reader,
    /// Who holds temporary credentials; nobody, before there are any.
    Session,
    /// Without a signature.
    Stranger,
}

/// Which bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::doctor) enum At {
    Staging,
    Final,
}

pub(in crate::cli::doctor) type Pairs<'a> = &'a [(&'a str, &'a str)];

/// One request.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::doctor) struct Ask<'a> {
    pub(in crate::cli::doctor) who: Who,
    pub(in crate::cli::doctor) method: &'a str,
    pub(in crate::cli::doctor) at: At,
    /// Empty for the bucket itself.
    pub(in crate::cli::doctor) key: &'a str,
    pub(in crate::cli::doctor) query: Pairs<'a>,
    /// Headers that are signed.
    pub(in crate::cli::doctor) signed: Pairs<'a>,
    /// Headers that are not; they take the place of signed ones.
    pub(in crate::cli::doctor) added: Pairs<'a>,
    pub(in crate::cli::doctor) body: &'a [u8],
    /// How long ago it was signed.
    pub(in crate::cli::doctor) age: Duration,
    /// Sent to this key, whatever was signed.
    pub(in crate::cli::doctor) detour: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub(in crate::cli::doctor) const fn new(
        who: Who,
        method: &'a str,
        at: At,
        key: &'a str,
    ) -> Self {
        Self {
            who,
            method,
            at,
            key,
            query: &[],
            signed: &[],
            added: &[],
            body: b"",
            age: Duration::ZERO,
            detour: None,
        }
    }
}

/// What the store answered.
#[derive(Debug)]
pub(in crate::cli::doctor) struct Answer {
    pub(in crate::cli::doctor) status: StatusCode,
    pub(in crate::cli::doctor) headers: HeaderMap,
    pub(in crate::cli::doctor) body: Vec<u8>,
}

impl Answer {
    /// Whether it was done: some answers begin with 200 and end with an error.
    pub(in crate::cli::doctor) fn done(&self) -> bool {
        self.status.is_success() && self.element("Code").is_none()
    }

    pub(in crate::cli::doctor) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The text of an XML answer's first element of that name.
    pub(in crate::cli::doctor) fn element(&self, name: &str) -> Option<&str> {
        let text = str::from_utf8(&self.body).ok()?;
        element(text, name)
    }
}

/// `403 AccessDenied`
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        self.element("Code")
            .map_or(Ok(()), |code| write!(f, " {code}"))
    }
}

/// There was no answer that says anything.
#[derive(Debug)]
pub(in crate::cli::doctor) struct Unreachable(pub(in crate::cli::doctor) String);

impl From<reqwest::Error> for Unreachable {
    /// Without the URL: that may be signed.
    fn from(error: reqwest::Error) -> Self {
        Self(cause(&error.without_url()))
    }
}

impl From<SignError> for Unreachable {
    fn from(error: SignError) -> Self {
        Self(error.to_string())
    }
}
