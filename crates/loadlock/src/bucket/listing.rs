//! Listing what clients have put below a prefix: its keys are theirs, so they may be anything.

use std::borrow::Cow;

use aws_sdk_s3::types::EncodingType;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::{Bucket, failed};
use crate::{
    clock::from_millis,
    error::{Error, Kind},
    upload::ObjectKey,
};

/// One object of a listing.
#[derive(Debug, Clone)]
pub struct Listed {
    pub key: ObjectKey,
    pub modified_at: Timestamp,
}

/// A thousand objects at most, in the order of their keys.
#[derive(Debug, Clone)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// Where there are more: what asks for the next ones.
    pub next: Option<String>,
}

impl Bucket {
    /// A page of what lies in staging below a prefix.
    pub async fn list_staged(&self, prefix: &str, next: Option<String>) -> Result<Page, Error> {
        let list = self.client.list_objects_v2();
        let list = list
            .bucket(&*self.staging)
            .prefix(prefix)
            .set_continuation_token(next)
            // XML has no control characters, and a key may.
            .encoding_type(EncodingType::Url);
        let answer = list.send().await.map_err(failed)?;
        let plain = answer.encoding_type().is_none();
        let objects = answer.contents().iter().map(|object| {
            let given = object.key().unwrap_or_default();
            let key = if plain {
                given.to_owned()
            } else {
                decode(given)?
            };
            let modified = object.last_modified().and_then(|at| at.to_millis().ok());
            Ok(Listed {
                key: ObjectKey::new(key),
                modified_at: modified.map_or(Timestamp::MIN, from_millis),
            })
        });
        Ok(Page {
            objects: objects.collect::<Result<_, Error>>()?,
            next: answer.next_continuation_token().map(str::to_owned),
        })
    }
}

/// In a listing a plus stands for a blank.
fn decode(key: &str) -> Result<String, Error> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(Cow::into_owned)
        .map_err(|error| Kind::Unavailable.caused_by(error))
}
