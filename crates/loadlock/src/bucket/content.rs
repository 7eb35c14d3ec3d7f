//! Staged content as a whole: read in one stream, read by others, or taken away.

use std::time::Duration;

use aws_sdk_s3::{presigning::PresigningConfig, primitives::ByteStream};
use bytes::Bytes;
use futures_util::{Stream, stream};
use jiff::Timestamp;
use tokio::time::timeout;

use super::{Bucket, CALL, Object, Trouble, failed, trouble};
use crate::{
    auth::Secret,
    error::{Error, Kind},
    upload::{ObjectKey, Upload},
};

impl Bucket {
    /// The staged object that has this `ETag`, from beginning to end; `None` if it has another by now, or is gone.
    pub async fn content(
        &self,
        key: &ObjectKey,
        etag: &str,
    ) -> Result<Option<impl Stream<Item = Result<Bytes, Error>> + Send + use<>>, Error> {
        let get = self.client.get_object();
        let get = get.bucket(&*self.staging).key(key.as_str()).if_match(etag);
        match get.send().await {
            Ok(output) => Ok(Some(stream::unfold(output.body, next))),
            Err(failure) => match trouble(&failure) {
                Trouble::Missing | Trouble::Changed => Ok(None),
                Trouble::Mismatch | Trouble::Other => Err(failed(failure)),
            },
        }
    }

    /// A URL that reads a staged object, for a service of the operator's: no client is ever told it. Signed by the server
    /// identity, for the store's address as the service knows it.
    pub async fn content_url(
        &self,
        key: &ObjectKey,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Secret, Error> {
        let get = self.client.get_object();
        let get = get.bucket(&*self.staging).key(key.as_str());
        let signing = PresigningConfig::builder()
            .start_time(now.into())
            .expires_in(lifetime)
            .build()
            .map_err(|error| Kind::Internal.caused_by(error))?;
        let signed = get.presigned(signing).await.map_err(failed)?;
        Ok(Secret::new(signed.uri().to_owned()))
    }

    /// Takes away what was sent, and leaves an empty object in its place: with `if-none-match` its grant cannot be used again,
    /// nor for the first time. Says whether its grant is of that kind.
    pub async fn close_staged(&self, upload: &Upload) -> Result<bool, Error> {
        let bars = self.is_written_once(upload);
        let key = &upload.staged_key;
        let put = self.client.put_object();
        let put = put.bucket(&*self.staging).key(key.as_str());
        let put = put.body(ByteStream::from_static(b""));
        let put = match self.staged(key).await? {
            Some(Object { size_bytes: 0, .. }) => return Ok(bars),
            Some(_) => put,
            // Something may come just now, and would not be taken away: it is to be done again then.
            None if bars => put.if_none_match("*"),
            None => return Ok(false),
        };
        put.send().await.map_err(failed)?;
        Ok(bars)
    }
}

async fn next(mut body: ByteStream) -> Option<(Result<Bytes, Error>, ByteStream)> {
    let unavailable =
        |error: Box<dyn std::error::Error + Send + Sync>| Kind::Unavailable.caused_by(error);
    let chunk = match timeout(CALL, body.next()).await {
        Ok(chunk) => chunk?.map_err(|error| unavailable(error.into())),
        Err(late) => Err(unavailable(late.into())),
    };
    Some((chunk, body))
}
