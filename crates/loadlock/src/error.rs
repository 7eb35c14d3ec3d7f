//! What can go wrong, as the caller is told: one table from kind to code, status and sentence.

use std::{error, fmt, time::Duration};

use serde_json::Value;

/// An error as it leaves the service. `detail` is written by us and may be shown; `source` stays on the server.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    detail: Option<String>,
    details: Option<Value>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

macro_rules! kinds {
    ($($kind:ident $code:literal $status:literal $retry:ident $sentence:literal)*) => {
        /// What went wrong. The table in the source is the only place that says how each is answered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind { $(#[doc = $sentence] $kind,)* }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            fn row(self) -> Row {
                match self {
                    $(Self::$kind => Row { code: $code, status: $status, retry: Retry::$retry, sentence: $sentence },)*
                }
            }
        }
    };
}

kinds! {
    InvalidRequest      "invalid_request"      400 Never "the request is not understood"
    Unauthenticated     "unauthenticated"      401 Never "sign in: the token is missing, unknown or no longer valid"
    SignInFailed        "sign_in_failed"       401 Never "name or password is wrong"
    Forbidden           "forbidden"            403 Never "this token may not do that"
    Revoked             "revoked"              403 Never "this permission has been taken back"
    Refused             "refused"              403 Never "the application does not take this upload"
    QuotaExceeded       "quota_exceeded"       403 Never "a quota leaves no room for this upload"
    NotFound            "not_found"            404 Never "there is no such thing, or it is not yours"
    MethodNotAllowed    "method_not_allowed"   405 Never "this address does not answer to that method"
    NotReceived         "not_received"         409 Later "the file has not arrived in full yet"
    NotReady            "not_ready"            409 Later "not every upload is ready to be claimed"
    AlreadyClaimed      "already_claimed"      409 Never "an earlier claim has taken this upload"
    AlreadyStored       "already_stored"       409 Never "the upload is already stored"
    AlreadyReceived     "already_received"     409 Never "the file has arrived already: look how its upload stands"
    UploadEnded         "upload_ended"         409 Never "the upload has ended: begin a new one"
    FileTooLarge        "file_too_large"       413 Never "the file is larger than this profile takes"
    BodyTooLarge        "body_too_large"       413 Never "the request is too large: files go to the store, not through the API"
    FileTooSmall        "file_too_small"       422 Never "the file is smaller than this profile takes"
    TypeNotAllowed      "type_not_allowed"     422 Never "this profile does not take files of this type"
    MethodNotOffered    "method_not_offered"   422 Never "this profile does not offer that upload method"
    MetadataRefused     "metadata_refused"     422 Never "the metadata does not follow the profile's rules"
    ChecksumRequired    "checksum_required"    422 Never "this profile takes no file whose checksum is not said beforehand"
    TooManyFiles        "too_many_files"       422 Never "these are more files than the profile takes at once"
    IdempotencyMismatch "idempotency_mismatch" 422 Never "this idempotency key came with another request before"
    RateLimited         "rate_limited"         429 Later "these are too many requests: wait a little"
    Rejected            "rejected"             422 Never "the file was inspected and refused"
    Internal            "internal"             500 Later "something went wrong on our side"
    Unavailable         "unavailable"          503 Later "the service or its store cannot be reached right now"
}

#[derive(Clone, Copy)]
struct Row {
    code: &'static str,
    status: u16,
    retry: Retry,
    sentence: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    Later,
}

impl Kind {
    /// The word a program tells errors apart by.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// The kind of this code; one that is unknown is ours to answer for.
    pub fn of(code: &str) -> Self {
        let found = Self::ALL.iter().find(|kind| kind.code() == code);
        found.copied().unwrap_or(Self::Internal)
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.row().status
    }

    /// Whether the same request may succeed later.
    pub fn retryable(self) -> bool {
        self.row().retry == Retry::Later
    }

    /// The sentence shown where nothing more exact is known.
    pub fn sentence(self) -> &'static str {
        self.row().sentence
    }

    /// An error of this kind that says what exactly: lower case, no full stop, naming the thing.
    pub fn because(self, detail: impl Into<String>) -> Error {
        Error {
            detail: Some(detail.into()),
            ..self.into()
        }
    }

    /// An error of this kind with its cause, which is logged and never shown.
    pub fn caused_by(self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Error {
        Error {
            source: Some(source.into()),
            ..self.into()
        }
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            detail: None,
            details: None,
            retry_after: None,
            source: None,
        }
    }
}

impl Error {
    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence for the caller.
    pub fn message(&self) -> &str {
        self.detail
            .as_deref()
            .unwrap_or_else(|| self.kind.sentence())
    }

    /// What a program may want to know beyond the code.
    pub fn details(&self) -> Option<&Value> {
        self.details.as_ref()
    }

    /// How long to wait before the same request may succeed, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The causes, outermost first, for the log and for nobody else.
    pub fn sources(&self) -> String {
        let mut next = error::Error::source(self);
        let mut causes = Vec::new();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes.join(": ")
    }

    /// Says what exactly, beside the cause.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// Says how long to wait.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// Adds what a program may want to know beyond the code.
    #[must_use]
    pub fn with_details(self, details: Value) -> Self {
        Self {
            details: Some(details),
            ..self
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn error::Error + 'static))
    }
}
