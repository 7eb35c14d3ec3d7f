//! A served store, a signer that it trusts, and an HTTP client of a few lines.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadlock_sigv4::{Bucket, Payload, Presign, Request, Signer, Style};
use loadlock_store::{Clock, Config, Credentials, Identity, Policy, Role, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const REGION: &str = "eu-central-1";
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// What the role `uploads` may do.
const UPLOADS: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::staging/cred/*"},
    {"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::staging/cred/closed/*"}]}"#;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) signer: Signer,
    pub(crate) bucket: Bucket,
    pub(crate) address: String,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
    _dir: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of an error, or the status of a success.
    pub(crate) fn code(&self) -> String {
        let text = self.text();
        let code = text
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once("</Code>"));
        code.map_or_else(|| self.status.to_string(), |(code, _)| code.to_owned())
    }
}

impl World {
    /// One bucket, `staging`, and one identity that may do everything. It is noon on 1 July 2026.
    pub(crate) async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(495_252));
        let credentials = credentials_of("admin");
        let identity = identity_of("admin", EVERYTHING);
        let config = Config {
            dir: dir.path().to_owned(),
            region: REGION.to_owned(),
            clock: clock.clone(),
            identities: vec![
                identity,
                identity_of("nobody", r#"{"Version":"2012-10-17","Statement":[]}"#),
            ],
            roles: vec![Role {
                name: "uploads".to_owned(),
                policy: Policy::from_json(UPLOADS).unwrap(),
            }],
            domain: None,
        };
        let store = Store::open(config).unwrap();
        store.ensure_bucket("staging").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(store.clone().serve(listener, async move {
            let _ = stopped.await;
        }));
        Self {
            store,
            clock,
            signer: Signer::new(credentials, REGION),
            bucket: Bucket::new(&format!("http://{address}"), "staging", Style::Path).unwrap(),
            address,
            stop: Some(stop),
            server,
            _dir: dir,
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The path and query of a presigned URL.
    pub(crate) fn presign(&self, method: &str, key: &str, expires: Duration) -> String {
        let mut url = String::new();
        let request = Presign::new(method, &self.bucket, key, expires);
        self.signer.presign(&mut url, self.now(), &request).unwrap();
        self.path_of(&url)
    }

    /// Path and headers of a request signed in its header.
    pub(crate) fn authorize(
        &self,
        method: &str,
        key: Option<&str>,
        query: &[(&str, &str)],
        body: &[u8],
    ) -> (String, Vec<(String, String)>) {
        let request = Request {
            method,
            bucket: &self.bucket,
            key,
            query,
            headers: &[],
            payload: Payload::of(body),
        };
        let signed = self.signer.authorize(self.now(), &request).unwrap();
        let headers = signed.headers.into_iter();
        (
            self.path_of(&signed.url),
            headers
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    fn path_of(&self, url: &str) -> String {
        url.strip_prefix(&format!("http://{}", self.address))
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Signs with the header, sends, and takes the answer.
    pub(crate) async fn call(
        &self,
        method: &str,
        key: Option<&str>,
        query: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let (path, headers) = self.authorize(method, key, query, body);
        self.send(method, &path, &headers, body).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Answer {
        let mut stream = self.connect().await;
        stream
            .write_all(&self.head(method, path, headers, body.len()))
            .await
            .unwrap();
        stream.write_all(body).await.unwrap();
        answer(&mut stream).await
    }

    /// The head of a request after which the store closes.
    pub(crate) fn head(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        length: usize,
    ) -> Vec<u8> {
        let host = headers.iter().find(|(name, _)| name == "host");
        let host = host.map_or(self.address.as_str(), |(_, host)| host.as_str());
        let mut lines = vec![
            format!("{method} {path} HTTP/1.1"),
            format!("host: {host}"),
            "connection: close".to_owned(),
            format!("content-length: {length}"),
        ];
        lines.extend(
            headers
                .iter()
                .filter(|(name, _)| name != "host")
                .map(|(name, value)| format!("{name}: {value}")),
        );
        (lines.join("\r\n") + "\r\n\r\n").into_bytes()
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn stopped(self) -> std::io::Result<()> {
        self.server.await.unwrap()
    }
}

pub(crate) fn credentials_of(name: &str) -> Credentials {
    Credentials::new(format!("AK{}", name.to_uppercase()), "hush-hush")
}

fn identity_of(name: &str, policy: &str) -> Identity {
    Identity {
        name: name.to_owned(),
        credentials: credentials_of(name),
        policy: Policy::from_json(policy).unwrap(),
    }
}

/// Reads until the store closes.
pub(crate) async fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A connection that is cut off may end in a reset; what came before it counts.
    let _ = stream.read_to_end(&mut bytes).await;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    let body = bytes.get(end + 4..).unwrap_or_default().to_vec();
    Answer { status, head, body }
}
