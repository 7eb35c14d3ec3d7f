//! Files as they travel, and what shows them: display URLs, which pass, and links, which are kept.
use std::{collections::BTreeMap, num::NonZeroU32};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Checksum, Sealed};

/// The lasting record of a promoted upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct File {
    #[schema(example = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE")]
    pub id: String,
    pub profile: String,
    pub owner: String,
    pub filename: String,
    /// What inspection found the bytes to be.
    #[schema(example = "image/jpeg")]
    pub content_type: String,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Pixels, for images whose header tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The form data that came with the upload and its claim.
    pub metadata: BTreeMap<String, String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The stable address, for `<img src>` and for a database; with a link, `?s=…`, where the profile is read by signed links.
    #[schema(
        value_type = String,
        format = "uri",
        example = "http://127.0.0.1:8080/f/01KAN3V9Q5W2M8Z7T4R6Y1XHBE"
    )]
    pub content_url: Sealed,
    /// A display URL, signed and passing; with single look-ups and claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uri")]
    pub url: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub url_expires_at: Option<String>,
}

/// One page of files, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilePage {
    pub files: Vec<File>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The files that are to be displayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UrlsRequest {
    /// At most 100 ids.
    #[schema(max_items = 100)]
    pub ids: Vec<String>,
}

/// Display URLs for the files that exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Urls {
    pub urls: Vec<DisplayUrl>,
    /// The ids that name no file the caller may see.
    pub missing: Vec<String>,
}

/// A signed address of a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DisplayUrl {
    pub id: String,
    #[schema(value_type = String, format = "uri")]
    pub url: Sealed,
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// The files whose addresses are to be given away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinksRequest {
    /// At most 100 ids.
    #[schema(max_items = 100)]
    pub ids: Vec<String>,
    /// For how many seconds they shall open; as long as the profile says, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 4_294_967_295_u64)]
    pub expires_in: Option<NonZeroU32>,
}

/// Links to the files that exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Links {
    pub links: Vec<Link>,
    /// The ids that name no file the caller may see.
    pub missing: Vec<String>,
}

/// A stable address of a file's bytes; with a link, `?s=…`, where the profile is read by signed links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    pub id: String,
    #[schema(value_type = String, format = "uri")]
    pub url: Sealed,
    /// When the link ends; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}
