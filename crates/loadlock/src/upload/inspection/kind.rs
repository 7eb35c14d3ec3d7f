//! What content is, by its bytes: active content as browsers tell it, containers by what they hold, the rest by the
//! crate `infer`, which needs only beginnings. (`file-format` tells containers apart as well, but wants all of a file.)

use super::{Rejection, Window, zip};
use crate::upload::{MediaType, Profile};

/// What the bytes are, of which nothing was said, or something that does not count: active content, a known format, text,
/// or just bytes; under the first of its names that the profile takes.
pub(super) fn recognise(profile: &Profile, window: Window<'_>) -> Result<MediaType, Rejection> {
    let active = active_type(window.first).filter(|_| !is_iso_media(window.first));
    let is_text = !window.first.contains(&0) && is_utf8_so_far(window.first);
    let plain = if is_text {
        "text/plain"
    } else {
        "application/octet-stream"
    };
    let found = active.or_else(|| magic(window)).unwrap_or(plain);
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
pub(super) fn agree(declared: &MediaType, window: Window<'_>) -> Result<MediaType, Rejection> {
    let bytes = window.first;
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
    match magic(window) {
        Some(found) if found == declared.as_str() => Ok(declared.clone()),
        Some(found) if is_family(found, declared.as_str()) => {
            found.parse().map_err(|_| mismatch(found))
        }
        Some(found) if zip::may_be(found, declared.as_str()) => Ok(declared.clone()),
        Some(found) => Err(mismatch(found)),
        None if has_magic(declared) => Err(mismatch("something else")),
        None if declared.kind() == "text" && bytes.contains(&0) => Err(mismatch("not text")),
        None => Ok(declared.clone()),
    }
}

/// Whether files of this type can be told by their bytes.
fn has_magic(declared: &MediaType) -> bool {
    let is_generic = declared.as_str() == "application/octet-stream" || declared.is_active();
    let name = declared.as_str();
    let is_listed = || FAMILIES.iter().any(|family| family.contains(&name));
    !is_generic && (infer::is_mime_supported(name) || zip::has_kind(name) || is_listed())
}

fn magic(window: Window<'_>) -> Option<&'static str> {
    let bytes = window.first;
    if is_iso_media(bytes) {
        return Some(iso_media(bytes));
    }
    if let Some(header) = bytes.strip_prefix(EBML) {
        return doc_type(header);
    }
    if zip::is_zip(window) {
        return Some(zip::kind(window));
    }
    let found = infer::get(bytes)?.mime_type();
    let sound = match found {
        "image/bmp" => is_bitmap(window),
        "image/webp" => is_riff_whole(window),
        // Readers take it up to 1,024 bytes later, behind whatever that is.
        "application/pdf" => bytes.starts_with(b"%PDF-") || bytes.starts_with(b"\xef\xbb\xbf%PDF-"),
        _ => true,
    };
    sound.then_some(found)
}

/// `BM` alone begins many a text: a bitmap has four zeros and the length of one of the known headers.
fn is_bitmap(window: Window<'_>) -> bool {
    const HEADERS: [u8; 8] = [12, 16, 40, 52, 56, 64, 108, 124];
    let bytes = window.first;
    bytes.get(6..10) == Some(&[0; 4])
        && bytes.get(14).is_some_and(|length| HEADERS.contains(length))
        && bytes.get(15..18) == Some(&[0; 3])
}

/// Whether all that a RIFF file says it has is there.
fn is_riff_whole(window: Window<'_>) -> bool {
    let said = window.first.get(4..8).and_then(|four| four.first_chunk());
    said.is_some_and(|four| u64::from(u32::from_le_bytes(*four)) + 8 <= window.size_bytes)
}

/// MP4, AVIF, HEIF and their like (ISO/IEC 14496-12, 4.3): a `ftyp` box comes first, its length in four bytes. It is
/// short, so that the first byte is no letter and no `<`: text cannot look like one.
pub(super) fn is_iso_media(bytes: &[u8]) -> bool {
    matches!(
        bytes.first_chunk(),
        Some([0, 0, _, _, b'f', b't', b'y', b'p'])
    )
}

/// Whether that is an image, whose boxes say how large it is.
pub(super) fn is_iso_image(bytes: &[u8]) -> bool {
    is_iso_media(bytes) && iso_media(bytes).starts_with("image/")
}

/// Brands that are not a film's. Those of films are many, and new ones come.
const BRANDS: &[(&[u8], &str)] = &[
    (b"avif", "image/avif"),
    (b"avis", "image/avif"),
    (b"heic", "image/heic"),
    (b"heix", "image/heic"),
    (b"heim", "image/heic"),
    (b"heis", "image/heic"),
    (b"hevc", "image/heic"),
    (b"hevx", "image/heic"),
    (b"crx ", "image/x-canon-cr3"),
    (b"qt  ", "video/quicktime"),
    (b"M4V", "video/x-m4v"),
    (b"M4A ", "audio/mp4"),
    (b"M4B ", "audio/mp4"),
    (b"3g", "video/3gpp"),
];
/// An image of whatever coding: a brand beside it says which.
const IMAGES: [&[u8]; 2] = [b"mif1", b"msf1"];

/// By the major brand and, where that says only that it is an image, by the others.
fn iso_media(bytes: &[u8]) -> &'static str {
    let length = bytes.get(2..4).and_then(|two| two.first_chunk());
    let length = length.map_or(0, |two| usize::from(u16::from_be_bytes(*two)));
    let known = |brand: &[u8]| BRANDS.iter().find(|(start, _)| brand.starts_with(start));
    let major = bytes.get(8..12).unwrap_or_default();
    if let Some((_, media)) = known(major) {
        return media;
    }
    if !IMAGES.contains(&major) {
        return "video/mp4";
    }
    let others = bytes.get(16..length.min(bytes.len())).unwrap_or_default();
    let found = others.chunks_exact(4).find_map(known);
    found.map_or("image/heif", |(_, media)| media)
}

const EBML: &[u8] = b"\x1a\x45\xdf\xa3";

/// Which kind of EBML it is (RFC 8794, 11.2.4; RFC 9559): the first document type in its header, which is short.
fn doc_type(header: &[u8]) -> Option<&'static str> {
    let (length, mut rest) = variable_length(header)?;
    rest = rest.get(..length.min(rest.len()))?;
    while let Some((id, after)) = rest.split_first_chunk::<2>() {
        let (length, content) = variable_length(after)?;
        let value = content.get(..length)?;
        if *id == [0x42, 0x82] {
            return match value.trim_ascii_end().strip_suffix(b"\0").unwrap_or(value) {
                b"webm" => Some("video/webm"),
                b"matroska" => Some("video/x-matroska"),
                _ => None,
            };
        }
        rest = content.get(length..)?;
    }
    None
}

