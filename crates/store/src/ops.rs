//! The operations: each takes a request that is authenticated and allowed, and gives its answer.

mod bucket;
mod copy;
mod delete;
mod form;
mod list;
mod multipart;
mod object;
mod tagging;

use bytes::Bytes;
use loadlock_sigv4::Style;

use crate::access::Caller;
use crate::body::{Body, FormFile, Framing, Source};
use crate::checksum::Promise;
use crate::disk::{BucketName, ChecksumAlgorithm, Disk, ObjectKey, Written};
use crate::error::{Code, S3Error, S3Result};
use crate::operation::Operation;
use crate::reply::{Reply, encode_key};
use crate::request::{Attributes, Request, Target};

pub(crate) use self::form::post_object;

/// The largest object, or part, that one request may bring: 5 GiB.
pub(crate) const MAX_PUT: u64 = 5 << 30;
/// So many bodies, objects or parts, may be on their way to one key at once.
pub(crate) const MAX_WRITERS: usize = 16;
/// The largest XML document that is read. A thousand keys of 1,024 bytes, all escaped, or ten thousand parts, fit.
const MAX_DOCUMENT: u64 = 8 << 20;

/// One request, ready to be carried out.
pub(crate) struct Call<'a> {
    pub(crate) disk: &'a Disk,
    pub(crate) region: &'a str,
    pub(crate) caller: &'a Caller<'a>,
    pub(crate) request: &'a Request,
    pub(crate) source: &'a mut Source,
    pub(crate) framing: Framing,
}

impl<'a> Call<'a> {
    pub(crate) async fn run(self, operation: Operation) -> S3Result<Reply> {
        use Operation as Op;
        match operation {
            Op::ListBuckets => bucket::list(self).await,
            Op::CreateBucket => bucket::create(self).await,
            Op::DeleteBucket => bucket::delete(self).await,
            Op::HeadBucket => bucket::head(self).await,
            Op::GetBucketLocation => bucket::location(self).await,
            Op::GetBucketCors => bucket::cors(self).await,
            Op::PutBucketCors => bucket::put_cors(self).await,
            Op::DeleteBucketCors => bucket::delete_cors(self).await,
            Op::GetBucketLifecycleConfiguration => bucket::lifecycle(self).await,
            Op::PutBucketLifecycleConfiguration => bucket::put_lifecycle(self).await,
            Op::DeleteBucketLifecycle => bucket::delete_lifecycle(self).await,
            Op::ListObjects | Op::ListObjectsV2 => list::objects(self, operation).await,
            Op::ListMultipartUploads => list::uploads(self).await,
            Op::ListParts => list::parts(self).await,
            Op::DeleteObjects => delete::batch(self).await,
            Op::DeleteObject => delete::one(self).await,
            Op::PutObject => object::put(self).await,
            Op::GetObject => object::read(self).await,
            Op::HeadObject => object::head(self).await,
            Op::GetObjectTagging => tagging::get(self).await,
            Op::PutObjectTagging => tagging::put(self).await,
            Op::DeleteObjectTagging => tagging::delete(self).await,
            Op::CopyObject => copy::object(self).await,
            Op::UploadPartCopy => copy::part(self).await,
            Op::CreateMultipartUpload => multipart::create(self).await,
            Op::UploadPart => multipart::upload_part(self).await,
            Op::CompleteMultipartUpload => multipart::complete(self).await,
            Op::AbortMultipartUpload => multipart::abort(self).await,
            // It brings its own authentication and is carried out before there is a call.
            Op::PostObject => Err(Code::MethodNotAllowed.into()),
        }
    }

