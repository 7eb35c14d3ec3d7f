//! Begin as it travels: what is to be uploaded, and what became of it.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Checksum, Grant, Method, Problem, Sealed, State};

/// What is to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginRequest {
    /// The profile whose rules apply.
    #[schema(example = "image")]
    pub profile: String,
    /// The file's name as the user knows it; kept for display, never part of a path. Like `content_type` and `size` left
    /// out only with `method: "post"`, for a page that is rendered before a file is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Hafen bei Nacht.jpg")]
    pub filename: Option<String>,
    /// The media type; signed into the grant and compared with what the bytes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "image/jpeg")]
    pub content_type: Option<String>,
    /// Exact length in bytes; signed into the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 2_481_337)]
    pub size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Form data that goes with the file, by the profile's rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Asks for one method; without it the service chooses by size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// With a `post`: the address of the application that a person returns to after the form was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
    /// Whose upload it is; only an application's server (API key) may say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Several files that begin together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginManyRequest {
    /// The profile whose rules apply to each.
    #[schema(example = "image")]
    pub profile: String,
    /// Whose uploads they are; only an application's server (API key) may say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Form data for each of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// As many as the profile's `max_files`, at most 100.
    #[schema(min_items = 1, max_items = 100)]
    pub files: Vec<FileRequest>,
}

/// One file of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRequest {
    /// The caller's own name for it in this request: its answer has the same.
    #[serde(rename = "ref")]
    #[schema(min_length = 1, max_length = 64, example = "a")]
    pub reference: String,
    #[schema(example = "Hafen bei Nacht.jpg")]
    pub filename: String,
    #[schema(example = "image/jpeg")]
    pub content_type: String,
    /// Exact length in bytes.
    #[schema(example = 2_481_337)]
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Form data of this file alone; it goes before what all have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// One file, or several: then there is `files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Begin {
    One(BeginRequest),
    Many(BeginManyRequest),
}

/// An upload that may now be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Begun {
    /// As it was named in a request for several files.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schema(example = "a")]
    pub reference: Option<String>,
    /// The upload's id, which is the file's id later.
    #[schema(example = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE")]
    pub id: String,
    pub state: State,
    /// The service's address, for whoever was given this by an application's server.
    #[schema(format = "uri", example = "https://uploads.example.com")]
    pub api: String,
    /// The upload token: good for this upload alone (sign, complete, abort, look).
    #[schema(value_type = String, example = "llt_2tS8m1yFhZ0bD7vQ9kXw3nR5uJ6cL4eA")]
    pub token: Sealed,
    /// When the upload itself ends if it has not been completed.
    #[schema(format = DateTime, example = "2026-11-22T22:30:00.000Z")]
    pub expires_at: String,
    pub grant: Grant,
}

/// What became of each file, in the order asked.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BegunMany {
    pub uploads: Vec<BegunFile>,
}

/// One file of several: begun, or refused by itself.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum BegunFile {
    Begun(Begun),
    Refused(RefusedFile),
}

/// A file that was not begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RefusedFile {
    /// As it was named in the request.
    #[serde(rename = "ref")]
    #[schema(example = "a")]
    pub reference: String,
    pub error: Problem,
}
