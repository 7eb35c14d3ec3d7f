//! The file of a form, streamed.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::Source;
use crate::error::{Code, S3Result};
use crate::form::{Fields, FormDecoder, Piece};

/// The file of a form, behind its fields.
pub(crate) struct FormFile<'s> {
    source: &'s mut Source,
    decoder: FormDecoder,
    /// What the file's length must lie in.
    pub(crate) range: RangeInclusive<u64>,
    read: u64,
}

impl<'s> FormFile<'s> {
    /// Reads the fields up to the file.
    pub(crate) async fn open(
        source: &'s mut Source,
        content_type: &str,
    ) -> S3Result<(Fields, Self)> {
        let mut decoder = FormDecoder::new(content_type)?;
        loop {
            let data = source.next().await?.ok_or(Code::MalformedPOSTRequest)?;
            decoder.push(&data);
            if let Some(fields) = decoder.fields()? {
                return Ok((
                    fields,
                    Self {
                        source,
                        decoder,
                        range: 0..=u64::MAX,
                        read: 0,
                    },
                ));
            }
        }
    }

    /// The next bytes of the file; an error as soon as it is known to be too long.
    pub(crate) async fn next(&mut self) -> S3Result<Option<Bytes>> {
        loop {
            match self.decoder.file() {
                Piece::Data(data) => {
                    self.read += data.len() as u64;
                    if self.read > *self.range.end() {
                        return Err(Code::EntityTooLarge.into());
                    }
                    return Ok(Some(data));
                }
                Piece::End if self.read < *self.range.start() => {
                    return Err(Code::EntityTooSmall.into());
                }
                Piece::End => return Ok(None),
                Piece::More => {
                    let data = self.source.next().await?.ok_or(Code::IncompleteBody)?;
                    self.decoder.push(&data);
                }
            }
        }
    }
}
