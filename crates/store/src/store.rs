//! The store as its embedder sees it, and the way of a request through it: target, operation, signature, permission,
//! body, disk, answer.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::request::Parts;
use http::{Method, StatusCode, header};
use loadlock_sigv4::Rules;

use crate::access::{Identity, People};
use crate::auth;
use crate::body::Source;
use crate::clock::Clock;
use crate::config;
use crate::cors::{Cors, CorsRule};
use crate::disk::{BucketName, Disk, DiskError, Expired, OpenError};
use crate::error::{Code, S3Error, S3Result};
use crate::lifecycle::Lifecycle;
use crate::operation::Operation;
use crate::ops::{self, Call};
use crate::reply::{self, Reply};
use crate::request::{Request, Target};
use crate::sts::{self, Role, Roles};
use crate::tagging;

/// The header of every answer by which the store says what it is: it keeps neither storage classes nor encryption.
pub const SELF: &str = "x-loadlock-store";

/// How a store is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept. One process at a time may have it open.
    pub dir: PathBuf,
    /// The region that signatures must name.
    pub region: String,
    pub clock: Clock,
    pub identities: Vec<Identity>,
    /// What identities that may `sts:AssumeRole` can be for a while.
    pub roles: Vec<Role>,
    /// With `s3.example`, a request to `bucket.s3.example` names its bucket by its host. Path style always works.
    pub domain: Option<String>,
}

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    disk: Disk,
    clock: Clock,
    region: String,
    people: People,
    domain: Option<String>,
    next_request: AtomicU64,
}

/// Why an embedder's order was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("the rules are not sound: {0}")]
    Rules(String),
}

impl From<S3Error> for StoreError {
    fn from(error: S3Error) -> Self {
        Self::Rules(error.message.into_owned())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("disk", &self.0.disk)
            .field("region", &self.0.region)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store, making it if there is none. Blocks.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let Config {
            dir,
            region,
            clock,
            identities,
            roles,
            domain,
        } = config;
        let disk = Disk::open(&dir, clock.clone())?;
        let roles = Roles::open_in(&dir, roles)?;
        // Request ids go on counting from the time of the start, so that two runs share none.
        let start = clock
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let next_request = AtomicU64::new(u64::try_from(start).unwrap_or_default());
        Ok(Self(Arc::new(Inner {
            disk,
            clock,
            region,
            people: People { identities, roles },
            domain,
            next_request,
        })))
    }

