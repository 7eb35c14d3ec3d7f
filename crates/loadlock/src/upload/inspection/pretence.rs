//! Content that is of one type and can be taken for another: what a viewer shows as a picture, and a browser, a server
//! or an archiver runs or opens as something else.
//!
//! Bytes after a picture's end are nothing unusual (cameras add them, a motion photo is a JPEG with an MP4 behind it):
//! only what another program would open is a second nature. What lies between beginning and end of a large file is
//! not looked at.

use super::{
    Window,
    zip::{self, ZIP},
};
use crate::upload::MediaType;

const SCRIPT: &str = "text/javascript";
const PDF: &str = "application/pdf";
/// What stands behind an attachment, as behind whatever a PDF holds (PDF 1.7 reference, 3.2.7).
const ATTACHED: &[u8] = b"endstream";

/// What content found to be of this type can be taken for as well.
pub(super) fn second_nature(found: &MediaType, window: Window<'_>) -> Option<&'static str> {
    let is_media = matches!(found.kind(), "image" | "video" | "audio" | "font");
    // Archives, documents and mails contain other files rightly; they are never shown in place.
    if is_media && !found.is_active() {
        return marked(window.first)
            .or_else(|| marked(window.last))
            .or_else(|| script(window))
            .or_else(|| pdf(window.first))
            .or_else(|| zip::ending(window).map(|_| ZIP));
    }
    match found.as_str() {
        // A PDF may hold an archive as an attachment, and says where that ends; one that ends with it is opened as that.
        PDF => marked(start(window.first)).or_else(|| {
            let end = zip::ending(window)?;
            let mut behind = end.behind.windows(ATTACHED.len());
            (!behind.any(|nine| nine == ATTACHED)).then_some(ZIP)
        }),
        _ => None,
    }
}

/// How much of a file is looked through for a PDF's first line (PDF 1.7 reference, appendix H, note 13).
const START: usize = 1024;

fn start(bytes: &[u8]) -> &[u8] {
    bytes.get(..START).unwrap_or(bytes)
}

fn pdf(bytes: &[u8]) -> Option<&'static str> {
    let there = start(bytes).windows(5).any(|five| five == b"%PDF-");
    there.then_some(PDF)
}

/// What runs or opens wherever in a file it stands.
const MARKS: &[(&[u8], &str)] = &[
    (b"<script", "text/html"),
    (b"<html", "text/html"),
    (b"<iframe", "text/html"),
    (b"<!doctype html", "text/html"),
    (b"<?php", "application/x-httpd-php"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
];

fn marked(bytes: &[u8]) -> Option<&'static str> {
    let starts = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| matches!(byte, b'<' | b'R' | b'7'));
    let found = starts.filter_map(|(at, _)| mark(bytes.get(at..)?));
    found.into_iter().next()
}

fn mark(bytes: &[u8]) -> Option<&'static str> {
    let (mark, media) = MARKS.iter().find(|(mark, _)| {
        let there = bytes.get(..mark.len());
        there.is_some_and(|there| there.eq_ignore_ascii_case(mark))
    })?;
    // `<html` alone may be chance among the bytes of a picture; a tag it is only with an end to its name.
    let next = bytes.get(mark.len());
    let ends = next.is_none_or(|next| next.is_ascii_whitespace() || b">/".contains(next));
    (ends || !mark.starts_with(b"<")).then_some(media)
}

