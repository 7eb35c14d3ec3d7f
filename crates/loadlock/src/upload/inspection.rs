//! What inspection finds, and the verdict over it. Pure: the bytes are handed in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Checksum, ChecksumAlgorithm, MediaType, ObjectKey, Profile, Upload, key::KeyFacts, name,
    profile::in_words,
};

/// How many of an object's first bytes a verdict looks at.
pub const FIRST_BYTES: u64 = 256 << 10;

/// An object as inspection sees it: its headers and its first bytes, read under one `ETag`.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    pub size_bytes: u64,
    pub etag: &'a str,
    /// As stored.
    pub content_type: &'a str,
    /// Names of headers the object carries that no grant gave it.
    pub strays: &'a [String],
    /// The store's own checksum of the kind that was declared, if it has one.
    pub checksum: Option<&'a str>,
    pub first_bytes: &'a [u8],
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

/// Why an upload was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rejection {
    SizeMismatch { declared: u64, found: u64 },
    SizeNotAllowed { found: u64 },
    TypeMismatch { declared: String, found: String },
    TypeNotAllowed { found: String },
    ChecksumMismatch,
    UnexpectedHeaders { names: Vec<String> },
    PartsMismatch,
    Lost,
    Revoked,
}

impl Rejection {
    /// The word a program tells reasons apart by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SizeMismatch { .. } => "size_mismatch",
            Self::SizeNotAllowed { .. } => "size_not_allowed",
            Self::TypeMismatch { .. } => "type_mismatch",
            Self::TypeNotAllowed { .. } => "type_not_allowed",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::UnexpectedHeaders { .. } => "unexpected_headers",
            Self::PartsMismatch => "parts_mismatch",
            Self::Lost => "lost",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SizeMismatch { declared, found } => {
                write!(
                    f,
                    "the file was announced with {declared} bytes and has {found}"
                )
            }
            Self::SizeNotAllowed { found } => {
                let found = in_words(*found);
                write!(f, "the file is {found}, which this profile does not take")
            }
            Self::TypeMismatch { declared, found } => {
                write!(f, "the file was announced as {declared} and is {found}")
            }
            Self::TypeNotAllowed { found } => {
                write!(f, "the file is {found}, which this profile does not take")
            }
            Self::ChecksumMismatch => {
                f.write_str("the file's content does not match its announced checksum")
            }
            Self::UnexpectedHeaders { names } => {
                write!(
                    f,
                    "the file was sent with headers it may not have: {}",
                    names.join(", ")
                )
            }
            Self::PartsMismatch => f.write_str("the file's parts are not those that were agreed"),
            Self::Lost => f.write_str("the store no longer has the file: send it again"),
            Self::Revoked => f.write_str("the permission to upload it was taken back"),
        }
    }
}

/// The verdict: what the object is, or why it is refused.
pub fn verdict(
    upload: &Upload,
    profile: &Profile,
    source: ObjectKey,
    seen: &Seen<'_>,
) -> Result<Inspected, Rejection> {
    check_size(upload, profile, seen.size_bytes)?;
    check_headers(upload, seen)?;
    let confirmed = match &upload.checksum {
        Some(declared) => check_checksum(declared, seen)?,
        None => Confirmed::No,
    };
    let content_type = check_type(upload, profile, seen)?;
    let extension = name::extension_of(&content_type, &upload.filename);
    let key = profile.key.key(KeyFacts {
        profile: &profile.name,
        owner: &upload.owner,
        id: upload.id,
        extension: &extension,
        created_at: upload.created_at(),
    });
    Ok(Inspected {
        source,
        key,
        etag: seen.etag.to_owned(),
        size_bytes: seen.size_bytes,
        dimensions: dimensions(&content_type, seen.first_bytes),
        content_type,
        confirmed,
    })
}

