//! Requests to the store as anybody might send them: signed by one identity, and with whatever a hostile client adds.
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use loadlock_sigv4::{Bucket as Place, Payload, Presign, Request, SignError, Signer};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};

pub(super) use self::ask::{Answer, Ask, At, Pairs, Unreachable, Who};
use crate::{
    bucket::{ReaderIdentity, ServerIdentity, Source, StoreSettings, UploaderIdentity},
    cli::put::service::client,
    clock::Clock,
};

mod ask;
mod form;

/// How long a signature holds.
const LIFETIME: Duration = Duration::from_mins(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A URL, and the headers that carry a signature.
type Signed = (String, Vec<(&'static str, String)>);

/// Where something may lie, and which multipart upload it is, if it is one.
type Touched = (At, String, Option<String>);

/// The store, as each of them reaches it.
pub(super) struct Wire {
    http: Client,
    clock: Clock,
    uploader: Signer,
    server: Signer,
    reader: Signer,
    session: OnceLock<Signer>,
    /// As the server reaches it.
    inside: [Place; 2],
    /// As browsers do.
    outside: [Place; 2],
    /// What may lie there now.
    touched: Mutex<BTreeSet<Touched>>,
}

impl Wire {
    pub(super) async fn open(store: &StoreSettings, clock: Clock) -> anyhow::Result<Self> {
        let UploaderIdentity(uploader) = &store.uploader;
        let ServerIdentity(server) = &store.server;
        let ReaderIdentity(reader) = &store.reader;
        let places = |endpoint: &str| -> Result<[Place; 2], SignError> {
            let place = |bucket| Place::new(endpoint, bucket, store.style);
            Ok([place(&store.staging_bucket)?, place(&store.final_bucket)?])
        };
        let url = Url::parse(&store.endpoint).context("the store's endpoint is no URL")?;
        Ok(Self {
            http: client(&url)?.timeout(PATIENCE).build()?,
            clock,
            uploader: signer("uploader", uploader, &store.region).await?,
            server: signer("server", server, &store.region).await?,
            reader: signer("reader", reader, &store.region).await?,
            session: OnceLock::new(),
            inside: places(&store.endpoint).context("the store's endpoint")?,
            outside: places(&store.public_endpoint).context("the store's public endpoint")?,
            touched: Mutex::default(),
        })
    }

    /// Sends it. An answer that it is the store which failed is none.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Answer, Unreachable> {
        if matches!(ask.method, "PUT" | "POST") {
            self.touch(ask.at, ask.detour.unwrap_or(ask.key), None);
        }
        let (mut url, headers) = self.sign(ask)?;
        if let Some(detour) = ask.detour {
            url = url.replacen(ask.key, detour, 1);
        }
        let method = Method::from_bytes(ask.method.as_bytes());
        let method = method.map_err(|error| Unreachable(error.to_string()))?;
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        // The length is the body's own, whatever was signed; what is added takes the place of what was signed.
        let added =
            |name| name == "content-length" || ask.added.iter().any(|(added, _)| *added == name);
        let given = ask.signed.iter().filter(|(name, _)| !added(*name));
        for (name, value) in given.chain(ask.added) {
            request = request.header(*name, *value);
        }
        if matches!(ask.method, "PUT" | "POST") {
            // An empty body's too: Ceph wants it said.
            let length = ask.body.len();
            request = request
                .header("content-length", length)
                .body(ask.body.to_vec());
        }
        answer(request).await
    }

    fn sign(&self, ask: &Ask<'_>) -> Result<Signed, SignError> {
        let now = SystemTime::from(self.clock.now()) - ask.age;
        let key = (!ask.key.is_empty()).then_some(ask.key);
        let bucket = &self.outside[ask.at as usize];
        let signer = match ask.who {
            Who::Uploader => Some(&self.uploader),
            Who::Reader => Some(&self.reader),
            Who::Server => {
                let request = Request {
                    method: ask.method,
                    bucket: &self.inside[ask.at as usize],
                    key,
                    query: ask.query,
                    headers: ask.signed,
                    payload: Payload::of(ask.body),
                };
                let signed = self.server.authorize(now, &request)?;
                return Ok((signed.url, signed.headers));
            }
            Who::Session => self.session.get(),
            Who::Stranger => None,
        };
        let Some(signer) = signer else {
            return Ok((plain(bucket, ask), Vec::new()));
        };
        let request = Presign {
            method: ask.method,
            bucket,
            key,
            query: ask.query,
            headers: ask.signed,
            expires: LIFETIME,
        };
        let mut url = String::new();
        signer.presign(&mut url, now, &request)?;
        Ok((url, Vec::new()))
    }

    /// Signs with temporary credentials from now on, where these are asked for.
    pub(super) fn lend(&self, signer: Signer) {
        let _ = self.session.set(signer);
    }

    /// Remembers to delete it.
    pub(super) fn touch(&self, at: At, key: &str, upload: Option<&str>) {
        if !key.is_empty() {
            let what = (at, key.to_owned(), upload.map(str::to_owned));
            self.touched().insert(what);
        }
    }

    /// Deletes, as the server, everything that may have been written; how much could not be.
    pub(super) async fn clear(&self) -> Result<usize, Unreachable> {
        let touched = self.touched().clone();
        let (mut left, mut lost) = (0, None);
        for (at, key, upload) in &touched {
            let query = [("uploadId", upload.as_deref().unwrap_or_default())];
            let delete = Ask {
                query: if upload.is_some() { &query } else { &[] },
                ..Ask::new(Who::Server, "DELETE", *at, key)
            };
            match self.send(&delete).await {
                Ok(answer) if answer.done() || answer.status == StatusCode::NOT_FOUND => {}
                Ok(_) => left += 1,
                Err(why) => lost = Some(why),
            }
        }
        lost.map_or(Ok(left), Err)
    }

    fn touched(&self) -> MutexGuard<'_, BTreeSet<Touched>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn signer(name: &str, who: &Source, region: &str) -> anyhow::Result<Signer> {
    let credentials = who.credentials(region).await;
    let credentials = credentials.with_context(|| format!("no keys for the {name} identity"))?;
    Ok(Signer::new(credentials, region))
}

fn plain(bucket: &Place, ask: &Ask<'_>) -> String {
    let url = bucket.url();
    let query: Vec<_> = ask
        .query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!(
        "{}/{}?{}",
        url.trim_end_matches('/'),
        ask.key,
        query.join("&")
    )
    .trim_end_matches(['?', '/'])
    .to_owned()
}

async fn answer(request: RequestBuilder) -> Result<Answer, Unreachable> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let answer = Answer {
        status,
        headers,
        body: answer.bytes().await?.to_vec(),
    };
    if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
        return Err(Unreachable(format!("the store answered {answer}")));
    }
    Ok(answer)
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}