/// A length as EBML writes it (RFC 8794, 4), and what follows. Headers need no more than eight bytes for one.
fn variable_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let first = *bytes.first()?;
    let more = first.leading_zeros() as usize;
    let digits = bytes.get(1..=more).filter(|_| more < 8)?;
    let start = usize::from(first) & (0x7f >> more);
    let length = digits
        .iter()
        .fold(start, |sum, byte| sum << 8 | usize::from(*byte));
    Some((length, bytes.get(1 + more..)?))
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
    &["video/webm", "audio/webm"],
    &["video/x-matroska", "audio/x-matroska"],
    &[
        "image/heif",
        "image/heic",
        "image/heif-sequence",
        "image/heic-sequence",
    ],
    &["image/x-icon", "image/vnd.microsoft.icon"],
    &["image/bmp", "image/x-ms-bmp"],
    &["audio/wav", "audio/x-wav", "audio/wave"],
    &["audio/ogg", "audio/opus", "video/ogg", "application/ogg"],
    &["audio/flac", "audio/x-flac"],
    &["audio/aac", "audio/aacp"],
    &["audio/mpeg", "audio/mp3"],
    &["application/gzip", "application/x-gzip"],
    &["application/vnd.rar", "application/x-rar-compressed"],
    &["font/woff", "font/woff2", "application/font-woff"],
    &["font/ttf", "font/otf", "font/sfnt", "application/font-sfnt"],
    &["video/x-msvideo", "video/avi"],
];

