//! What inspection finds, and the verdict over it. Pure: the bytes are handed in.

mod checks;
mod image;
mod kind;
#[cfg(any(test, fuzzing))]
mod pieces;
mod pretence;
mod rejection;
mod window;
mod zip;

use serde::{Deserialize, Serialize};

#[cfg(any(test, fuzzing))]
pub(crate) use self::pieces::hold;
pub use self::{
    checks::{Checks, Mismatch, WhenUnscanned},
    rejection::Rejection,
    window::Window,
};
use super::{
    Checksum, ChecksumAlgorithm, MediaType, Method, ObjectKey, Profile, Upload, key::KeyFacts, name,
};

/// How many of an object's first bytes a verdict looks at.
pub const FIRST_BYTES: u64 = 256 << 10;
/// How many of each piece that these point to …
pub const PIECE_BYTES: u64 = 256 << 10;
/// … and how many pieces there may be.
pub const MOST_PIECES: usize = 8;
/// How many of its last bytes: an archive's end, with the longest comment behind it.
pub const LAST_BYTES: u64 = 68 << 10;

/// An object as inspection sees it: its headers and what was read of it, under one `ETag`.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    pub etag: &'a str,
    /// As stored.
    pub content_type: &'a str,
    /// Names of headers the object carries that no grant gave it.
    pub strays: &'a [String],
    /// The store's own checksum of the kind that was declared, if it has one.
    pub checksum: Option<&'a str>,
    pub content: Window<'a>,
}

impl Seen<'_> {
    /// From where on more of it should be read for a verdict. Without, the verdict is the stricter one.
    pub fn wants(&self) -> Option<u64> {
        image::wants(self.content).or_else(|| zip::wants(self.content))
    }
}

/// The facts of an object that passed, and which object it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspected {
    /// In the staging bucket; no client can write it any more.
    pub source: ObjectKey,
    /// In the final bucket: where it is copied to.
    pub key: ObjectKey,
    pub etag: String,
    pub size_bytes: u64,
    /// What it is served as.
    pub content_type: MediaType,
    /// Width and height in pixels.
    pub dimensions: Option<(u32, u32)>,
    pub confirmed: Confirmed,
}

/// Whether the store itself says that the content has the declared checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    Yes,
    No,
}

/// The verdict: what the object is, or why it is refused.
pub fn verdict(
    upload: &Upload,
    profile: &Profile,
    source: ObjectKey,
    seen: &Seen<'_>,
) -> Result<Inspected, Rejection> {
    let content = seen.content;
    check_size(upload, profile, content.size_bytes)?;
    check_name(upload, profile)?;
    check_headers(upload, seen)?;
    let confirmed = match &upload.checksum {
        Some(declared) => check_checksum(declared, seen)?,
        None => Confirmed::No,
    };
    let content_type = check_type(upload, profile, content)?;
    check_nature(&content_type, content)?;
    let dimensions = image::dimensions(&content_type, &profile.checks, content)?;
    let extension = name::extension_of(&content_type, &upload.filename);
    Ok(Inspected {
        source,
        key: final_key(upload, profile, &extension, confirmed)?,
        etag: seen.etag.to_owned(),
        size_bytes: content.size_bytes,
        dimensions,
        content_type,
        confirmed,
    })
}

/// Where the file will lie, below the authorizer's prefix if it gave one.
fn final_key(
    upload: &Upload,
    profile: &Profile,
    extension: &str,
    confirmed: Confirmed,
) -> Result<ObjectKey, Rejection> {
    let is_sha256 = |checksum: &&Checksum| checksum.algorithm() == ChecksumAlgorithm::Sha256;
    let declared = upload.checksum.as_ref().filter(is_sha256);
    let sha256 = declared
        .filter(|_| confirmed == Confirmed::Yes)
        .map(Checksum::hex);
    if profile.key.has_sha256() && sha256.is_none() {
        return Err(Rejection::ChecksumUnconfirmed);
    }
    let key = profile.key.key(KeyFacts {
        profile: &profile.name,
        owner: &upload.owner,
        id: upload.id,
        extension,
        filename: &upload.filename,
        sha256: &sha256.unwrap_or_default(),
        created_at: upload.created_at(),
    });
    Ok(match &upload.narrowed.key_prefix {
        Some(prefix) => prefix.before(&key),
        None => key,
    })
}

