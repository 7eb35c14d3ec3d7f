//! A whole service in one process: records, store, background work; a client's and an operator's hands on it.

use std::{
    fmt::Debug,
    net::SocketAddr,
    time::{Duration, UNIX_EPOCH},
};

use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, request},
};
use loadlock::{
    app::App,
    auth::{Caller, KeyRing, Secret, Token},
    bucket::{
        CopyPin, Credentials, ReaderIdentity, ServerIdentity, StoreSettings, Style,
        UploaderIdentity, Vending, Way,
    },
    clock::Ids,
    config::{Audit, Config, Origins, dev_profiles},
    error::{Error, Kind},
    flow::{self, Begin, Begun, Claim, FileQuery, Grant, Progress, ShownFile, SignedPart},
    jobs,
    limits::Limits,
    records::{Change, FileChange, NewClaim, Outcome},
    upload::{Metadata, Profile, Promote, Quota, UploadId},
};
use loadlock_sigv4::{Bucket, Presign, Signer};
use loadlock_store::{
    Clock, Identity, Policy, Role, Store,
    lifecycle::{Expiration, Lifecycle, Rule, Status},
};
use reqwest::{Client, Response, redirect};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, SqlitePool};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::proxy::{Faults, Proxy};

pub(crate) const REGION: &str = "us-east-1";
const PREPARED: &str = "a world is ended with `end`, which looks for what was left over";

/// A service with its store. Its `end` must be called: it fails if a job or a staged object is left over.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    pub(crate) http: Client,
    pub(crate) faults: Faults,
    pub(crate) store: Store,
    pub(crate) endpoint: String,
    ended: bool,
    _dir: TempDir,
}

pub(crate) fn credentials(name: &str) -> Credentials {
    Credentials::new(format!("AKID{name}"), format!("secret-of-{name}"))
}

fn policy(actions: &[&str], resources: &[&str]) -> Policy {
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": resources},
        {"Effect": "Deny", "NotAction": actions, "Resource": "*"},
    ]});
    Policy::from_json(&document.to_string()).unwrap()
}

fn identities() -> Vec<Identity> {
    let all = |bucket: &str| {
        [
            format!("arn:aws:s3:::{bucket}"),
            format!("arn:aws:s3:::{bucket}/*"),
        ]
    };
    let both = [all("staging"), all("final")].concat();
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    let server = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:ListBucket",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ];
    let identity = |name: &str, policy: Policy| Identity {
        name: name.to_owned(),
        credentials: credentials(name),
        policy,
    };
    vec![
        identity(
            "uploader",
            policy(
                &["s3:PutObject", "sts:AssumeRole"],
                &["arn:aws:s3:::staging/in/*", ROLE],
            ),
        ),
        identity("server", policy(&server, &both)),
        identity(
            "reader",
            policy(&["s3:GetObject"], &["arn:aws:s3:::final/*"]),
        ),
        identity("operator", policy(&["s3:*"], &["*"])),
    ]
}

const ROLE: &str = "arn:aws:iam::000000000000:role/uploads";

/// What temporary credentials are of.
fn role() -> Role {
    let may = ["s3:PutObject", "s3:AbortMultipartUpload"];
    Role {
        name: "uploads".to_owned(),
        policy: policy(&may, &["arn:aws:s3:::staging/cred/*"]),
    }
}

fn vending(endpoint: String) -> Vending {
    let role_arn = ROLE.to_owned();
    Vending {
        way: Way::Sts { role_arn },
        endpoint: Some(endpoint),
        lifetime: Duration::from_hours(1),
        per_owner: 32,
    }
}

/// What the API's callers send as bearer.
pub(crate) const USER_TOKEN: &str = "llu_me";
pub(crate) const OTHER_TOKEN: &str = "llu_other";
pub(crate) const API_KEY: &str = "llk_shop";

fn tokens() -> Vec<Token> {
    let secret = |text: &str| Secret::new(text.to_owned());
    vec![
        Token::user(&secret(USER_TOKEN), "me".parse().unwrap()),
        Token::user(&secret(OTHER_TOKEN), "other".parse().unwrap()),
        Token::server(&secret(API_KEY), "shop"),
    ]
}

