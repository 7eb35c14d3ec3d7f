//! As much of an object as inspection reads: its beginning, its end, and what they point to.

use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};

use bytes::Bytes;

/// What was read of an object under one `ETag`. Of a small one beginning and end are the whole.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// Of the whole object.
    pub size_bytes: u64,
    pub first: &'a [u8],
    pub last: &'a [u8],
    /// Pieces between them, each with where it begins.
    pub more: &'a [(u64, Bytes)],
}

impl<'a> Window<'a> {
    /// Over content that is there as a whole.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self {
            size_bytes: bytes.len() as u64,
            first: bytes,
            last: bytes,
            more: &[],
        }
    }

    /// Where the end begins.
    pub(super) fn last_at(&self) -> u64 {
        self.size_bytes.saturating_sub(self.last.len() as u64)
    }

    /// What was read from here on, without a gap.
    pub(super) fn from(&self, at: u64) -> Option<&'a [u8]> {
        let within = |bytes: &'a [u8], start: u64| {
            let skipped = usize::try_from(at.checked_sub(start)?).ok()?;
            bytes.get(skipped..).filter(|rest| !rest.is_empty())
        };
        let pieces = self.more.iter();
        within(self.first, 0)
            .or_else(|| within(self.last, self.last_at()))
            .or_else(|| {
                pieces
                    .into_iter()
                    .find_map(|(start, piece)| within(piece, *start))
            })
    }

    /// To be read like a file; what was not read from the store is an error.
    pub(super) fn reader(self) -> Reader<'a> {
        Reader {
            window: self,
            at: 0,
            missed: None,
        }
    }
}

/// Reads a window like a file.
pub(super) struct Reader<'a> {
    pub(super) window: Window<'a>,
    at: u64,
    /// Where it first wanted to read what was not read from the store.
    pub(super) missed: Option<u64>,
}

impl Reader<'_> {
    /// The bytes from here on.
    pub(super) fn array<const N: usize>(&mut self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.at = at;
        self.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.window.from(self.at) {
            Some(rest) => Ok(rest),
            None if self.at >= self.window.size_bytes => Ok(&[]),
            None => {
                self.missed = self.missed.or(Some(self.at));
                Err(ErrorKind::UnexpectedEof.into())
            }
        }
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.at.saturating_add(amount as u64);
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.window.size_bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_is_an_error_and_not_the_end() {
        let window = Window {
            size_bytes: 10,
            first: b"abc",
            last: b"xyz",
            more: &[],
        };
        let mut reader = window.reader();
        let mut three = [0; 3];
        reader.read_exact(&mut three).unwrap();
        assert_eq!(&three, b"abc");
        assert!(reader.read(&mut three).is_err());
        assert_eq!(reader.missed, Some(3));
        reader.seek(SeekFrom::End(-3)).unwrap();
        reader.read_exact(&mut three).unwrap();
        assert_eq!((&three, reader.read(&mut [0]).unwrap()), (b"xyz", 0));
        assert_eq!(reader.array::<1>(10), None);
    }

    #[test]
    fn pieces_are_read_as_one() {
        let window = Window {
            size_bytes: 10,
            first: b"abc",
            last: b"xyz",
            more: &[
                (3, Bytes::from_static(b"de")),
                (5, Bytes::from_static(b"fg")),
            ],
        };
        let mut reader = window.reader();
        assert_eq!(reader.array(0), Some(*b"abcdefgxyz"));
        assert_eq!(reader.missed, None);
    }
}