/// Whether an object may be of this size: the declared one, else one that the profile takes.
pub fn check_size(upload: &Upload, profile: &Profile, found: u64) -> Result<(), Rejection> {
    match upload.size_bytes {
        Some(declared) if found != declared => Err(Rejection::SizeMismatch { declared, found }),
        None if !profile.sizes().contains(&found) => Err(Rejection::SizeNotAllowed { found }),
        _ => Ok(()),
    }
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

fn check_type(upload: &Upload, profile: &Profile, seen: &Seen<'_>) -> Result<MediaType, Rejection> {
    let Some(declared) = &upload.content_type else {
        return recognise(profile, seen.first_bytes);
    };
    let found = if seen.first_bytes.is_empty() {
        declared.clone()
    } else {
        detect(declared, seen.first_bytes)?
    };
    // Of two names for one family, the one the profile takes.
    let served = [&found, declared]
        .into_iter()
        .find(|media| profile.takes(media));
    served.cloned().ok_or_else(|| Rejection::TypeNotAllowed {
        found: found.to_string(),
    })
}

/// What the bytes are, of which nothing was said: active content, a known format, text, or just bytes; under the first of
/// its names that the profile takes.
fn recognise(profile: &Profile, bytes: &[u8]) -> Result<MediaType, Rejection> {
    let active = active_type(bytes).filter(|_| !is_iso_media(bytes));
    let is_text = !bytes.contains(&0) && is_utf8_so_far(bytes);
    let plain = if is_text {
        "text/plain"
    } else {
        "application/octet-stream"
    };
    let found = active.or_else(|| magic(bytes)).unwrap_or(plain);
    let others = FAMILIES.iter().filter(|family| family.contains(&found));
    std::iter::once(&found)
        .chain(others.flat_map(|family| family.iter()))
        .filter_map(|name| name.parse().ok())
        .find(|media| profile.takes(media))
        .ok_or_else(|| Rejection::TypeNotAllowed {
            found: found.to_owned(),
        })
}

/// Whether the bytes are UTF-8 as far as they go: the last character may be cut off.
fn is_utf8_so_far(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// What the bytes are, if that can be what was declared.
fn detect(declared: &MediaType, bytes: &[u8]) -> Result<MediaType, Rejection> {
    let mismatch = |found: &str| Rejection::TypeMismatch {
        declared: declared.to_string(),
        found: found.to_owned(),
    };
    // The length of an ISO media box may well be the byte `<`.
    if !is_iso_media(bytes)
        && let Some(active) = active_type(bytes)
    {
        let same = declared.is_active() || declared.as_str() == active;
        return same
            .then(|| declared.clone())
            .ok_or_else(|| mismatch(active));
    }
    match magic(bytes) {
        Some(found) if found == declared.as_str() => Ok(declared.clone()),
        Some(found) if is_family(found, declared.as_str()) => {
            found.parse().map_err(|_| mismatch(found))
        }
        // A container whose inner format only a full read would tell.
        Some("application/zip") if is_zip_based(declared.as_str()) => Ok(declared.clone()),
        Some(found) => Err(mismatch(found)),
        None if has_magic(declared) => Err(mismatch("something else")),
        None if declared.kind() == "text" && bytes.contains(&0) => Err(mismatch("not text")),
        None => Ok(declared.clone()),
    }
}

/// Whether files of this type can be told by their first bytes.
fn has_magic(declared: &MediaType) -> bool {
    let is_generic = declared.as_str() == "application/octet-stream" || declared.is_active();
    !is_generic && infer::is_mime_supported(declared.as_str())
}

fn magic(bytes: &[u8]) -> Option<&'static str> {
    if let Some(kind) = infer::get(bytes) {
        return Some(kind.mime_type());
    }
    // A brand that `infer` does not list.
    is_iso_media(bytes).then_some("video/mp4")
}

/// MP4, AVIF, HEIF and their like (ISO/IEC 14496-12, 4.3): a `ftyp` box comes first, its length in four bytes. It is
/// short, so that the first byte is no letter and no `<`: text cannot look like one.
fn is_iso_media(bytes: &[u8]) -> bool {
    matches!(
        bytes.first_chunk(),
        Some([0, 0, _, _, b'f', b't', b'y', b'p'])
    )
}

/// How active content begins.
const TELLS: &[(&str, &str)] = &[
    ("<?xml", "text/xml"),
    ("<svg", "image/svg+xml"),
    ("<!doctype svg", "image/svg+xml"),
    ("<!doctype", "text/html"),
    ("<!--", "text/html"),
    ("<?", "text/xml"),
];

/// HTML, SVG, XML or a script's first line, behind any byte order mark and white space.
fn active_type(bytes: &[u8]) -> Option<&'static str> {
    let start = skip_blank(bytes);
    let head = start.get(..start.len().min(64)).unwrap_or_default();
    let head: String = head
        .iter()
        .filter(|byte| **byte != 0)
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    if let Some((_, media)) = TELLS.iter().find(|(tell, _)| head.starts_with(tell)) {
        return Some(media);
    }
    // Any tag at the start: browsers take it for HTML.
    let tag = head.strip_prefix('<')?;
    tag.starts_with(|c: char| c.is_ascii_alphabetic())
        .then_some("text/html")
}

