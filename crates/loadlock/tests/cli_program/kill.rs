//! `kill -9` at any moment of an upload: what was acknowledged is there, and the rest can be finished.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use loadlock::records::Records;
use reqwest::{Method, StatusCode, multipart};
use serde_json::{Value, json};

use crate::{
    media::{JPEG, MP4},
    program::Dev,
};

/// One after another on the same directory; `LOADLOCK_KILL_ROUNDS` asks for more.
const ROUNDS: u64 = 8;
const AT_ONCE: u64 = 4;

/// An upload whose begin was acknowledged.
#[derive(Clone)]
struct Begun {
    bytes: Arc<Vec<u8>>,
    answer: Value,
    /// The last state that an answer named.
    acknowledged: Option<String>,
}

type Log = Arc<Mutex<HashMap<String, Begun>>>;

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    api: String,
    token: String,
    api_key: String,
    log: Log,
}

impl Client {
    fn of(dev: &Dev, log: &Log) -> Self {
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            api: dev.said("api").to_owned(),
            token: dev.said("token").to_owned(),
            api_key: dev.said("api_key").to_owned(),
            log: log.clone(),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.api))
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    /// Begins an upload of its own kind and size for each number.
    async fn begin(&self, number: u64) -> reqwest::Result<String> {
        let (method, profile, head, size) = match number % 4 {
            0 => ("put", "image", JPEG, 3_000),
            1 => ("post", "post", JPEG, 5_000),
            2 => ("multipart", "video", MP4, 17 << 20),
            _ => ("put", "post", MP4, 1 << 20),
        };
        let mut bytes = head.to_vec();
        bytes.resize(size, u8::try_from(number % 251).unwrap());
        bytes.extend(number.to_le_bytes());
        let kind = if head == JPEG {
            "image/jpeg"
        } else {
            "video/mp4"
        };
        let wish = json!({"profile": profile, "filename": format!("{number}.bin"), "content_type": kind,
            "size": bytes.len(), "method": method});
        let (status, answer) = self
            .ask(Method::POST, "/v1/uploads", &self.token, Some(wish))
            .await?;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let id = answer["id"].as_str().unwrap().to_owned();
        let begun = Begun {
            bytes: Arc::new(bytes),
            answer,
            acknowledged: None,
        };
        self.log.lock().unwrap().insert(id.clone(), begun);
        Ok(id)
    }

    /// Takes an upload from wherever it is to `stored`, as a client that comes back would.
    async fn carry(&self, id: &str) -> reqwest::Result<()> {
        let begun = self.log.lock().unwrap()[id].clone();
        let path = format!("/v1/uploads/{id}");
        let (_, upload) = self.ask(Method::GET, &path, &self.token, None).await?;
        if upload["state"] == "issued" {
            self.send(&begun, &path).await?;
        }
        let (status, mut upload) = self
            .ask(Method::POST, &format!("{path}/complete"), &self.token, None)
            .await?;
        if status == StatusCode::ACCEPTED {
            let wait = format!("{path}?wait=30");
            upload = self.ask(Method::GET, &wait, &self.token, None).await?.1;
        }
        self.acknowledge(id, &upload["state"]);
        if upload["state"] == "ready" {
            let claim = json!({"ids": [id], "owner": "demo"});
            let path = "/v1/uploads/claim";
            let (status, answer) = self
                .ask(Method::POST, path, &self.api_key, Some(claim))
                .await?;
            assert_eq!(status, StatusCode::OK, "{answer}");
            self.acknowledge(id, &"stored".into());
        }
        Ok(())
    }

    fn acknowledge(&self, id: &str, state: &Value) {
        let state = state.as_str().map(ToOwned::to_owned);
        assert!(
            matches!(state.as_deref(), Some("ready" | "stored")),
            "{id}: {state:?}"
        );
        self.log.lock().unwrap().get_mut(id).unwrap().acknowledged = state;
    }

    async fn send(&self, begun: &Begun, path: &str) -> reqwest::Result<()> {
        let grant = &begun.answer["grant"];
        let url = grant["url"].as_str().unwrap_or_default();
        match grant["method"].as_str().unwrap() {
            "put" => {
                let request = self.http.put(url).body(begun.bytes.to_vec());
                let status = with_headers(request, &grant["headers"])
                    .send()
                    .await?
                    .status();
                assert!(
                    status.is_success() || status == StatusCode::PRECONDITION_FAILED,
                    "{status}"
                );
            }
            "post" => {
                let mut form = multipart::Form::new();
                for (name, value) in grant["fields"].as_object().unwrap() {
                    form = form.text(name.clone(), value.as_str().unwrap().to_owned());
                }
                let form = form.part("file", multipart::Part::bytes(begun.bytes.to_vec()));
                let status = self.http.post(url).multipart(form).send().await?.status();
                assert!(status.is_success(), "{status}");
            }
            _ => self.send_parts(begun, path).await?,
        }
        Ok(())
    }

    /// Sends the parts that the store does not hold.
    async fn send_parts(&self, begun: &Begun, path: &str) -> reqwest::Result<()> {
        let part_size =
            usize::try_from(begun.answer["grant"]["part_size"].as_u64().unwrap()).unwrap();
        let parts: Vec<&[u8]> = begun.bytes.chunks(part_size).collect();
        let ask = json!({"parts": (1..=parts.len()).collect::<Vec<_>>()});
        let (status, signed) = self
            .ask(
                Method::POST,
                &format!("{path}/parts"),
                &self.token,
                Some(ask),
            )
            .await?;
        if status == StatusCode::CONFLICT {
            // The service found it whole by itself meanwhile.
            return Ok(());
        }
        assert_eq!(status, StatusCode::OK, "{signed}");
        let held = signed["held"].as_array().unwrap();
        for part in signed["parts"].as_array().unwrap() {
            if held.iter().any(|held| held["number"] == part["number"]) {
                continue;
            }
            let number = usize::try_from(part["number"].as_u64().unwrap()).unwrap();
            let request = self
                .http
                .put(part["url"].as_str().unwrap())
                .body(parts[number - 1].to_vec());
            let status = with_headers(request, &part["headers"])
                .send()
                .await?
                .status();
            assert!(status.is_success(), "part {number}: {status}");
        }
        Ok(())
    }

    /// What the stable address leads to.
    async fn read(&self, id: &str) -> Vec<u8> {
        let address = format!("{}/f/{id}", self.api);
        let answer = self.http.get(address).bearer_auth(&self.token).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{id}");
        answer.bytes().await.unwrap().to_vec()
    }

    async fn files(&self) -> Vec<String> {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/files?limit=100{cursor}");
            let (_, page) = self
                .ask(Method::GET, &path, &self.token, None)
                .await
                .unwrap();
            let files = page["files"].as_array().unwrap();
            ids.extend(
                files
                    .iter()
                    .map(|file| file["id"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next_cursor"].as_str() else {
                return ids;
            };
            cursor = format!("&cursor={next}");
        }
    }
}

