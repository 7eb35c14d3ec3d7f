//! Grants: the permission to write to the store.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Sealed;

/// The signed permission to write to the store, told apart by `method`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Grant {
    /// `PUT` the bytes to `url` with exactly these headers.
    Put {
        #[schema(value_type = String, format = "uri")]
        url: Sealed,
        headers: BTreeMap<String, String>,
        /// A transfer must have begun by then.
        #[schema(format = DateTime)]
        expires_at: String,
    },
    /// `POST` a `multipart/form-data` form to `url`: these fields, then the file as `file`.
    Post {
        #[schema(value_type = String, format = "uri")]
        url: Sealed,
        #[schema(value_type = BTreeMap<String, String>)]
        fields: BTreeMap<String, Sealed>,
        /// The form must have arrived by then.
        #[schema(format = DateTime)]
        expires_at: String,
    },
    /// `PUT` each part; the first ones are signed here, further ones by `POST /v1/uploads/{id}/parts`.
    Multipart {
        /// Length in bytes of every part but the last.
        part_size: u64,
        parts: Vec<Part>,
        /// The part URLs' expiry; sign again for fresh ones.
        #[schema(format = DateTime)]
        expires_at: String,
    },
}

/// One part's permission: `PUT` exactly `size` bytes to `url`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// Counted from 1.
    #[schema(minimum = 1, maximum = 10_000)]
    pub number: u32,
    #[schema(value_type = String, format = "uri")]
    pub url: Sealed,
    pub headers: BTreeMap<String, String>,
    /// Exact length in bytes; signed.
    pub size: u64,
}

/// What a client wants to PUT that knows nothing of Loadlock: `path`, or `directory` and `extension`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadUrlRequest {
    /// Kept as `metadata.path`; its last segment is the file's name. No key is made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "avatars/me.jpg")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "avatars")]
    pub directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "jpg")]
    pub extension: Option<String>,
    /// The media type; signed, so that the PUT must carry it.
    #[schema(example = "image/jpeg")]
    pub content_type: String,
    /// Whose upload it is; only an application's server (API key) may say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Where to PUT a file, and where to get it from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadUrl {
    #[schema(example = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE")]
    pub id: String,
    /// `PUT` the bytes here, with the `content-type` that was announced.
    #[schema(value_type = String, format = "uri")]
    pub put_url: Sealed,
    /// The stable address: it completes the upload, waits for it if need be, and shows it.
    #[schema(value_type = String, format = "uri")]
    pub get_url: Sealed,
    /// A transfer must have begun by then.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// Which parts are to be signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// At most 100 part numbers; may be empty, to learn only what the store holds.
    #[schema(max_items = 100, example = json!([33, 34]))]
    pub parts: Vec<u32>,
}

/// Fresh URLs, and what has already arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Signed {
    /// Length in bytes of every part but the last.
    pub part_size: u64,
    /// The parts the store holds, by its own list.
    pub held: Vec<HeldPart>,
    /// The parts asked for, signed.
    pub parts: Vec<Part>,
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// A part that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldPart {
    pub number: u32,
    pub size: u64,
}