    fn bucket(&self) -> S3Result<&'a BucketName> {
        self.request
            .target
            .bucket()
            .ok_or_else(|| Code::InvalidBucketName.into())
    }

    fn object(&self) -> S3Result<(&'a BucketName, &'a ObjectKey)> {
        match &self.request.target {
            Target::Object(bucket, key) => Ok((bucket, key)),
            Target::Service | Target::Bucket(_) => Err(Code::MethodNotAllowed.into()),
        }
    }

    fn body(self) -> S3Result<Body<'a>> {
        Body::new(self.source, &self.request.attributes, self.framing)
    }

    /// A small body, whole and as promised.
    async fn document(self) -> S3Result<Bytes> {
        let promise = Promise::read(&self.request.attributes)?;
        self.document_as(promise).await
    }

    async fn document_as(self, mut promise: Promise) -> S3Result<Bytes> {
        let mut body = self.body()?;
        let document = body.collect(MAX_DOCUMENT).await?;
        promise.complete(body.trailers())?;
        promise.verify_bytes(&document)?;
        Ok(document)
    }
}

/// Where the bytes of an object come from.
pub(crate) enum Content<'s> {
    Body(Body<'s>),
    File(Box<FormFile<'s>>),
}

impl Content<'_> {
    /// Refuses what is known to be too long before any of it is read.
    fn check_length(&self) -> S3Result<()> {
        match self {
            Self::Body(body) if body.length() > MAX_PUT => Err(too_large(body.length())),
            Self::Body(_) | Self::File(_) => Ok(()),
        }
    }

    async fn next(&mut self) -> S3Result<Option<Bytes>> {
        match self {
            Self::Body(body) => body.next().await,
            Self::File(file) => file.next().await,
        }
    }

    fn trailers(&self) -> &[(String, String)] {
        match self {
            Self::Body(body) => body.trailers(),
            Self::File(_) => &[],
        }
    }
}

fn too_large(size: u64) -> S3Error {
    S3Error::from(Code::EntityTooLarge)
        .with("ProposedSize", size.to_string())
        .with("MaxSizeAllowed", MAX_PUT.to_string())
}

/// Takes in content and holds it against what was promised: what comes back is on disk, verified, and not yet visible.
pub(crate) async fn receive(
    disk: &Disk,
    mut content: Content<'_>,
    mut promise: Promise,
    also: Option<ChecksumAlgorithm>,
) -> S3Result<Written> {
    content.check_length()?;
    let algorithms: Vec<_> = promise
        .algorithm()
        .into_iter()
        .chain(also.filter(|also| promise.algorithm() != Some(*also)))
        .collect();
    let mut writer = disk.writer(&algorithms);
    while let Some(data) = content.next().await? {
        writer.write(data).await?;
    }
    promise.complete(content.trailers())?;
    let written = writer.finish().await?;
    promise.verify(&written)?;
    Ok(written)
}

/// A write whose condition did not hold says which one.
fn name_condition(error: S3Error, attributes: &Attributes) -> S3Error {
    if error.code != Code::PreconditionFailed {
        return error;
    }
    S3Error::precondition(if attributes.value("if-none-match").is_some() {
        "If-None-Match"
    } else {
        "If-Match"
    })
}

/// The address of an object at the host that the request came to.
fn location(request: &Request, bucket: &BucketName, key: &ObjectKey) -> String {
    let host = request.header(&http::header::HOST).unwrap_or_default();
    let key = encode_key(key.as_str());
    match request.style {
        Style::Path => format!("http://{host}/{bucket}/{key}"),
        Style::VirtualHost => format!("http://{host}/{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::location;
    use crate::request::{Request, Target};

    #[test]
    fn an_objects_address_names_its_bucket_where_the_request_did() {
        for (host, path, expected) in [
            (
                "127.0.0.1:9000",
                "/bkt/a%20b",
                "http://127.0.0.1:9000/bkt/a%20b",
            ),
            ("bkt.s3.local", "/a%20b", "http://bkt.s3.local/a%20b"),
        ] {
            let request = http::Request::builder().uri(path).header("host", host);
            let parts = request.body(()).unwrap().into_parts().0;
            let request = Request::read(parts, Some("s3.local")).unwrap();
            let Target::Object(bucket, key) = &request.target else {
                panic!("{path}")
            };
            assert_eq!(location(&request, bucket, key), expected);
        }
    }
}