fn skip_blank(bytes: &[u8]) -> &[u8] {
    const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    let rest = MARKS
        .iter()
        .find_map(|mark| bytes.strip_prefix(*mark))
        .unwrap_or(bytes);
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let start = rest.iter().take(4096).take_while(|b| blank(b)).count();
    rest.get(start..).unwrap_or_default()
}

/// Names for one and the same, or for formats that share their magic.
const FAMILIES: &[&[&str]] = &[
    &[
        "video/mp4",
        "video/x-m4v",
        "video/quicktime",
        "video/3gpp",
        "audio/mp4",
        "audio/m4a",
        "audio/x-m4a",
    ],
    &["video/webm", "video/x-matroska", "audio/webm"],
    &["image/heif", "image/heic"],
    &["image/x-icon", "image/vnd.microsoft.icon"],
    &["image/bmp", "image/x-ms-bmp"],
    &["audio/wav", "audio/x-wav", "audio/wave"],
    &["audio/ogg", "video/ogg", "application/ogg"],
    &["audio/flac", "audio/x-flac"],
    &["audio/aac", "audio/aacp"],
    &["audio/mpeg", "audio/mp3"],
    &["application/gzip", "application/x-gzip"],
    &["application/zip", "application/x-zip-compressed"],
    &["video/x-msvideo", "video/avi"],
];

fn is_family(found: &str, declared: &str) -> bool {
    FAMILIES
        .iter()
        .any(|family| family.contains(&found) && family.contains(&declared))
}

fn is_zip_based(declared: &str) -> bool {
    declared.starts_with("application/vnd.openxmlformats-")
        || declared.starts_with("application/vnd.oasis.opendocument.")
        || declared == "application/epub+zip"
}

fn dimensions(media: &MediaType, bytes: &[u8]) -> Option<(u32, u32)> {
    if media.kind() != "image" {
        return None;
    }
    let size = imagesize::blob_size(bytes).ok()?;
    Some((
        u32::try_from(size.width).ok()?,
        u32::try_from(size.height).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x07\0\0\0\x05\x08\x06\0\0\0";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
    const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isommp42";
    const QUICKTIME: &[u8] = b"\0\0\0\x14ftypqt  \0\0\0\0qt  ";

    #[test]
    fn content_is_held_against_its_declared_type() {
        fn check(declared: &str, bytes: &[u8], expected: Result<&str, &str>) {
            let declared: MediaType = declared.parse().unwrap();
            let got = detect(&declared, bytes);
            let got = got.as_ref().map(MediaType::as_str);
            assert_eq!(
                got.map_err(|reason| match reason {
                    Rejection::TypeMismatch { found, .. } => found.as_str(),
                    other => other.code(),
                }),
                expected,
                "{declared}"
            );
        }
        check("image/png", PNG, Ok("image/png"));
        check("image/jpeg", JPEG, Ok("image/jpeg"));
        check("image/jpeg", PNG, Err("image/png"));
        check("video/mp4", MP4, Ok("video/mp4"));
        check("video/mp4", QUICKTIME, Ok("video/quicktime"));
        check("image/png", b"hello", Err("something else"));
        check("image/png", b"<html><script>", Err("text/html"));
        check(
            "image/png",
            b"\xef\xbb\xbf \n<SVG onload=x>",
            Err("image/svg+xml"),
        );
        check("text/plain", b"<script>alert(1)</script>", Err("text/html"));
        check(
            "video/mp4",
            b"\0\0\0<ftypisom\0\0\x02\0isomiso2avc1mp41",
            Ok("video/mp4"),
        );
        check(
            "image/avif",
            &[b"\0\0\0<ftypavif\0\0\0\0avifmif1miaf".as_slice(), &[0; 64]].concat(),
            Ok("image/avif"),
        );
        check(
            "video/mp4",
            b"<!--ftypisom--><script>alert(1)</script>",
            Err("text/html"),
        );
        check(
            "video/mp4",
            b"\0\0\0<script>alert(1)</script>",
            Err("text/html"),
        );
        check("text/plain", b"1 < 2, he said", Ok("text/plain"));
        check("text/plain", b"a\0b", Err("not text"));
        check("image/svg+xml", b"<svg/>", Ok("image/svg+xml"));
        check(
            "application/octet-stream",
            b"\x01\x02",
            Ok("application/octet-stream"),
        );
        check(
            "application/octet-stream",
            b"MZ\x90\0",
            Err("application/vnd.microsoft.portable-executable"),
        );
    }

    #[test]
    fn images_tell_their_size() {
        let png: MediaType = "image/png".parse().unwrap();
        assert_eq!(dimensions(&png, PNG), Some((7, 5)));
        assert_eq!(dimensions(&png, b"\x89PNG"), None);
    }
}
