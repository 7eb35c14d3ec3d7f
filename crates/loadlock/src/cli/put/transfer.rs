//! One file's bytes on their way to the store: in one request, in a form, or in parallel parts.
use std::{
    collections::{BTreeMap, HashMap},
    io,
    num::NonZeroUsize,
};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Body, RequestBuilder, StatusCode, Url, header::CONTENT_LENGTH};
use tokio::sync::Mutex;

use super::{
    progress::Progress,
    retry::{Trouble, retrying, unreachable},
    service::{Service, client},
    source::Source,
};
use crate::http::message::{Begun, Grant, Part, Sealed};

/// How many part URLs are asked for at once.
const BATCH: usize = 32;
const BOUNDARY: &str = "loadlock-form-boundary-7d1f0c2a9b5e4836";

pub(super) struct Transfer<'a> {
    s3: reqwest::Client,
    store: String,
    service: &'a Service,
    source: &'a Source,
    begun: &'a Begun,
    progress: &'a Progress,
    /// Signed and not yet used; a part's second attempt gets a fresh URL.
    signed: Mutex<HashMap<u32, Part>>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        service: &'a Service,
        source: &'a Source,
        begun: &'a Begun,
        progress: &'a Progress,
    ) -> anyhow::Result<Self> {
        let (url, parts) = match &begun.grant {
            Grant::Put { url, .. } | Grant::Post { url, .. } => (Some(url), &[][..]),
            Grant::Multipart { parts, .. } => (parts.first().map(|part| &part.url), &parts[..]),
        };
        let url: Url = url
            .context("the grant names no address")?
            .0
            .parse()
            .context("the grant's address is none")?;
        let signed = parts
            .iter()
            .map(|part| (part.number, part.clone()))
            .collect();
        Ok(Self {
            s3: client(&url)?.build()?,
            store: format!("the store at {}", url.origin().ascii_serialization()),
            service,
            source,
            begun,
            progress,
            signed: Mutex::new(signed),
        })
    }

    pub(super) async fn send(&self, parallel: NonZeroUsize) -> anyhow::Result<()> {
        match &self.begun.grant {
            Grant::Put { url, headers, .. } => retrying(|| self.put_whole(url, headers)).await,
            Grant::Post { url, fields, .. } => retrying(|| self.post(url, fields)).await,
            Grant::Multipart { part_size, .. } => {
                let count = u32::try_from(self.source.size.div_ceil(*part_size))
                    .context("too many parts")?;
                stream::iter((1..=count).map(Ok))
                    .try_for_each_concurrent(parallel.get(), |number| {
                        retrying(move || self.put_part(number, *part_size, count))
                    })
                    .await
            }
        }
    }

    async fn put_whole(
        &self,
        url: &Sealed,
        headers: &BTreeMap<String, String>,
    ) -> Result<(), Trouble> {
        let sent = self.put(url, headers, 0, self.source.size).await;
        match sent {
            // An earlier attempt arrived and its answer was lost.
            Ok(StatusCode::PRECONDITION_FAILED) => Ok(()),
            Err(Trouble::Expired(error)) => Err(Trouble::Lasting(error)),
            other => other.map(|_| ()),
        }
    }

    async fn put_part(&self, number: u32, part_size: u64, count: u32) -> Result<(), Trouble> {
        let part = self.part(number, count).await?;
        let offset = u64::from(number - 1) * part_size;
        match self
            .put(&part.url, &part.headers, offset, part.size)
            .await?
        {
            StatusCode::PRECONDITION_FAILED => Err(Trouble::Lasting(anyhow!(
                "{} refuses part {number}",
                self.store
            ))),
            _ => Ok(()),
        }
    }

    /// A part's permission, signed now if need be.
    async fn part(&self, number: u32, count: u32) -> Result<Part, Trouble> {
        let mut signed = self.signed.lock().await;
        if let Some(part) = signed.remove(&number) {
            return Ok(part);
        }
        let wanted = (number..=count)
            .filter(|number| !signed.contains_key(number))
            .take(BATCH)
            .collect();
        let fresh = self.service.sign(self.begun, wanted).await?.parts;
        signed.extend(fresh.into_iter().map(|part| (part.number, part)));
        let part = signed.remove(&number);
        part.ok_or_else(|| Trouble::Lasting(anyhow!("the service did not sign part {number}")))
    }

    /// Puts `length` bytes from `offset` on. A 412 is an answer too: what it means depends.
    async fn put(
        &self,
        url: &Sealed,
        headers: &BTreeMap<String, String>,
        offset: u64,
        length: u64,
    ) -> Result<StatusCode, Trouble> {
        let bytes = self
            .source
            .read(offset, length)
            .await
            .map_err(Trouble::Lasting)?;
        let mut request = self.s3.put(&url.0).header(CONTENT_LENGTH, length);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.exchange(request, bytes).await
    }

    async fn post(&self, url: &Sealed, fields: &BTreeMap<String, Sealed>) -> Result<(), Trouble> {
        let part =
            |about: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {about}\r\n");
        let mut head: String = fields
            .iter()
            .map(|(name, value)| part(&format!("name=\"{name}\"")) + "\r\n" + &value.0 + "\r\n")
            .collect();
        head += &part("name=\"file\"; filename=\"file\"");
        head += &["Content-Type: ", &self.source.content_type, "\r\n\r\n"].concat();
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let length = (head.len() + tail.len()) as u64 + self.source.size;
        let bytes = self
            .source
            .read(0, self.source.size)
            .await
            .map_err(Trouble::Lasting)?;
        let piece = |text: String| stream::once(async { Ok(Bytes::from(text)) });
        let form = piece(head).chain(bytes).chain(piece(tail));
        let request = self.s3.post(&url.0).header(CONTENT_LENGTH, length).header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        );
        match self.exchange(request, form).await {
            Err(Trouble::Expired(error)) => Err(Trouble::Lasting(error)),
            other => other.map(|_| ()),
        }
    }

    /// Sends a request with its body, counting bytes as they go, and judges the answer.
    async fn exchange(
        &self,
        request: RequestBuilder,
        bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<StatusCode, Trouble> {
        let attempt = self.progress.attempt();
        let counter = attempt.clone();
        let body = Body::wrap_stream(bytes.inspect_ok(move |chunk| counter.add(chunk.len())));
        let outcome = match request.body(body).send().await {
            Ok(answer) => self.judge(answer).await,
            Err(error) => Err(unreachable(&self.store, error)),
        };
        if outcome.is_err() {
            attempt.take_back();
        }
        outcome
    }

    async fn judge(&self, answer: reqwest::Response) -> Result<StatusCode, Trouble> {
        let status = answer.status();
        if status.is_success() || status == StatusCode::PRECONDITION_FAILED {
            return Ok(status);
        }
        let text = answer.text().await.unwrap_or_default();
        let code = element(&text, "Code").unwrap_or_default();
        let message = element(&text, "Message").unwrap_or_default();
        let error = anyhow!("{} answered {status}: {code}: {message}", self.store);
        let expired = message.contains("expired") || code == "ExpiredToken";
        Err(match status {
            StatusCode::FORBIDDEN if expired => Trouble::Expired(error),
            StatusCode::INSUFFICIENT_STORAGE => Trouble::Lasting(error),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Trouble::Passing(error),
            _ if status.is_server_error() || code == "RequestTimeout" => Trouble::Passing(error),
            _ => Trouble::Lasting(error),
        })
    }
}

/// The text of an XML answer's first element of that name.
pub(in crate::cli) fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}
