//! The real router over real records, for what happens before and around a flow: no store stands behind it.

use std::fmt::Write as _;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use loadlock::{
    app::App,
    auth::{KeyRing, Secret, Token},
    bucket::{
        CopyPin, Credentials, ReaderIdentity, ServerIdentity, StoreSettings, Style,
        UploaderIdentity,
    },
    clock::Ids,
    config::{Audit, Config, Origins, dev_profiles},
    limits::Limits,
    upload::Quota,
};
use serde_json::Value;
use tower::ServiceExt as _;

pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) user: String,
    _dir: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `404 not_found: there is nothing at this address`
    pub(crate) fn refusal(&self) -> String {
        let error = &self.json()["error"];
        let mut text = format!("{} ", self.status.as_u16());
        write!(
            text,
            "{}: {}",
            error["code"].as_str().unwrap(),
            error["message"].as_str().unwrap()
        )
        .unwrap();
        text
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Service {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ids = Ids::seeded(1);
        let user = Secret::new("llu_of-the-demo-user");
        let pair = |name: &str| Credentials::new(name, "secret");
        let config = Config {
            api_url: "http://127.0.0.1:8080".to_owned(),
            records: dir.path().join("records.db"),
            store: StoreSettings {
                endpoint: "http://127.0.0.1:9".to_owned(),
                public_endpoint: "http://127.0.0.1:9".to_owned(),
                region: "us-east-1".to_owned(),
                style: Style::Path,
                staging_bucket: "staging".to_owned(),
                final_bucket: "final".to_owned(),
                conditional_writes: true,
                copy_pin: CopyPin::S3,
                uploader: UploaderIdentity(pair("uploader").into()),
                server: ServerIdentity(pair("server").into()),
                reader: ReaderIdentity(pair("reader").into()),
            },
            profiles: dev_profiles().unwrap(),
            origins: Origins::Loopback,
            secrets: KeyRing::new(Secret::new("the service's own"), vec![]),
            user_secrets: Vec::new(),
            issuers: Vec::new(),
            authorizer: None,
            upload_url: None,
            scanning: loadlock::scan::Scanning::default(),
            audit: Audit::default(),
            credentials: None,
            quotas: Quota::default(),
            limits: Limits::default(),
            tokens: vec![Token::user(&user, "demo".parse().unwrap())],
        };
        let start: jiff::Timestamp = "2026-11-21T22:30:00Z".parse().unwrap();
        let clock = loadlock_store::Clock::manual(start.into()).into();
        let app = App::open(config, clock, ids).await.unwrap();
        Self {
            router: loadlock::router(app),
            user: user.expose().to_owned(),
            _dir: dir,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A request without a body, signed in as the demo user.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.user));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A POST of JSON, signed in as the demo user.
    pub(crate) async fn post(&self, path: &str, json: impl Into<Body>) -> Answer {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", self.user))
            .header("content-type", "application/json");
        self.send(request.body(json.into()).unwrap()).await
    }
}
