//! Taking `aws-chunked` apart: `size[;chunk-signature=…]CRLF data CRLF … 0[;…]CRLF trailers CRLF`.
//!
//! Sans-IO and without a buffer for data: chunk data is handed on as it lies in the pieces that arrive; only the line
//! being read is kept, and its length is bounded. Signatures are found here and judged by the caller.

use bytes::{Buf as _, Bytes};

use crate::error::{Code, S3Error, S3Result};

/// The longest chunk header line; a real one has at most 99 bytes.
const MAX_LINE: usize = 256;
/// The longest trailer line, and how many there may be.
const MAX_TRAILER_LINE: usize = 1024;
const MAX_TRAILERS: usize = 16;

/// What the next bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing more to say before the next `push`.
    More,
    Data(Bytes),
    /// A chunk has ended, the last one (of length zero) as well.
    ChunkEnd {
        signature: Option<String>,
    },
    /// The whole body has ended.
    End {
        trailers: Vec<(String, String)>,
    },
}

#[derive(Debug)]
enum State {
    Header,
    Data {
        left: u64,
    },
    /// The CRLF behind a chunk's data.
    DataEnd,
    Trailers,
    Done,
}

#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    input: Bytes,
    line: Vec<u8>,
    signature: Option<String>,
    trailers: Vec<(String, String)>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Header,
            input: Bytes::new(),
            line: Vec::new(),
            signature: None,
            trailers: Vec::new(),
        }
    }

    /// Gives the next piece of the body; only after `step` said `More`.
    pub(crate) fn push(&mut self, input: Bytes) {
        self.input = input;
    }

    pub(crate) fn step(&mut self) -> S3Result<Step> {
        loop {
            match self.state {
                State::Data { left: 0 } => self.state = State::DataEnd,
                State::Data { ref mut left } => {
                    if self.input.is_empty() {
                        return Ok(Step::More);
                    }
                    let length = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(self.input.len());
                    *left -= length as u64;
                    return Ok(Step::Data(self.input.split_to(length)));
                }
                State::Done => {
                    // Bytes behind the end belong to no one.
                    if self.input.is_empty() {
                        return Ok(Step::More);
                    }
                    return Err(malformed("bytes after the end of the chunked body"));
                }
                State::Header => {
                    let Some(line) = self.line(MAX_LINE)? else {
                        return Ok(Step::More);
                    };
                    let left = self.read_header(&line)?;
                    if left > 0 {
                        self.state = State::Data { left };
                    } else {
                        self.state = State::Trailers;
                        return Ok(Step::ChunkEnd {
                            signature: self.signature.take(),
                        });
                    }
                }
                State::DataEnd => {
                    let Some(line) = self.line(2)? else {
                        return Ok(Step::More);
                    };
                    if !line.is_empty() {
                        return Err(malformed("a chunk is longer than it said"));
                    }
                    self.state = State::Header;
                    return Ok(Step::ChunkEnd {
                        signature: self.signature.take(),
                    });
                }
                State::Trailers => {
                    let Some(line) = self.line(MAX_TRAILER_LINE)? else {
                        return Ok(Step::More);
                    };
                    if line.is_empty() {
                        self.state = State::Done;
                        return Ok(Step::End {
                            trailers: std::mem::take(&mut self.trailers),
                        });
                    }
                    self.read_trailer(&line)?;
                }
            }
        }
    }

    /// The next line without its CRLF, once it is whole.
    fn line(&mut self, limit: usize) -> S3Result<Option<String>> {
        let end = memchr::memchr(b'\n', &self.input);
        let taken = end.map_or(self.input.len(), |end| end + 1);
        if self.line.len() + taken > limit {
            return Err(malformed("a chunk line is too long"));
        }
        self.line.extend_from_slice(&self.input[..taken]);
        self.input.advance(taken);
        if end.is_none() {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or_else(|| malformed("a chunk line does not end in CRLF"))?;
        let line = std::str::from_utf8(line).map_err(|_| malformed("a chunk line is not text"))?;
        Ok(Some(line.to_owned()))
    }

    fn read_header(&mut self, line: &str) -> S3Result<u64> {
        let (size, extension) = line
            .split_once(';')
            .map_or((line, None), |(size, rest)| (size, Some(rest)));
        self.signature = match extension {
            None => None,
            Some(rest) => {
                let signature = rest.strip_prefix("chunk-signature=");
                Some(
                    signature
                        .ok_or_else(|| malformed("an unknown chunk extension"))?
                        .to_owned(),
                )
            }
        };
        let hex = !size.is_empty()
            && size.len() <= 16
            && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = if hex {
            u64::from_str_radix(size, 16).ok()
        } else {
            None
        };
        size.ok_or_else(|| malformed("a chunk size is not a number"))
    }

    fn read_trailer(&mut self, line: &str) -> S3Result<()> {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| malformed("a trailer without a colon"))?;
        if self.trailers.len() == MAX_TRAILERS {
            return Err(malformed("too many trailers"));
        }
        self.trailers
            .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }
}