    /// Makes a bucket unless it is there.
    pub async fn ensure_bucket(&self, name: &str) -> Result<(), StoreError> {
        match self.0.disk.create_bucket(&BucketName::parse(name)?).await {
            Ok(_) | Err(DiskError::BucketAlreadyExists) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces a bucket's CORS rules.
    pub async fn put_cors(&self, bucket: &str, rules: Vec<CorsRule>) -> Result<(), StoreError> {
        let bucket = BucketName::parse(bucket)?;
        Ok(config::put_cors(&self.0.disk, &bucket, &Cors::new(rules)?).await?)
    }

    /// Replaces a bucket's lifecycle rules.
    pub async fn put_lifecycle(&self, bucket: &str, rules: &Lifecycle) -> Result<(), StoreError> {
        config::check_lifecycle(rules)?;
        Ok(self
            .0
            .disk
            .put_lifecycle(&BucketName::parse(bucket)?, rules)
            .await?)
    }

    /// Expires objects and aborts uploads by their buckets' rules and the store's clock, all that are due.
    pub async fn run_lifecycle(&self) -> Result<Expired, StoreError> {
        let mut total = Expired::default();
        loop {
            let round = self.0.disk.apply_lifecycle().await?;
            total.objects += round.objects;
            total.uploads += round.uploads;
            if !round.more {
                return Ok(total);
            }
        }
    }

    /// Resolves when nothing can be written any more.
    pub(crate) async fn broken(&self) {
        self.0.disk.broken().await;
    }

    /// Answers one request. What is left of its body stays in `source`.
    pub(crate) async fn answer(&self, head: Parts, source: &mut Source) -> Reply {
        let started = Instant::now();
        let id = format!(
            "{:016X}",
            self.0.next_request.fetch_add(1, Ordering::Relaxed)
        );
        let (method, resource) = (head.method.clone(), head.uri.path().to_owned());
        let page = Page::of(&head, self.0.domain.as_deref());
        let mut operation = None;
        let result = self.carry_out(head, source, &mut operation).await;
        let code = result.as_ref().err().map(|error| error.code.name());
        let mut reply = result.unwrap_or_else(|error| reply::error(&error, &resource, &id));
        if method == Method::HEAD && code.is_some() {
            *reply.body_mut() = reply::empty(StatusCode::OK).into_body();
        }
        reply::set_named(reply.headers_mut(), "x-amz-request-id", &id);
        reply::set_named(reply.headers_mut(), SELF, "embedded");
        if let Some(page) = page.as_ref().filter(|_| method != Method::OPTIONS) {
            self.let_page_read(page, &mut reply).await;
        }
        let operation = operation.map_or("-", Operation::name);
        let bucket = page.as_ref().map_or("-", |page| page.bucket.as_str());
        let (status, elapsed) = (reply.status().as_u16(), started.elapsed());
        tracing::debug!(request = id, %method, operation, bucket, status, code, ?elapsed, "answered");
        reply
    }

    async fn carry_out(
        &self,
        head: Parts,
        source: &mut Source,
        found: &mut Option<Operation>,
    ) -> S3Result<Reply> {
        let store = &*self.0;
        let request = Request::read(head, store.domain.as_deref())?;
        if request.method == Method::OPTIONS {
            return self.preflight(&request).await;
        }
        if request.target == Target::Service && request.method == Method::POST {
            return Ok(self.sts(&request, source).await);
        }
        let operation = Operation::of(&request)?;
        *found = Some(operation);
        let rules = Rules::new(&store.region, store.clock.now());
        if operation == Operation::PostObject {
            return ops::post_object(&store.disk, &store.people, &rules, &request, source).await;
        }
        let (caller, framing) = auth::authenticate(&store.people, &rules, &request, None)?;
        tracing::trace!(
            identity = caller.name(),
            operation = operation.name(),
            "authenticated"
        );
        caller.require_operation(operation, &request)?;
        request.attributes.check_owner()?;
        request.attributes.refuse_unsupported()?;
        if !operation.keeps_tags() && request.attributes.value(tagging::HEADER).is_some() {
            return Err(S3Error::not_implemented(tagging::HEADER));
        }
        let call = Call {
            disk: &store.disk,
            region: &store.region,
            caller: &caller,
            request: &request,
            source,
            framing,
        };
        call.run(operation).await
    }

    /// A request to the Security Token Service, which S3's own address has no other use for.
    async fn sts(&self, request: &Request, source: &mut Source) -> Reply {
        let store = &*self.0;
        let rules = Rules {
            service: "sts",
            ..Rules::new(&store.region, store.clock.now())
        };
        let call = sts::Call {
            people: &store.people,
            rules: &rules,
            serial: store.next_request.fetch_add(1, Ordering::Relaxed),
        };
        call.answer(request, source).await
    }

    /// A browser's question whether a page may send a request: answered to anybody.
    async fn preflight(&self, request: &Request) -> S3Result<Reply> {
        let bucket = request.target.bucket().ok_or(Code::AccessForbidden)?;
        let cors = config::cors(&self.0.disk, bucket).await.ok().flatten();
        let cors = cors.ok_or_else(|| {
            S3Error::new(
                Code::AccessForbidden,
                "CORSResponse: CORS is not enabled for this bucket.",
            )
        })?;
        let mut reply = reply::empty(StatusCode::OK);
        *reply.headers_mut() = cors.preflight(&request.headers)?;
        Ok(reply)
    }

    /// Adds CORS headers, to errors too: without them a page cannot read why it was refused.
    async fn let_page_read(&self, page: &Page, reply: &mut Reply) {
        let mut cors = Cors::default();
        if page.origin.is_some() {
            let rules = config::cors(&self.0.disk, &page.bucket).await;
            cors = rules.ok().flatten().unwrap_or_default();
        }
        let headers = cors.answer(page.method.as_str(), page.origin.as_deref());
        reply.headers_mut().extend(headers);
    }

    /// How many seconds of real time lie between two looks at the lifecycle rules.
    pub(crate) const LIFECYCLE_INTERVAL: Duration = Duration::from_mins(1);
}

/// What of a request decides on its CORS headers.
struct Page {
    method: Method,
    origin: Option<String>,
    bucket: BucketName,
}

impl Page {
    fn of(head: &Parts, domain: Option<&str>) -> Option<Self> {
        let origin = head.headers.get(header::ORIGIN);
        Some(Self {
            method: head.method.clone(),
            origin: origin.and_then(|origin| Some(origin.to_str().ok()?.to_owned())),
            bucket: Target::bucket_of(head, domain)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Config, Store};

    #[tokio::test]
    async fn a_store_that_can_write_no_more_stops_serving() {
        let dir = tempfile::TempDir::new().unwrap();
        let config = Config {
            dir: dir.path().join("made/on/the/way"),
            region: "eu-central-1".to_owned(),
            clock: Clock::system(),
            identities: Vec::new(),
            roles: Vec::new(),
            domain: None,
        };
        let store = Store::open(config).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let served = tokio::spawn(store.clone().serve(listener, std::future::pending()));
        store.0.disk.panic_in_commit().await;
        assert!(served.await.unwrap().is_err());
    }
}
