//! An object's tags: get, put, delete.

use http::StatusCode;

use super::{Call, object::hide_absence};
use crate::disk::Tags;
use crate::error::S3Result;
use crate::reply::{self, Reply};
use crate::tagging;

pub(super) async fn get(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    let found = call.disk.head_object(bucket, key).await;
    let info = found.map_err(|error| hide_absence(error.into(), call.caller, bucket, key))?;
    Ok(reply::xml(StatusCode::OK, tagging::write(&info.tags)))
}

pub(super) async fn put(call: Call<'_>) -> S3Result<Reply> {
    let (disk, caller) = (call.disk, call.caller);
    let (bucket, key) = call.object()?;
    let tags = tagging::read(&call.document().await?)?;
    let put = disk.put_tags(bucket, key, tags).await;
    put.map_err(|error| hide_absence(error.into(), caller, bucket, key))?;
    Ok(reply::empty(StatusCode::OK))
}

pub(super) async fn delete(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    let deleted = call.disk.put_tags(bucket, key, Tags::default()).await;
    deleted.map_err(|error| hide_absence(error.into(), call.caller, bucket, key))?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
