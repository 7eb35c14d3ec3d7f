//! Requests and answers as they travel: the JSON of the API, for the service and for `loadlock put`.
//!
//! Unknown fields of a request are refused, those of an answer ignored, so that a newer service can serve an older client.
use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    admin::{AuditEntry, AuditPage, Revocation, Revocations, RevokeRequest},
    begin::{
        Begin, BeginManyRequest, BeginRequest, Begun, BegunFile, BegunMany, FileRequest,
        RefusedFile,
    },
    credentials::{Credentials, CredentialsRequest, Sent, SentRequest, SentUpload, SentWaiting},
    file::{DisplayUrl, File, FilePage, Link, Links, LinksRequest, Urls, UrlsRequest},
    grant::{Grant, HeldPart, Part, SignRequest, Signed, UploadUrl, UploadUrlRequest},
    profile::{ChecksumDemand, MetadataRule, OtherMetadata, Profile, Profiles, Promote},
    sign_in::{SignInRequest, SignedIn},
    usage::{Measured, ProfileUsage, QuotaLimits, Usage, Used},
};

mod admin;
mod begin;
mod credentials;
mod file;
mod grant;
mod profile;
mod sign_in;
mod usage;

/// A signed URL, a form field or a token: it travels in an answer and nowhere else, not even into `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sealed)")
    }
}

impl From<String> for Sealed {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// How the bytes travel to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// One `PUT` of the raw bytes.
    Put,
    /// One `POST` of a form, the file last.
    Post,
    /// Several `PUT`s, a part each, in any order and in parallel.
    Multipart,
    /// As the client likes, with temporary credentials: `POST /v1/credentials`.
    Credentials,
}

/// The checksum of the whole file, computed by the client before it sends anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Checksum {
    pub algorithm: ChecksumAlgorithm,
    /// The digest in base64, as S3's headers carry it.
    #[schema(example = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=")]
    pub value: String,
}

/// Which checksum. A `put` takes `sha256`, `crc32c` or `md5`, a `post` `sha256` or `crc32c`, a `multipart` `crc64nvme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumAlgorithm {
    Sha256,
    Crc32c,
    Crc64nvme,
    Md5,
}

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Granted; the bytes are awaited.
    Issued,
    /// All bytes have arrived and are being inspected.
    Received,
    /// Inspected, waiting to be claimed or promoted.
    Ready,
    /// Promoted: a file.
    Stored,
    /// Refused by inspection; `reason` says why.
    Rejected,
    /// Not completed or not claimed in time.
    Expired,
    /// Given up by its owner.
    Aborted,
}

/// An upload as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Upload {
    #[schema(example = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE")]
    pub id: String,
    pub state: State,
    pub profile: String,
    pub owner: String,
    pub filename: String,
    /// As declared; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// In bytes, as declared; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The file, once stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
}

/// Why an upload was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    #[schema(example = "type_mismatch")]
    pub code: String,
    pub message: String,
}

/// Which uploads an application's server takes, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// 1 to 100 ids.
    #[schema(min_items = 1, max_items = 100)]
    pub ids: Vec<String>,
    /// All uploads must belong to this owner.
    #[schema(example = "demo")]
    pub owner: String,
    /// Form data to keep with each file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// The claimed files, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Claimed {
    pub files: Vec<File>,
}

/// Every refusal, in one envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorAnswer {
    pub error: Problem,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// One of the codes of `docs/errors.md`; it does not change.
    #[schema(example = "not_found")]
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What else is known, by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<serde_json::Value>,
}
