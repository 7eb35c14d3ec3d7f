//! Buckets and their configuration.

use http::{StatusCode, header};

use super::Call;
use crate::attributes::OWNER;
use crate::config;
use crate::disk::{BucketName, ConfigKind};
use crate::error::{Code, S3Result};
use crate::reply::{self, Reply, iso_date};
use crate::xml::Xml;

pub(super) async fn list(call: Call<'_>) -> S3Result<Reply> {
    let buckets = call.disk.list_buckets().await?;
    let document = Xml::document("ListAllMyBucketsResult", |xml| {
        xml.element("Owner", |xml| xml.text("ID", OWNER));
        xml.element("Buckets", |xml| {
            for bucket in &buckets {
                xml.element("Bucket", |xml| {
                    xml.text("Name", bucket.name.as_str());
                    xml.text("CreationDate", &iso_date(bucket.created));
                });
            }
        });
    });
    Ok(reply::xml(StatusCode::OK, document))
}

/// The body may ask for a location; there is but one.
pub(super) async fn create(call: Call<'_>) -> S3Result<Reply> {
    let bucket = call.bucket()?;
    call.disk.create_bucket(bucket).await?;
    let mut reply = reply::empty(StatusCode::OK);
    reply::set(reply.headers_mut(), header::LOCATION, &format!("/{bucket}"));
    Ok(reply)
}

pub(super) async fn delete(call: Call<'_>) -> S3Result<Reply> {
    call.disk.delete_bucket(call.bucket()?).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn head(call: Call<'_>) -> S3Result<Reply> {
    call.disk.head_bucket(call.bucket()?).await?;
    let mut reply = reply::empty(StatusCode::OK);
    reply::set_named(reply.headers_mut(), "x-amz-bucket-region", call.region);
    Ok(reply)
}

/// S3's oldest region has no name here.
pub(super) async fn location(call: Call<'_>) -> S3Result<Reply> {
    call.disk.head_bucket(call.bucket()?).await?;
    let region = if call.region == "us-east-1" {
        ""
    } else {
        call.region
    };
    Ok(reply::xml(
        StatusCode::OK,
        Xml::value("LocationConstraint", region),
    ))
}

pub(super) async fn cors(call: Call<'_>) -> S3Result<Reply> {
    let cors = config::cors(call.disk, call.bucket()?)
        .await?
        .ok_or(Code::NoSuchCORSConfiguration)?;
    Ok(reply::xml(StatusCode::OK, config::write_cors(&cors)))
}

pub(super) async fn put_cors(call: Call<'_>) -> S3Result<Reply> {
    let (disk, bucket) = (call.disk, existing(&call).await?);
    let cors = config::read_cors(&call.document().await?)?;
    config::put_cors(disk, bucket, &cors).await?;
    Ok(reply::empty(StatusCode::OK))
}

pub(super) async fn delete_cors(call: Call<'_>) -> S3Result<Reply> {
    call.disk
        .delete_bucket_config(existing(&call).await?, ConfigKind::Cors)
        .await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn lifecycle(call: Call<'_>) -> S3Result<Reply> {
    let rules = call.disk.lifecycle(existing(&call).await?).await?;
    let rules = rules
        .filter(|lifecycle| !lifecycle.rules.is_empty())
        .ok_or(Code::NoSuchLifecycleConfiguration)?;
    Ok(reply::xml(StatusCode::OK, config::write_lifecycle(&rules)))
}

pub(super) async fn put_lifecycle(call: Call<'_>) -> S3Result<Reply> {
    let (disk, bucket) = (call.disk, existing(&call).await?);
    let rules = config::read_lifecycle(&call.document().await?)?;
    disk.put_lifecycle(bucket, &rules).await?;
    Ok(reply::empty(StatusCode::OK))
}

pub(super) async fn delete_lifecycle(call: Call<'_>) -> S3Result<Reply> {
    call.disk
        .delete_bucket_config(existing(&call).await?, ConfigKind::Lifecycle)
        .await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

async fn existing<'a>(call: &Call<'a>) -> S3Result<&'a BucketName> {
    let bucket = call.bucket()?;
    call.disk.head_bucket(bucket).await?;
    Ok(bucket)
}