fn with_headers(mut request: reqwest::RequestBuilder, headers: &Value) -> reqwest::RequestBuilder {
    for (name, value) in headers.as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request
}

/// Uploads one after another until the other side is gone.
async fn upload_until_it_dies(client: Client, first: u64) {
    for number in (first..).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let Ok(id) = client.begin(number).await else {
            return;
        };
        if client.carry(&id).await.is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn rounds() -> u64 {
    std::env::var("LOADLOCK_KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nothing_acknowledged_is_lost_and_the_rest_can_be_finished() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::default();
    let mut dev = Dev::start(dir.path());
    for round in 0..rounds() {
        let client = Client::of(&dev, &log);
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|worker| {
                tokio::spawn(upload_until_it_dies(
                    client.clone(),
                    round * 10_000 + worker,
                ))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(20 + round * 271 % 900)).await;
        dev.kill();
        for worker in workers {
            worker.await.unwrap();
        }
        dev = dev.start_again();
        check(&Client::of(&dev, &log)).await;
        count(dir.path()).await;
    }
}

/// What quotas go by is what the rows say: nothing stays reserved.
async fn count(data: &Path) {
    let records = Records::open(&data.join("records.db")).await.unwrap();
    assert_eq!(records.recount().await.unwrap(), []);
}

/// Every acknowledgement of the dead process holds, all that is visible is whole, and every unfinished upload can be finished.
async fn check(client: &Client) {
    let begun = client.log.lock().unwrap().clone();
    for (id, before) in &begun {
        let path = format!("/v1/uploads/{id}");
        let (_, upload) = client
            .ask(Method::GET, &path, &client.token, None)
            .await
            .unwrap();
        let state = upload["state"].as_str().unwrap();
        match before.acknowledged.as_deref() {
            Some("stored") => assert_eq!(state, "stored", "{id}"),
            Some(_) => assert!(matches!(state, "ready" | "stored"), "{id}: {state}"),
            None => {}
        }
    }
    for id in client.files().await {
        assert_eq!(client.read(&id).await, *begun[&id].bytes, "{id}");
    }
    for (id, before) in &begun {
        if before.acknowledged.as_deref() != Some("stored") {
            client.carry(id).await.unwrap();
            assert_eq!(client.read(id).await, *before.bytes, "{id}");
        }
    }
}