fn malformed(why: &'static str) -> S3Error {
    S3Error::new(
        Code::InvalidRequest,
        format!("The aws-chunked body is malformed: {why}."),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{Decoder, Step};
    use crate::error::S3Result;

    type Decoded = (Vec<u8>, Vec<Option<String>>, Option<Vec<(String, String)>>);

    fn decode(pieces: impl IntoIterator<Item = Vec<u8>>) -> S3Result<Decoded> {
        let mut decoder = Decoder::new();
        let (mut data, mut signatures, mut end) = (Vec::new(), Vec::new(), None);
        for piece in pieces {
            decoder.push(Bytes::from(piece));
            loop {
                match decoder.step()? {
                    Step::More => break,
                    Step::Data(bytes) => data.extend_from_slice(&bytes),
                    Step::ChunkEnd { signature } => signatures.push(signature),
                    Step::End { trailers } => end = Some(trailers),
                }
            }
        }
        Ok((data, signatures, end))
    }

    fn whole(body: &[u8]) -> S3Result<Decoded> {
        decode([body.to_vec()])
    }

    const BODY: &[u8] =
        b"5;chunk-signature=aa\r\nhello\r\n6;chunk-signature=bb\r\n world\r\n0;chunk-signature=cc\r\nx-amz-checksum-crc32c: AAAA\r\nx-amz-trailer-signature:dd\r\n\r\n";

    #[test]
    fn data_signatures_and_trailers_come_out() {
        let (data, signatures, end) = whole(BODY).unwrap();
        assert_eq!(data, b"hello world");
        assert_eq!(
            signatures,
            ["aa", "bb", "cc"].map(|text| Some(text.to_owned()))
        );
        let trailer = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            end.unwrap(),
            [
                trailer("x-amz-checksum-crc32c", "AAAA"),
                trailer("x-amz-trailer-signature", "dd")
            ]
        );
    }

    #[test]
    fn a_stream_that_ends_at_a_chunk_boundary_has_not_ended() {
        for end in 0..BODY.len() {
            assert!(
                decode([BODY[..end].to_vec()]).unwrap().2.is_none(),
                "cut at {end}"
            );
        }
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let long_line = [b"5;chunk-signature=".as_slice(), &[b'a'; 400]].concat();
        let table: [&[u8]; 11] = [
            b"zz\r\n",
            b"\r\n",
            b"-1\r\n",
            b"+5\r\nhello\r\n",
            b"11111111111111111\r\n",
            b"5\nhello",
            b"5\r\nhelloX\r\n",
            b"5;other=1\r\nhello\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"0\r\n\r\nmore",
            &long_line,
        ];
        for body in table {
            assert!(whole(body).is_err(), "{:?}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn endless_trailers_are_refused() {
        assert!(whole(format!("0\r\n{}", "a:b\r\n".repeat(20)).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_a_body_arrives_do_not_matter(cuts in prop::collection::vec(0..BODY.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.extend([0, BODY.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| BODY[pair[0]..pair[1]].to_vec());
            prop_assert_eq!(decode(pieces).unwrap(), whole(BODY).unwrap());
        }
    }
}