fn store_settings(endpoint: String, public: &str) -> StoreSettings {
    StoreSettings {
        endpoint,
        public_endpoint: public.to_owned(),
        region: REGION.to_owned(),
        style: Style::Path,
        staging_bucket: "staging".to_owned(),
        final_bucket: "final".to_owned(),
        conditional_writes: true,
        copy_pin: CopyPin::S3,
        uploader: UploaderIdentity(credentials("uploader").into()),
        server: ServerIdentity(credentials("server").into()),
        reader: ReaderIdentity(credentials("reader").into()),
    }
}

/// `image` and its fellows as `dev` has them; `raw` and `raw-claimed` take anything, empty files too.
fn profiles() -> Vec<Profile> {
    let mut profiles = dev_profiles().unwrap();
    let raw = |name: &str, promote| Profile {
        name: name.to_owned(),
        types: vec!["*/*".parse().unwrap()],
        min_size_bytes: 0,
        max_size_bytes: 1 << 30,
        promote,
        ..profiles[0].clone()
    };
    let more = [
        raw("raw", Promote::OnComplete),
        raw("raw-claimed", Promote::OnClaim),
    ];
    profiles.extend(more);
    profiles
}

fn client() -> Client {
    let builder = Client::builder().redirect(redirect::Policy::none());
    builder.build().unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(24 * 365 * 56 + 24 * 14));
        let store = Store::open(loadlock_store::Config {
            dir: dir.path().join("store"),
            region: REGION.to_owned(),
            clock: clock.clone(),
            identities: identities(),
            roles: vec![role()],
            domain: None,
        })
        .unwrap();
        store.ensure_bucket("staging").await.unwrap();
        store.ensure_bucket("final").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(store.clone().serve(listener, std::future::pending()));
        let proxy = Proxy::start(&endpoint, clock.clone().into()).await;
        let config = Config {
            api_url: "http://api.test".to_owned(),
            records: dir.path().join("records.db"),
            store: store_settings(proxy.address.clone(), &endpoint),
            profiles: profiles(),
            origins: Origins::Listed(vec!["https://app.test".to_owned()]),
            tokens: tokens(),
            secrets: KeyRing::new(Secret::new("the service's own"), vec![]),
            user_secrets: Vec::new(),
            issuers: Vec::new(),
            authorizer: None,
            upload_url: Some("image".to_owned()),
            scanning: loadlock::scan::Scanning::default(),
            audit: Audit::default(),
            credentials: Some(vending(proxy.address)),
            quotas: Quota::default(),
            limits: Limits::default(),
        };
        let app = App::open(config, clock.clone().into(), Ids::seeded(7))
            .await
            .unwrap();
        Self {
            app,
            clock,
            http: client(),
            faults: proxy.faults,
            store,
            endpoint,
            ended: false,
            _dir: dir,
        }
    }

    pub(crate) async fn begin(&self, begin: Begin) -> Begun {
        flow::begin(&self.app, &me(), begin, None).await.unwrap()
    }

    pub(crate) async fn complete(&self, id: UploadId) -> Result<Progress, Error> {
        flow::complete(&self.app, &me(), id).await
    }

    pub(crate) async fn claim(
        &self,
        ids: &[UploadId],
        title: &str,
    ) -> Result<Vec<ShownFile>, Error> {
        let claim = Claim {
            ids: ids.to_vec(),
            owner: "me".to_owned(),
            metadata: form(title),
        };
        flow::claim(&self.app, &server(), claim).await
    }

    pub(crate) async fn state(&self, id: UploadId) -> &'static str {
        let upload = self.app.records.upload(id).await.unwrap().unwrap();
        upload.state.name()
    }

    /// Sends, as a browser would, all that the grant allows; answers with the last answer.
    pub(crate) async fn send(&self, grant: &Grant, bytes: &[u8]) -> Response {
        match grant {
            Grant::Put { url, headers, .. } => {
                self.put(url.expose(), headers, bytes.to_vec()).await
            }
            Grant::Post { url, fields, .. } => {
                let fields: Vec<(&str, &str)> = fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.expose()))
                    .collect();
                self.post(url, &fields, bytes).await
            }
            Grant::Multipart {
                parts,
                part_size_bytes,
                ..
            } => {
                let mut last = None;
                for part in parts {
                    last = Some(self.send_part(part, *part_size_bytes, bytes).await);
                }
                last.unwrap()
            }
        }
    }

    pub(crate) async fn send_part(
        &self,
        part: &SignedPart,
        part_size: u64,
        bytes: &[u8],
    ) -> Response {
        let start = usize::try_from(u64::from(part.number.value() - 1) * part_size).unwrap();
        let end = start + usize::try_from(part.size_bytes).unwrap();
        self.put(part.url.expose(), &part.headers, bytes[start..end].to_vec())
            .await
    }

    pub(crate) async fn put(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Response {
        let request = headers
            .iter()
            .fold(self.http.put(url), |request, (name, value)| {
                request.header(name, value)
            });
        // An empty body would otherwise go without a length.
        let length = body.len();
        request
            .header("content-length", length)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn post(&self, url: &str, fields: &[(&str, &str)], file: &[u8]) -> Response {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!(
                "--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend(part.into_bytes());
        }
        body.extend(
            b"--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n",
        );
        body.extend(file);
        body.extend(b"\r\n--edge--\r\n");
        let post = self
            .http
            .post(url)
            .header("content-type", "multipart/form-data; boundary=edge");
        post.body(body).send().await.unwrap()
    }

    /// One request to the API; `Null` is no body, and no token nobody.
    pub(crate) async fn ask(&self, token: &str, request: &str, body: Value) -> Answer {
        self.ask_with(token, request, body, &[]).await
    }

    /// The same, with more headers.
    pub(crate) async fn ask_with(
        &self,
        token: &str,
        request: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.answer(signed(token, request, headers), body).await
    }

    /// The same, over a connection from an address.
    pub(crate) async fn ask_from(
        &self,
        (address, headers): (&str, &[(&str, &str)]),
        token: &str,
        request: &str,
        body: Value,
    ) -> Answer {
        let peer = SocketAddr::new(address.parse().unwrap(), 40_000);
        let request = signed(token, request, headers).extension(ConnectInfo(peer));
        self.answer(request, body).await
    }

    /// One request of a caller whom the application around the service has let in.
    pub(crate) async fn ask_as(&self, caller: &Caller, request: &str, body: Value) -> Answer {
        let request = request_for(request).extension(caller.clone());
        self.answer(request, body).await
    }

    async fn answer(&self, request: request::Builder, body: Value) -> Answer {
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request
                .header("content-type", "application/json")
                .body(body.to_string().into()),
        };
        let router = loadlock::router(self.app.clone());
        let answer = router.oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    /// PUTs to where a grant, or one of its parts, says; the answer's status.
    pub(crate) async fn put_grant(&self, grant: &Value, bytes: &[u8]) -> u16 {
        let headers = grant["headers"].as_object().unwrap();
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let url = grant["url"].as_str().unwrap();
        let answer = self.put(url, &headers, bytes.to_vec()).await;
        answer.status().as_u16()
    }

    pub(crate) async fn fetch(&self, url: &str) -> Response {
        self.http.get(url).send().await.unwrap()
    }

    /// What is shown of a stored file.
    pub(crate) async fn bytes_of(&self, id: UploadId) -> Vec<u8> {
        let shown = flow::file(&self.app, &me(), id).await.unwrap();
        let response = self.fetch(shown.display.url.expose()).await;
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap().to_vec()
    }

    pub(crate) async fn work(&self) {
        jobs::run_once(&self.app).await.unwrap();
    }

    /// Ends the service and starts it again over the same records, with a configuration that has changed.
    pub(crate) async fn restart(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = (*self.app.config).clone();
        change(&mut config);
        let ids = Ids::seeded(self.rows("uploads").await.unsigned_abs() + 1000);
        self.app = App::open(config, self.clock.clone().into(), ids)
            .await
            .unwrap();
    }

    /// How many rows a table of the records has.
    pub(crate) async fn rows(&self, table: &str) -> i64 {
        let path = self.app.config.records.to_str().unwrap();
        let database = SqlitePool::connect(path).await.unwrap();
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(count)
            .fetch_one(&database)
            .await
            .unwrap()
    }

    /// What a multipart upload leaves whose creation was lost is nobody's: the bucket's own rule clears it away.
    pub(crate) async fn clear_unfinished(&self) {
        let rules = Lifecycle {
            rules: vec![Rule {
                id: "unfinished".to_owned(),
                status: Status::Enabled,
                prefix: String::new(),
                expiration: None::<Expiration>,
                abort_uploads_after_days: Some(1),
            }],
        };
        self.store.put_lifecycle("staging", &rules).await.unwrap();
        self.clock.advance(Duration::from_hours(49));
        self.store.run_lifecycle().await.unwrap();
    }

    /// What those who are told of changes will be told of this upload, in order.
    pub(crate) async fn events(&self, id: UploadId) -> Vec<String> {
        let path = self.app.config.records.to_str().unwrap();
        let database = SqlitePool::connect(path).await.unwrap();
        sqlx::query_scalar("SELECT name FROM events WHERE upload_id = $1 ORDER BY id")
            .bind(id.to_bytes().to_vec())
            .fetch_all(&database)
            .await
            .unwrap()
    }

    /// A bucket's keys and unfinished uploads, as the operator sees them.
    pub(crate) async fn lies_in(&self, bucket: &str) -> Vec<String> {
        let mut found = self.list(bucket, ("list-type", "2")).await;
        found.extend(self.list(bucket, ("uploads", "")).await);
        found
    }

    /// What the operator may do, who may do anything.
    fn operators(
        &self,
        method: &str,
        (bucket, key): (&str, Option<&str>),
        query: &[(&str, &str)],
    ) -> String {
        let place = Bucket::new(&self.endpoint, bucket, Style::Path).unwrap();
        let signer = Signer::new(credentials("operator"), REGION);
        let request = Presign {
            method,
            bucket: &place,
            key,
            query,
            headers: &[],
            expires: Duration::from_mins(1),
        };
        let mut url = String::new();
        signer
            .presign(&mut url, self.clock.now(), &request)
            .unwrap();
        url
    }

    /// Writes into staging as no grant allows: what a store would let through that does not hold to what is signed.
    pub(crate) async fn let_through(&self, key: &str, query: &[(&str, &str)], bytes: &[u8]) {
        let url = self.operators("PUT", ("staging", Some(key)), query);
        let headers = [(
            "content-type".to_owned(),
            "application/octet-stream".to_owned(),
        )];
        let answer = self.put(&url, &headers, bytes.to_vec()).await;
        assert_eq!(answer.status(), 200);
    }

    async fn list(&self, bucket: &str, query: (&str, &str)) -> Vec<String> {
        let url = self.operators("GET", (bucket, None), &[query]);
        let response = self.fetch(&url).await;
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        text.split("<Key>")
            .skip(1)
            .filter_map(|rest| rest.split("</Key>").next().map(str::to_owned))
            .collect()
    }

    /// Lets all time pass and all work be done; then nothing may be due and nothing may lie in staging.
    pub(crate) async fn end(mut self) {
        self.ended = true;
        for _ in 0..30 {
            self.work().await;
            self.clock.advance(Duration::from_hours(1));
        }
        self.work().await;
        assert_eq!(
            self.app.records.next_due().await.unwrap(),
            None,
            "a job is left over"
        );
        assert_eq!(
            self.lies_in("staging").await,
            Vec::<String>::new(),
            "left in staging"
        );
        let mut recorded = self.recorded_keys().await;
        let mut kept = self.lies_in("final").await;
        recorded.sort();
        kept.sort();
        assert_eq!(kept, recorded, "what lies in final is not what is recorded");
        self.count().await;
        let lingering = self.rows("uploads WHERE lingers <> 0").await;
        assert_eq!(lingering, 0, "what has ended counts as under way");
    }

    /// What quotas go by is what the rows say.
    pub(crate) async fn count(&self) {
        let miscounted = self.app.records.recount().await.unwrap();
        assert_eq!(miscounted, [], "counters have drifted");
    }

    /// The keys of all files there are.
    async fn recorded_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut query = FileQuery::default();
        loop {
            let page = flow::files(&self.app, &server(), query).await.unwrap();
            keys.extend(page.files.iter().map(|file| file.key.to_string()));
            if page.next_cursor.is_none() {
                return keys;
            }
            query = FileQuery {
                cursor: page.next_cursor,
                ..FileQuery::default()
            };
        }
    }

    /// Records a claim, as a process would that dies before it promotes.
    pub(crate) async fn take(&self, ids: &[UploadId]) {
        let now = self.app.clock.now();
        let claim = NewClaim {
            id: self.app.ids.upload_id(now).unwrap(),
            owner: "me".to_owned(),
            metadata: form("trip"),
        };
        let mut steps = Vec::new();
        for id in ids {
            let from = self.app.records.upload(*id).await.unwrap().unwrap();
            let to = from.clone().claim(claim.id).unwrap();
            steps.push((from, to));
        }
        let changes: Vec<_> = steps
            .iter()
            .enumerate()
            .map(|(n, (from, to))| Change {
                from,
                to,
                due: (n == 0).then_some(now),
                file: FileChange::Keep,
                by: None,
            })
            .collect();
        let taken = self.app.records.claim(&claim, &changes, now).await.unwrap();
        assert_eq!(taken, Outcome::Done);
    }

    /// Changes a profile, as a new configuration would.
    pub(crate) fn profile(&mut self, name: &str, change: impl FnOnce(&mut Profile)) {
        let mut config = (*self.app.config).clone();
        let found = (config.profiles.iter_mut()).find(|profile| profile.name == name);
        change(found.unwrap());
        self.app.config = config.into();
    }

    /// One more API key.
    pub(crate) fn add_key(&mut self, key: &str, name: &str) {
        let mut config = (*self.app.config).clone();
        let token = Token::server(&Secret::new(key.to_owned()), name);
        config.tokens.push(token);
        self.app.config = config.into();
    }

    /// Makes a profile unknown, as a new configuration would.
    pub(crate) fn without_profile(&mut self, name: &str) {
        let mut config = (*self.app.config).clone();
        config.profiles.retain(|profile| profile.name != name);
        self.app.config = config.into();
    }

    /// Deletes what was sent, as a store might lose it.
    pub(crate) async fn lose(&self, id: UploadId) {
        let lost = self.app.records.upload(id).await.unwrap().unwrap();
        let gone = self.app.bucket.delete_staged(&lost.staged_key).await;
        gone.unwrap();
    }
}

