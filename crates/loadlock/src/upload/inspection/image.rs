//! How large an image is, by its header, and whether a profile takes that.

mod boxes;
mod icon;

use std::panic::{self, AssertUnwindSafe};

use super::{Checks, Rejection, Window, kind, window::Reader};
use crate::upload::MediaType;

/// Width and height in pixels.
pub(super) type Dimensions = (u32, u32);

/// How large an image is; an error if the profile has limits and they are broken, or cannot be seen to be kept.
pub(super) fn dimensions(
    media: &MediaType,
    checks: &Checks,
    window: Window<'_>,
) -> Result<Option<Dimensions>, Rejection> {
    // A vector image has no pixels.
    if media.kind() != "image" || media.is_active() || window.size_bytes == 0 {
        return Ok(None);
    }
    let found = measure(&mut window.reader());
    let limited = [checks.max_width, checks.max_height] != [None; 2] || checks.max_pixels.is_some();
    if limited && !found.is_some_and(|found| fits(found, checks)) {
        return Err(Rejection::DimensionsNotAllowed { found });
    }
    Ok(found)
}

fn fits((width, height): Dimensions, checks: &Checks) -> bool {
    let pixels = u64::from(width) * u64::from(height);
    checks.max_width.is_none_or(|most| width <= most)
        && checks.max_height.is_none_or(|most| height <= most)
        && checks.max_pixels.is_none_or(|most| pixels <= most)
}

/// How large it is, where all that says so was read. An image without pixels is none.
fn measure(reader: &mut Reader<'_>) -> Option<Dimensions> {
    let first = reader.window.first;
    let (width, height) = if icon::is_icon(first) {
        icon::size(reader)?
    } else if kind::is_iso_media(first) {
        // Of films there is no need to know.
        kind::is_iso_image(first).then(|| boxes::size(reader))??
    } else {
        by_header(reader)?
    };
    (width > 0 && height > 0).then_some((width, height))
}

/// None as well where the parser stumbles: without this, an image would be tried for ever.
fn by_header(reader: &mut Reader<'_>) -> Option<Dimensions> {
    let found = panic::catch_unwind(AssertUnwindSafe(|| imagesize::reader_size(reader)));
    let found = found.ok()?.ok()?;
    let side = |length: usize| u32::try_from(length).ok();
    side(found.width).zip(side(found.height))
}

/// What must be read for its size, and was not: a JPEG may have megabytes of notes before it says how large it is.
pub(super) fn wants(window: Window<'_>) -> Option<u64> {
    let mut reader = window.reader();
    match measure(&mut reader) {
        Some(_) => None,
        None => reader.missed,
    }
}

/// The larger of both widths, and of both heights.
fn larger(one: Dimensions, other: Dimensions) -> Dimensions {
    (one.0.max(other.0), one.1.max(other.1))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend(b"\x08\x06\0\0\0");
        bytes
    }

    /// A TIFF of 300 by 200 with its directory at the end, as most programs write it.
    fn tiff(size: usize) -> Vec<u8> {
        let mut bytes = b"II*\0".to_vec();
        bytes.extend(u32::try_from(size).unwrap().to_le_bytes());
        bytes.resize(size, 0);
        bytes.extend(2_u16.to_le_bytes());
        for (tag, value) in [(0x100_u16, 300_u32), (0x101, 200)] {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(4_u16.to_le_bytes());
            bytes.extend(1_u32.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend([0; 4]);
        bytes
    }

    fn check(checks: &Checks, media: &str, window: Window<'_>) -> Result<Option<Dimensions>, bool> {
        let found = dimensions(&media.parse().unwrap(), checks, window);
        found.map_err(|reason| reason == Rejection::DimensionsNotAllowed { found: None })
    }

    #[test]
    fn images_tell_their_size() {
        let usual = Checks::default();
        let small = png(7, 5);
        let whole = Window::whole(&small);
        assert_eq!(check(&usual, "image/png", whole), Ok(Some((7, 5))));
        assert_eq!(check(&usual, "video/mp4", whole), Ok(None));
        assert_eq!(check(&usual, "image/svg+xml", whole), Ok(None));
        let tiff = tiff(1 << 20);
        let window = Window {
            size_bytes: tiff.len() as u64,
            first: &tiff[..1024],
            last: &tiff[tiff.len() - 1024..],
            more: &[],
        };
        assert_eq!(check(&usual, "image/tiff", window), Ok(Some((300, 200))));
    }

    #[test]
    fn an_image_that_would_fill_the_memory_is_refused_by_its_header() {
        let usual = Checks::default();
        let refused = |width, height| {
            let bytes = png(width, height);
            check(&usual, "image/png", Window::whole(&bytes))
        };
        assert!(refused(10_000, 10_000).is_ok());
        assert_eq!(refused(10_000, 10_001), Err(false));
        assert_eq!(refused(u32::MAX, u32::MAX), Err(false));
        assert_eq!(refused(0, 5), Err(true));
        let sides = Checks {
            max_width: Some(8),
            max_height: Some(4),
            max_pixels: None,
            ..usual
        };
        let bytes = png(7, 5);
        assert_eq!(
            check(&sides, "image/png", Window::whole(&bytes)),
            Err(false)
        );
    }

    #[test]
    fn an_image_that_does_not_tell_its_size_is_refused_where_there_is_a_limit() {
        let hidden = Window::whole(b"\x89PNG\r\n\x1a\n and nothing");
        let none = Checks {
            max_pixels: None,
            ..Checks::default()
        };
        assert_eq!(check(&Checks::default(), "image/png", hidden), Err(true));
        assert_eq!(check(&none, "image/png", hidden), Ok(None));
    }

    #[test]
    fn a_jpeg_with_long_notes_is_looked_into_further() {
        let mut bytes = b"\xff\xd8".to_vec();
        for _ in 0..10 {
            bytes.extend(b"\xff\xe1\xff\xfe");
            bytes.resize(bytes.len() + 0xfffc, 0);
        }
        bytes.extend(b"\xff\xc0\0\x11\x08\0\x05\0\x07\x03");
        bytes.extend([0; 16]);
        let window = Window {
            first: &bytes[..256 << 10],
            last: &bytes[bytes.len() - 8..],
            ..Window::whole(&bytes)
        };
        let at = wants(window).unwrap();
        let piece = Bytes::copy_from_slice(&bytes[usize::try_from(at).unwrap()..]);
        let more = &[(at, piece)];
        let window = Window { more, ..window };
        assert_eq!(wants(window), None);
        assert_eq!(
            check(&Checks::default(), "image/jpeg", window),
            Ok(Some((7, 5)))
        );
    }
}
