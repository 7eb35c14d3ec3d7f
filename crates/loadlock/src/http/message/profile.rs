//! Profiles, as far as a client may know them.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Method;

/// What a client may know before a file is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    #[schema(example = "image")]
    pub name: String,
    /// Media types, or whole families as `image/*`.
    #[schema(example = json!(["image/jpeg", "image/png"]))]
    pub types: Vec<String>,
    /// File name endings that a picker may offer, with their dots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Vec<String>>,
    pub max_size: u64,
    pub min_size: u64,
    pub methods: Vec<Method>,
    pub promote: Promote,
    /// The form data the profile takes, by name.
    pub metadata: BTreeMap<String, MetadataRule>,
    /// Whether it takes any other.
    #[serde(default)]
    pub other_metadata: OtherMetadata,
    /// Which checksum of the content must be given at begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<ChecksumDemand>,
    /// Whether an upload may begin without a sign-in.
    #[serde(default)]
    pub anonymous: bool,
    /// How many files one form may bring.
    pub max_files: u32,
}

/// What becomes of form data that is not listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtherMetadata {
    #[default]
    Take,
    /// 422 `metadata_refused`.
    Refuse,
}

/// Which checksum of the content is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChecksumDemand {
    /// Whichever the method takes.
    Any,
    Sha256,
}

/// When a profile's uploads are promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Promote {
    /// As soon as they have been inspected.
    OnComplete,
    /// When an application's server claims them.
    OnClaim,
}

/// What one field of form data must obey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetadataRule {
    pub required: bool,
    /// In bytes of UTF-8.
    pub max_length: usize,
    /// It is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// A regular expression that the whole value matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "[0-9]{5}")]
    pub pattern: Option<String>,
}

/// All profiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Profiles {
    pub profiles: Vec<Profile>,
}