/// Headers that read as the beginning of a script: the format's name is a variable, and lengths that follow it open a
/// comment or say `=`. Run as `<script src>` from the same site, against a policy that allows only that.
fn script(window: Window<'_>) -> Option<&'static str> {
    let bytes = window.first;
    let comment = |at: usize| matches!(bytes.get(at..at + 2), Some(b"/*" | b"//"));
    let length = |at: usize| {
        let four = bytes.get(at..)?.first_chunk()?;
        Some(u64::from(u32::from_le_bytes(*four)))
    };
    let lies =
        |at: usize, before: u64| length(at).is_some_and(|said| said + before != window.size_bytes);
    let found = match bytes {
        // The picture's width: 61 and at least 8 times 256, or 10799 and such.
        [b'G', b'I', b'F', b'8', _, b'a', b'=', next, ..] => (b' '..=b'~').contains(next),
        [b'G', b'I', b'F', b'8', ..] => comment(6),
        // No JFIF header, with whatever thumbnail, is 12074 or 12079 bytes long.
        [0xff, 0xd8, 0xff, 0xe0, ..] => comment(4),
        [b'B', b'M', ..] => comment(2) && lies(2, 0),
        [b'R', b'I', b'F', b'F', ..] => comment(4) && lies(4, 8),
        _ => false,
    };
    found.then_some(SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::inspection::zip::tests::archive;

    const GIF: &[u8] = b"GIF89a\x07\0\x05\0\0\0\0";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xd9";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x07\0\0\0\x05\x08\x06\0\0\0";
    const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isommp42";
    const A_PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n";

    fn check(found: &str, pieces: &[&[u8]], expected: Option<&str>) {
        let bytes = pieces.concat();
        let media = found.parse().unwrap();
        let got = second_nature(&media, Window::whole(&bytes));
        assert_eq!(got, expected, "{found} {}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_picture_with_an_archive_behind_it_is_both() {
        let jar = archive(&[
            ("META-INF/MANIFEST.MF", b""),
            ("A.class", b"\xca\xfe\xba\xbe"),
        ]);
        check("image/gif", &[GIF, &jar], Some(ZIP));
        check("image/jpeg", &[JPEG, &jar], Some(ZIP));
        check("image/png", &[PNG, &jar, b"and more"], Some(ZIP));
        check("video/mp4", &[MP4, &jar], Some(ZIP));
        check(
            "image/jpeg",
            &[JPEG, b"Rar!\x1a\x07\0"],
            Some("application/vnd.rar"),
        );
        check("application/pdf", &[A_PDF, &jar], Some(ZIP));
        check("application/pdf", &[A_PDF, &jar, b"\n%%EOF"], Some(ZIP));
    }

    #[test]
    fn a_picture_with_markup_in_it_is_both() {
        let html = Some("text/html");
        check(
            "image/gif",
            &[GIF, b"!\xfe\x20<script>alert(1)</script>\0;"],
            html,
        );
        check("image/gif", &[b"GIF89a<html><body onload=x>"], html);
        check("image/jpeg", &[JPEG, b"<!DOCTYPE HTML><p>"], html);
        check("image/jpeg", &[JPEG, b"<ScRiPt src=x>"], html);
        check("image/png", &[PNG, b"tEXt<iframe src=x>"], html);
        let php = Some("application/x-httpd-php");
        check("image/jpeg", &[JPEG, b"<?php system($_GET['c']);"], php);
        check(
            "application/pdf",
            &[A_PDF, b"<script>alert(1)</script>"],
            html,
        );
    }

    #[test]
    fn a_picture_that_opens_as_a_pdf_is_both() {
        check("image/gif", &[GIF, A_PDF], Some(PDF));
        check("image/jpeg", &[JPEG, &[0; 900], A_PDF], Some(PDF));
        check("image/jpeg", &[JPEG, &[0; 1100], A_PDF], None);
    }

    #[test]
    fn a_picture_whose_header_is_a_script_is_both() {
        let script = Some(SCRIPT);
        check("image/gif", &[b"GIF89a/*\0\0\0\0*/=1;alert(1)"], script);
        check("image/gif", &[b"GIF89a='\0\0\0\0';alert(1)"], script);
        check(
            "image/jpeg",
            &[b"\xff\xd8\xff\xe0/*JFIF\0*/=1;alert(1)"],
            script,
        );
        check("image/bmp", &[b"BM/*\0\0\0\0*/=1;alert(1)"], script);
        check("image/webp", &[b"RIFF/*\0\0WEBPVP8 */=1;alert(1)"], script);
    }

    #[test]
    fn what_cameras_and_programs_add_is_no_pretence() {
        let xmp =
            b"http://ns.adobe.com/xap/1.0/\0<?xpacket begin=''?><x:xmpmeta><rdf:RDF/></x:xmpmeta>";
        check("image/jpeg", &[JPEG, xmp], None);
        check("image/jpeg", &[JPEG, &[0; 100], MP4], None);
        check("image/jpeg", &[JPEG, JPEG, b"\0\0SEFT"], None);
        check("image/gif", &[b"GIF89a\x3d\x01\x05\0\0\0\0"], None);
        check(
            "image/png",
            &[PNG, b"PK\x05\x06 by chance, <htmL\x80"],
            None,
        );
        let attached = archive(&[("xl/workbook.xml", b"")]);
        check(
            "application/pdf",
            &[A_PDF, &attached, b"endstream\n%%EOF"],
            None,
        );
        check(
            "application/zip",
            &[&archive(&[("a.html", b"<script>")])],
            None,
        );
    }

    #[test]
    fn the_end_of_a_large_file_is_looked_at_too() {
        let jar = archive(&[("A.class", b"")]);
        let window = Window {
            size_bytes: 1 << 30,
            first: JPEG,
            last: &jar,
            more: &[],
        };
        let jpeg = "image/jpeg".parse().unwrap();
        assert_eq!(second_nature(&jpeg, window), Some(ZIP));
    }
}
