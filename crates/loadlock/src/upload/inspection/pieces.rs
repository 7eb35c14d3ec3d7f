//! Content read in pieces is judged as strictly as content read as a whole: tried on whatever a fuzzer makes.

use bytes::Bytes;

use super::{Checks, MOST_PIECES, Window, image, kind, pretence, zip};
use crate::upload::MediaType;

/// How many bytes of each piece: few, so that short content has many.
const PIECE: usize = 64;

/// Of the content, so many bytes are its beginning and its end; the rest is read where a look at it wants more.
///
/// # Panics
/// If the pieces say what the whole does not.
pub(crate) fn hold(first: usize, last: usize, content: &[u8]) {
    let first = &content[..first.min(content.len())];
    let last = &content[content.len().saturating_sub(last)..];
    let size_bytes = content.len() as u64;
    let mut more: Vec<(u64, Bytes)> = Vec::new();
    let pieces = loop {
        let window = Window {
            size_bytes,
            first,
            last,
            more: &more,
        };
        let wanted = image::wants(window).or_else(|| zip::wants(window));
        let Some(at) = wanted.filter(|_| more.len() < MOST_PIECES) else {
            break window;
        };
        let rest = usize::try_from(at).ok().and_then(|at| content.get(at..));
        let rest = rest.unwrap_or_default();
        assert!(!rest.is_empty(), "nothing is there to be read");
        let piece = rest.get(..PIECE).unwrap_or(rest);
        more.push((at, Bytes::copy_from_slice(piece)));
    };
    let whole = Window {
        first: content,
        ..pieces
    };
    assert!(zip::ending(whole).is_none() || zip::ending(pieces).is_some());
    let checks = Checks::default();
    for media in ["image/heic", "image/png", "application/pdf"] {
        let Ok(media) = media.parse::<MediaType>() else {
            continue;
        };
        let sides = |window| image::dimensions(&media, &checks, window).ok().flatten();
        let told = sides(pieces);
        assert!(told.is_none() || told == sides(whole), "{told:?}");
        let _ = kind::agree(&media, pieces);
        let _ = pretence::second_nature(&media, pieces);
    }
}
