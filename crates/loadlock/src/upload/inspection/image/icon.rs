//! Icons: a list of pictures, each a PNG or a bitmap that says for itself how large it is. What the list says of them is a
//! byte a side, and readers do not hold them to it.

use super::{Dimensions, larger};
use crate::upload::inspection::window::Reader;

pub(super) fn is_icon(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0, 0, 1, 0])
}

/// The largest width and height among its pictures, if every one of them tells its own.
pub(super) fn size(reader: &mut Reader<'_>) -> Option<Dimensions> {
    let count = u16::from_le_bytes(reader.array(4)?);
    let mut largest = (0, 0);
    for entry in 0..u64::from(count) {
        let entry: [u8; 16] = reader.array(6 + entry * 16)?;
        let [width, height, .., a, b, c, d] = entry;
        let (wide, high) = picture(reader, u32::from_le_bytes([a, b, c, d]).into())?;
        // A side of 256 does not fit into its byte.
        let [width, height] = [width, height].map(|side| u32::from(side.wrapping_sub(1)) + 1);
        largest = larger(largest, larger((width, height), (wide, high)));
    }
    Some(largest)
}

fn picture(reader: &mut Reader<'_>, at: u64) -> Option<Dimensions> {
    if reader.array(at)? == *b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" {
        let sides = [reader.array(at + 16)?, reader.array(at + 20)?];
        return Some(sides.map(u32::from_be_bytes).into());
    }
    let words = [
        reader.array(at)?,
        reader.array(at + 4)?,
        reader.array(at + 8)?,
    ];
    let [length, wide, high] = words.map(u32::from_le_bytes);
    // A bitmap's height counts its mask as well.
    match length {
        16 | 40 | 52 | 56 | 64 | 108 | 124 => {
            let [wide, high] = [wide, high].map(|side| side.cast_signed().unsigned_abs());
            Some((wide, high.div_ceil(2)))
        }
        12 => Some((wide & 0xffff, (wide >> 16).div_ceil(2))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::inspection::Window;

    /// An icon of these pictures, each behind a gap of so many bytes; the list says 16 by 16 of all.
    fn icon(gap: usize, pictures: &[&[u8]]) -> Vec<u8> {
        let count = u16::try_from(pictures.len()).unwrap();
        let mut bytes = [&[0, 0, 1, 0], count.to_le_bytes().as_slice()].concat();
        let mut at = bytes.len() + 16 * pictures.len();
        for picture in pictures {
            at += gap;
            let [length, offset] = [picture.len(), at].map(|n| u32::try_from(n).unwrap());
            bytes.extend([16, 16, 0, 0, 1, 0, 32, 0]);
            bytes.extend(length.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            at += picture.len();
        }
        for picture in pictures {
            bytes.resize(bytes.len() + gap, 0);
            bytes.extend_from_slice(picture);
        }
        bytes
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &sides].concat()
    }

    fn bitmap(length: u32, width: i32, height: i32) -> Vec<u8> {
        let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
        [length.to_le_bytes().as_slice(), &sides, &[0; 28]].concat()
    }

    fn found(bytes: &[u8]) -> Option<Dimensions> {
        size(&mut Window::whole(bytes).reader())
    }

    #[test]
    fn an_icon_is_as_large_as_its_largest_picture() {
        let (small, large) = (png(32, 16), png(40_000, 30_000));
        assert_eq!(found(&icon(0, &[&small])), Some((32, 16)));
        assert_eq!(found(&icon(0, &[&small, &large])), Some((40_000, 30_000)));
        assert_eq!(found(&icon(0, &[&bitmap(40, 16, 32)])), Some((16, 16)));
        let upside_down = bitmap(124, 5000, -8000);
        assert_eq!(found(&icon(0, &[&upside_down, &small])), Some((5000, 4000)));
        let old = bitmap(12, 0x0400_0300, 0);
        assert_eq!(found(&icon(0, &[&old])), Some((0x300, 0x200)));
    }

    #[test]
    fn an_icon_one_of_whose_pictures_does_not_tell_tells_nothing() {
        let bytes = icon(0, &[&png(32, 16), &bitmap(41, 16, 32)]);
        assert_eq!(found(&bytes), None);
        assert_eq!(found(&bytes[..30]), None);
        let bytes = icon(1000, &[&png(32, 16)]);
        let window = Window {
            first: &bytes[..100],
            last: &bytes[bytes.len() - 2..],
            ..Window::whole(&bytes)
        };
        let mut reader = window.reader();
        assert_eq!((size(&mut reader), reader.missed), (None, Some(1022)));
    }
}