/// `POST /v1/uploads`
fn signed(token: &str, request: &str, headers: &[(&str, &str)]) -> request::Builder {
    let mut request = request_for(request);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
}

fn request_for(line: &str) -> request::Builder {
    let (method, path) = line.split_once(' ').unwrap();
    Request::builder().method(method).uri(path)
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// `Null` where there is no JSON.
    pub(crate) json: Value,
}

impl Answer {
    /// The text at a path into the JSON: `/grant/url`.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let found = self.json.pointer(pointer);
        let text = found.and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{pointer} in {self:?}"))
            .to_owned()
    }

    /// `422 too_many_files`
    pub(crate) fn refusal(&self) -> String {
        format!("{} {}", self.status, self.text("/error/code"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.get(name);
        found.map_or("", |value| value.to_str().unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(self.ended || std::thread::panicking(), "{PREPARED}");
    }
}

pub(crate) fn me() -> Caller {
    user("me")
}

pub(crate) fn user(name: &str) -> Caller {
    Caller::user(name.parse().unwrap())
}

pub(crate) fn server() -> Caller {
    Caller::server("demo")
}

pub(crate) fn form(title: &str) -> Metadata {
    Metadata::from([("title".to_owned(), title.to_owned())])
}

/// A file to begin, in a profile that takes anything.
pub(crate) fn raw(bytes: &[u8]) -> Begin {
    Begin {
        profile: "raw".to_owned(),
        filename: Some("data.bin".to_owned()),
        content_type: Some("application/octet-stream".to_owned()),
        size_bytes: Some(bytes.len() as u64),
        checksum: None,
        metadata: Metadata::new(),
        method: None,
        return_to: None,
        owner: None,
    }
}

/// The kind of an error, where one is expected.
pub(crate) fn kind<T: Debug>(result: Result<T, Error>) -> Kind {
    result.unwrap_err().kind()
}

/// A PNG of 7 by 5 pixels, as far as anyone here reads.
pub(crate) const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x07\0\0\0\x05\x08\x06\0\0\0 and pixels";

pub(crate) fn png() -> Begin {
    Begin {
        profile: "image".to_owned(),
        filename: Some("photo.png".to_owned()),
        content_type: Some("image/png".to_owned()),
        ..raw(PNG)
    }
}
