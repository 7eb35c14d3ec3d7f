//! Deletion: one object, or up to a thousand at once.

use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Call;
use crate::access::{Caller, object_arn};
use crate::conditions::bare;
use crate::disk::{BucketName, Condition, Disk, ETag};
use crate::error::{Code, S3Error, S3Result};
use crate::reply::{self, Reply};
use crate::request::object_key;
use crate::xml::{self, Xml};

const MAX_BATCH: usize = 1000;

pub(super) async fn one(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    let condition = call.request.attributes.value("if-match").map(condition);
    call.disk.delete_object(bucket, key, condition).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// The condition of an `If-Match`.
fn condition(etag: &str) -> Condition {
    match bare(etag) {
        "*" => Condition::Exists,
        etag => Condition::Matches(ETag::new(etag)),
    }
}

#[derive(Deserialize)]
struct Delete {
    #[serde(rename = "Object", default)]
    objects: Vec<Named>,
    #[serde(rename = "Quiet", default)]
    quiet: bool,
}

/// An element that is not listed here could be a condition: it is refused, not skipped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "VersionId")]
    version: Option<String>,
    #[serde(rename = "ETag")]
    etag: Option<String>,
    #[serde(rename = "Size")]
    size: Option<IgnoredAny>,
    #[serde(rename = "LastModifiedTime")]
    modified: Option<IgnoredAny>,
}

pub(super) async fn batch(call: Call<'_>) -> S3Result<Reply> {
    let bucket = call.bucket()?;
    let (disk, caller) = (call.disk, call.caller);
    disk.head_bucket(bucket).await?;
    let delete: Delete = xml::read("Delete", &call.document().await?)?;
    if delete.objects.is_empty() || delete.objects.len() > MAX_BATCH {
        return Err(Code::MalformedXML.into());
    }
    let conditional = |object: &Named| object.size.is_some() || object.modified.is_some();
    if delete.objects.iter().any(conditional) {
        return Err(S3Error::not_implemented("Size, LastModifiedTime"));
    }
    let deletions: Vec<_> = delete
        .objects
        .iter()
        .map(|object| delete_named(disk, caller, bucket, object))
        .collect();
    // At once, so that they share commits.
    let results: Vec<_> = stream::iter(deletions).buffered(MAX_BATCH).collect().await;
    let document = Xml::document("DeleteResult", |xml| {
        for (Named { key, .. }, result) in delete.objects.iter().zip(&results) {
            match result {
                Ok(()) if delete.quiet => {}
                Ok(()) => xml.element("Deleted", |xml| xml.text("Key", key)),
                Err(error) => xml.element("Error", |xml| {
                    xml.text("Key", key);
                    xml.text("Code", error.code.name());
                    xml.text("Message", &error.message);
                }),
            }
        }
    });
    Ok(reply::xml(StatusCode::OK, document))
}

async fn delete_named(
    disk: &Disk,
    caller: &Caller<'_>,
    bucket: &BucketName,
    object: &Named,
) -> S3Result<()> {
    if object
        .version
        .as_deref()
        .is_some_and(|version| !matches!(version, "" | "null"))
    {
        return Err(S3Error::new(
            Code::InvalidArgument,
            "Invalid version id specified",
        ));
    }
    let key = object_key(object.key.clone())?;
    caller.require("s3:DeleteObject", &object_arn(bucket, &key))?;
    let condition = object.etag.as_deref().map(condition);
    Ok(disk.delete_object(bucket, &key, condition).await?)
}
