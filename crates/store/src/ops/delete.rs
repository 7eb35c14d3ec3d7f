//! Deletion: one object, or up to a thousand at once.

use http::StatusCode;
use serde::Deserialize;

use super::Call;
use crate::access::{Caller, object_arn};
use crate::conditions::bare;
use crate::disk::{BucketName, Disk, ETag};
use crate::error::{Code, S3Error, S3Result};
use crate::reply::{self, Reply};
use crate::request::object_key;
use crate::xml::{self, Xml};

const MAX_BATCH: usize = 1000;

pub(super) async fn one(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    call.request.attributes.refuse_unsupported()?;
    let etag = call
        .request
        .attributes
        .value("if-match")
        .filter(|etag| *etag != "*");
    let etag = etag.map(|etag| ETag::new(bare(etag)));
    call.disk.delete_object(bucket, key, etag.as_ref()).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

#[derive(Deserialize)]
struct Delete {
    #[serde(rename = "Object", default)]
    objects: Vec<Named>,
    #[serde(rename = "Quiet", default)]
    quiet: bool,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "VersionId")]
    version: Option<String>,
    #[serde(rename = "ETag")]
    etag: Option<String>,
}

pub(super) async fn batch(call: Call<'_>) -> S3Result<Reply> {
    let bucket = call.bucket()?;
    let (disk, caller) = (call.disk, call.caller);
    disk.head_bucket(bucket).await?;
    let delete: Delete = xml::read("Delete", &call.document().await?)?;
    if delete.objects.is_empty() || delete.objects.len() > MAX_BATCH {
        return Err(Code::MalformedXML.into());
    }
    let mut results = Vec::with_capacity(delete.objects.len());
    for object in delete.objects {
        let result = delete_named(disk, caller, bucket, &object).await;
        results.push((object.key, result));
    }
    let document = Xml::document("DeleteResult", |xml| {
        for (key, result) in &results {
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
        .is_some_and(|version| version != "null")
    {
        return Err(S3Error::new(
            Code::InvalidArgument,
            "Invalid version id specified",
        ));
    }
    let key = object_key(object.key.clone())?;
    caller.require("s3:DeleteObject", &object_arn(bucket, &key))?;
    let etag = object.etag.as_deref().map(|etag| ETag::new(bare(etag)));
    Ok(disk.delete_object(bucket, &key, etag.as_ref()).await?)
}
