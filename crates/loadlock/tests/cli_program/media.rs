//! Files that are what they say, as small or as large as a test wants them.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

/// A JPEG of 2 by 3 pixels, as far as its headers go.
pub(crate) const JPEG: &[u8] =
    b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\
    \xFF\xC0\x00\x11\x08\x00\x03\x00\x02\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00\xFF\xD9";

/// How an MP4 begins.
pub(crate) const MP4: &[u8] = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42";

/// Writes a file that begins with `head` and goes on for `size` bytes, no two blocks alike.
pub(crate) fn write(dir: &Path, name: &str, head: &[u8], size: u64) -> PathBuf {
    let path = dir.join(name);
    let mut file = BufWriter::new(File::create(&path).unwrap());
    file.write_all(head).unwrap();
    let mut left = size.saturating_sub(head.len() as u64);
    let mut block = 0_u64;
    while left > 0 {
        let bytes = block.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
        let take = left.min(8);
        file.write_all(&bytes[..usize::try_from(take).unwrap()])
            .unwrap();
        left -= take;
        block += 1;
    }
    file.flush().unwrap();
    path
}
