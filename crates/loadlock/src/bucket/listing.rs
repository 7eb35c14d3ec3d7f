//! Listing what clients have put below a prefix: its keys are theirs, so they may be anything.

use std::borrow::Cow;

use aws_sdk_s3::{primitives::DateTime, types::EncodingType};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::{Bucket, Trouble, failed, trouble};
use crate::{
    clock::from_millis,
    error::{Error, Kind},
    upload::ObjectKey,
};

/// One object, as it was found there.
#[derive(Debug, Clone)]
pub struct Listed {
    pub key: ObjectKey,
    pub etag: String,
    pub size_bytes: u64,
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
            listed(
                ObjectKey::new(key),
                (object.e_tag(), object.size()),
                object.last_modified(),
            )
        });
        Ok(Page {
            objects: objects.collect::<Result<_, Error>>()?,
            next: answer.next_continuation_token().map(str::to_owned),
        })
    }

    /// One object of staging as a listing would have it, if it is there.
    pub async fn find_staged(&self, key: &ObjectKey) -> Result<Option<Listed>, Error> {
        let head = self.client.head_object();
        let head = head.bucket(&*self.staging).key(key.as_str());
        match head.send().await {
            Ok(found) => {
                let facts = (found.e_tag(), found.content_length());
                listed(key.clone(), facts, found.last_modified()).map(Some)
            }
            Err(failure) if trouble(&failure) == Trouble::Missing => Ok(None),
            Err(failure) => Err(failed(failure)),
        }
    }

    /// Deletes an object of staging, unless another has taken its place; says whether none is left. It is looked at first for
    /// stores that delete without regard to `if-match`.
    pub async fn delete_listed(&self, object: &Listed) -> Result<bool, Error> {
        match self.find_staged(&object.key).await? {
            None => return Ok(true),
            Some(now) if now.etag != object.etag => return Ok(false),
            Some(_) => {}
        }
        let delete = self.client.delete_object();
        let delete = delete.bucket(&*self.staging).key(object.key.as_str());
        match delete.if_match(&object.etag).send().await {
            Ok(_) => Ok(true),
            Err(failure) => match trouble(&failure) {
                Trouble::Missing => Ok(true),
                Trouble::Changed => Ok(false),
                Trouble::Mismatch | Trouble::Other => Err(failed(failure)),
            },
        }
    }
}

fn listed(
    key: ObjectKey,
    (etag, size): (Option<&str>, Option<i64>),
    modified: Option<&DateTime>,
) -> Result<Listed, Error> {
    let size = size.and_then(|size| u64::try_from(size).ok());
    let (Some(etag), Some(size_bytes)) = (etag, size) else {
        return Err(Kind::Unavailable.because("the store gives objects no size or etag"));
    };
    let modified = modified.and_then(|at| at.to_millis().ok());
    Ok(Listed {
        key,
        etag: etag.to_owned(),
        size_bytes,
        modified_at: modified.map_or(Timestamp::MIN, from_millis),
    })
}

/// In a listing a plus stands for a blank.
fn decode(key: &str) -> Result<String, Error> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(Cow::into_owned)
        .map_err(|error| Kind::Unavailable.caused_by(error))
}