fn is_family(found: &str, declared: &str) -> bool {
    FAMILIES
        .iter()
        .any(|family| family.contains(&found) && family.contains(&declared))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::upload::inspection::zip::{ZIP, tests::archive};

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x07\0\0\0\x05\x08\x06\0\0\0";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
    const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isommp42";
    const QUICKTIME: &[u8] = b"\0\0\0\x14ftypqt  \0\0\0\0qt  ";

    fn check(declared: &str, bytes: &[u8], expected: Result<&str, &str>) {
        let declared: MediaType = declared.parse().unwrap();
        let got = agree(&declared, Window::whole(bytes));
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

    #[test]
    fn content_is_held_against_its_declared_type() {
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
    }

    #[test]
    fn what_has_no_magic_is_held_to_what_can_be_seen() {
        check("text/plain", b"1 < 2, he said", Ok("text/plain"));
        check("text/plain", b"a\0b", Err("not text"));
        check("image/bmp", b"BM<html><script>", Err("something else"));
        check(
            "image/webp",
            b"RIFF\xff\xff\xff\x00WEBPVP8 ",
            Err("something else"),
        );
        check("application/pdf", b"x\n%PDF-1.7", Err("something else"));
        check("image/gif", b"\x1f\x8b\x08\0", Err("application/gzip"));
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

    /// The beginnings of what ffmpeg 5.1 and libheif 1.15 write.
    #[test]
    fn films_and_pictures_are_told_by_their_brands() {
        fn check(bytes: &[u8], expected: Option<&str>) {
            assert_eq!(magic(Window::whole(bytes)), expected);
        }
        let ebml = |doc_type: &str| {
            let length = u8::try_from(doc_type.len()).unwrap();
            let start = b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82";
            [
                start,
                &[0x80 | length][..],
                doc_type.as_bytes(),
                b"\x42\x87\x81\x04",
            ]
            .concat()
        };
        check(&ebml("webm"), Some("video/webm"));
        check(&ebml("matroska"), Some("video/x-matroska"));
        check(&ebml("html"), None);
        check(b"\x1a\x45\xdf\xa3\xff", None);
        check(
            b"\0\0\0\x1cftypiso5\0\0\x02\0iso5iso6mp41",
            Some("video/mp4"),
        );
        check(b"\0\0\0\x14ftypqt  \0\0\x02\0qt  ", Some("video/quicktime"));
        check(
            b"\0\0\0\x1cftypM4A \0\0\x02\0M4A isomiso2",
            Some("audio/mp4"),
        );
        check(
            b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf",
            Some("image/avif"),
        );
        check(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Some("image/heic"));
        check(b"\0\0\0\x14ftypmif1\0\0\0\0mif1", Some("image/heif"));
        check(b"\0\0\0\x18stypmsdh\0\0\0\0msdhmsix", None);
    }

    #[test]
    fn an_archive_that_pretends_is_told_by_what_it_holds() {
        fn check(declared: &str, entries: &[&str], expected: Result<&str, &str>) {
            let entries: Vec<(&str, &[u8])> =
                entries.iter().map(|name| (*name, b"".as_slice())).collect();
            let bytes = archive(&entries);
            let got = agree(&declared.parse().unwrap(), Window::whole(&bytes));
            let got = got
                .as_ref()
                .map(MediaType::as_str)
                .map_err(|reason| match reason {
                    Rejection::TypeMismatch { found, .. } => found.as_str(),
                    other => other.code(),
                });
            assert_eq!(got, expected, "{declared} {entries:?}");
        }
        let word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        let template = "application/vnd.openxmlformats-officedocument.wordprocessingml.template";
        let jar = "application/java-archive";
        let docx = ["[Content_Types].xml", "word/document.xml"];
        check(word, &docx, Ok(word));
        check(template, &docx, Ok(template));
        check("application/zip", &docx, Err(word));
        check("application/octet-stream", &docx, Err(word));
        check(word, &["a.txt"], Err(ZIP));
        check(word, &["META-INF/MANIFEST.MF"], Err(jar));
        let armed = "application/vnd.ms-word.document.macroenabled.12";
        check(word, &[docx[0], docx[1], "word/vbaProject.bin"], Err(armed));
        check("application/epub+zip", &["a.txt"], Err(ZIP));
        check(
            "application/vnd.google-earth.kmz",
            &["doc.kml"],
            Ok("application/vnd.google-earth.kmz"),
        );
        check(
            "application/zip",
            &["AndroidManifest.xml"],
            Err("application/vnd.android.package-archive"),
        );
        check("image/png", &["a.txt"], Err(ZIP));
    }

    const STARTS: &[&[u8]] = &[
        PNG,
        JPEG,
        MP4,
        b"\xff\xd8\xff\xe1",
        b"II*\0",
        b"MM\0+",
        b"GIF89a",
        b"BM",
        b"RIFF\x20\0\0\0WEBPVP8",
        b"\0\0\0\x18ftypavif",
        b"\0\0\x01\0",
        b"\x1a\x45\xdf\xa3",
        b"PK\x03\x04\x14\0\0\0\0\0",
        b"PK\x05\x06\0\0\0\0\x01\0\x01\0",
        b"8BPS",
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"<svg",
    ];

    proptest! {
        #[test]
        fn whatever_is_sent_there_is_an_answer(
            start in prop::sample::select(STARTS),
            rest in prop::collection::vec(any::<u8>(), 0..400),
            cut in 0_usize..400,
        ) {
            let bytes = [start, &rest].concat();
            let cut = cut.min(bytes.len());
            let window = Window {
                size_bytes: 1 << 20,
                first: &bytes[..cut],
                last: &bytes[cut..],
                more: &[],
            };
            for window in [window, Window::whole(&bytes)] {
                let media = magic(window).unwrap_or("image/png").parse().unwrap();
                let _ = agree(&media, window);
                let _ = crate::upload::inspection::pretence::second_nature(&media, window);
                let checks = crate::upload::Checks::default();
                let _ = crate::upload::inspection::image::dimensions(&media, &checks, window);
                let _ = crate::upload::inspection::image::wants(window);
                let _ = zip::wants(window);
            }
        }
    }
}