/// Whether an object may be of this size: the declared one, else one that the profile takes.
pub fn check_size(upload: &Upload, profile: &Profile, found: u64) -> Result<(), Rejection> {
    match upload.size_bytes {
        Some(declared) if found != declared => Err(Rejection::SizeMismatch { declared, found }),
        None if !upload.sizes(profile).contains(&found)
            || found > super::profile::MAX_SINGLE_BYTES =>
        {
            Err(Rejection::SizeNotAllowed { found })
        }
        _ => Ok(()),
    }
}

/// What is sent with temporary credentials has its name from the client, and nobody has looked at it before.
fn check_name(upload: &Upload, profile: &Profile) -> Result<(), Rejection> {
    let extension = name::extension(&upload.filename).unwrap_or_default();
    let taken = profile.extensions.is_empty() || profile.extensions.contains(&extension);
    if taken || upload.method != Method::Credentials {
        return Ok(());
    }
    let found = format!("`.{extension}`");
    Err(Rejection::TypeNotAllowed { found })
}

fn check_headers(upload: &Upload, seen: &Seen<'_>) -> Result<(), Rejection> {
    let mut names = seen.strays.to_vec();
    let given = seen.content_type.parse::<MediaType>().ok();
    // Where no type was declared the store writes one of its own, which says nothing.
    if upload.content_type.is_some() && given != upload.content_type {
        names.push("content-type".to_owned());
    }
    if names.is_empty() {
        return Ok(());
    }
    Err(Rejection::UnexpectedHeaders { names })
}

/// Every declared checksum was signed into the grant or given at completion; what the store says of it is compared
/// once more, and a store that says nothing confirms nothing. An MD5 is found in the `ETag` of an object sent in one
/// piece (not under KMS, where it is no MD5).
fn check_checksum(declared: &Checksum, seen: &Seen<'_>) -> Result<Confirmed, Rejection> {
    let tag = seen.etag.trim_matches('"');
    let is_md5 = tag.len() == 32 && tag.bytes().all(|b| b.is_ascii_hexdigit());
    let matches = match (declared.algorithm(), seen.checksum) {
        (ChecksumAlgorithm::Md5, _) if is_md5 => tag.eq_ignore_ascii_case(&declared.hex()),
        (ChecksumAlgorithm::Md5, _) | (_, None) => return Ok(Confirmed::No),
        (_, Some(found)) => found == declared.value(),
    };
    matches
        .then_some(Confirmed::Yes)
        .ok_or(Rejection::ChecksumMismatch)
}

fn check_type(
    upload: &Upload,
    profile: &Profile,
    content: Window<'_>,
) -> Result<MediaType, Rejection> {
    let Some(declared) = &upload.content_type else {
        return kind::recognise(profile, content);
    };
    let found = match kind::agree(declared, content) {
        _ if content.size_bytes == 0 => declared.clone(),
        Err(_) if profile.checks.mismatch == Mismatch::Correct => {
            return kind::recognise(profile, content);
        }
        found => found?,
    };
    // Of two names for one family, the one the profile takes.
    let served = [&found, declared]
        .into_iter()
        .find(|media| profile.takes(media));
    served.cloned().ok_or_else(|| Rejection::TypeNotAllowed {
        found: found.to_string(),
    })
}

fn check_nature(found: &MediaType, content: Window<'_>) -> Result<(), Rejection> {
    match pretence::second_nature(found, content) {
        Some(also) => Err(Rejection::Pretends {
            found: found.to_string(),
            also: also.to_owned(),
        }),
        None => Ok(()),
    }
}
