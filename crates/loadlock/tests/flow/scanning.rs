//! Scanners that do not do as they should, and hooks: nothing is let through that nobody has looked at.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use loadlock::{
    config::Config,
    flow::{self, Begin},
    hook,
    scan::Address,
    upload::{Checks, Method, UploadId, WhenUnscanned},
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::world::{API_KEY, PNG, USER_TOKEN, World, form, me, raw};

/// What a faulty scanner does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Takes everything and says this.
    Says(&'static [u8]),
    /// Says this before it has taken anything, and hangs up.
    SaysEarly(&'static [u8]),
    HangsUp,
    IsSilent,
}

const OK: Does = Does::Says(b"stream: OK\0");

/// Speaks as `clamd` does, faults included that the real one cannot be made to show.
#[derive(Clone)]
struct Scanner {
    does: Arc<Mutex<Does>>,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
    address: String,
}

impl Scanner {
    async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scanner = Self {
            does: Arc::new(Mutex::new(does)),
            asked: Arc::default(),
            address: listener.local_addr().unwrap().to_string(),
        };
        let serving = scanner.clone();
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let scanner = serving.clone();
                tokio::spawn(async move { scanner.answer(connection).await });
            }
        });
        scanner
    }

    async fn answer(&self, mut connection: TcpStream) {
        let does = *self.does.lock().unwrap();
        let mut command = [0; 10];
        connection.read_exact(&mut command).await.unwrap();
        assert_eq!(&command, b"zINSTREAM\0");
        match does {
            Does::Says(answer) => {
                let content = chunks(&mut connection).await;
                self.asked.lock().unwrap().push(content);
                connection.write_all(answer).await.unwrap();
            }
            Does::SaysEarly(answer) => connection.write_all(answer).await.unwrap(),
            Does::HangsUp => {}
            Does::IsSilent => std::future::pending().await,
        }
    }

    fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    fn configure(&self, config: &mut Config, checks: &Checks) {
        config.scanning.clamd = Some(Address::Tcp(self.address.clone()));
        config.scanning.timeout = Duration::from_millis(300);
        for name in ["raw", "raw-claimed"] {
            let profile = config.profiles.iter_mut().find(|one| one.name == name);
            profile.unwrap().checks = checks.clone();
        }
    }
}

async fn chunks(connection: &mut TcpStream) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let length = usize::try_from(connection.read_u32().await.unwrap()).unwrap();
        if length == 0 {
            return content;
        }
        let start = content.len();
        content.resize(start + length, 0);
        connection.read_exact(&mut content[start..]).await.unwrap();
    }
}

fn scanned() -> Checks {
    Checks {
        clamav: true,
        ..Checks::default()
    }
}

async fn scanned_by(scanner: &Scanner, checks: &Checks) -> World {
    let mut world = World::new().await;
    world
        .restart(|config| scanner.configure(config, checks))
        .await;
    world
}

fn any(bytes: &[u8], method: Method) -> Begin {
    Begin {
        content_type: Some("image/png".to_owned()),
        method: Some(method),
        ..raw(bytes)
    }
}

impl World {
    /// Begins and sends.
    async fn sent(&self, method: Method, bytes: &[u8]) -> UploadId {
        let begun = self.begin(any(bytes, method)).await;
        assert!(self.send(&begun.grant, bytes).await.status().is_success());
        begun.upload.id
    }

    /// The status of its completion, and how the upload then stands, or why it was refused.
    async fn completed(&self, id: UploadId) -> (u16, String) {
        let complete = format!("POST /v1/uploads/{id}/complete");
        let answer = self.ask(USER_TOKEN, &complete, Value::Null).await;
        let said = match answer.status {
            422 => answer.text("/error/details/reason"),
            _ => answer.text("/state"),
        };
        (answer.status, said)
    }

    async fn message(&self, id: UploadId) -> String {
        let look = format!("GET /v1/uploads/{id}");
        let answer = self.ask(API_KEY, &look, Value::Null).await;
        answer.text("/reason/message")
    }

    /// What keeps scanners from looking at it.
    async fn why(&self, id: UploadId) -> String {
        let upload = self.app.records.upload(id).await.unwrap().unwrap();
        upload.state.unscanned().unwrap().why.clone()
    }

    /// Lets time pass in steps, so that everything is done when it is due.
    async fn pass(&self, time: Duration, steps: u32) {
        for _ in 0..steps {
            self.clock.advance(time / steps);
            self.work().await;
        }
    }
}

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn what_the_scanner_finds_clean_is_stored_and_it_saw_all_of_it() {
    let scanner = Scanner::start(OK).await;
    let world = scanned_by(&scanner, &scanned()).await;
    let long = [PNG, &vec![7; 3 << 20]].concat();
    for bytes in [PNG, long.as_slice()] {
        for method in [Method::Put, Method::Post, Method::Multipart] {
            let id = world.sent(method, bytes).await;
            assert_eq!(world.completed(id).await, (200, "stored".to_owned()));
            let seen = scanner.asked.lock().unwrap().pop().unwrap();
            assert!(seen == bytes, "{method:?}: {} bytes", seen.len());
        }
    }
    world.end().await;
}

#[tokio::test]
async fn what_the_scanner_finds_is_rejected_by_its_name() {
    let scanner = Scanner::start(Does::Says(b"stream: Win.Test.EICAR_HDB-1 FOUND\0")).await;
    let world = scanned_by(&scanner, &scanned()).await;
    let id = world.sent(Method::Put, PNG).await;
    assert_eq!(world.completed(id).await, (422, "malware".to_owned()));
    let says = "the file contains malware: Win.Test.EICAR_HDB-1";
    assert_eq!(world.message(id).await, says);
    assert!(world.lies_in("final").await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_is_no_good_one_lets_nothing_through() {
    let scanner = Scanner::start(OK).await;
    let world = scanned_by(&scanner, &scanned()).await;
    let faults = [
        Does::Says(b"stream: OK"),
        Does::Says(b"OK\0"),
        Does::Says(b"stream: OK and more\0"),
        Does::Says(b"stream: Can't allocate memory ERROR\0"),
        Does::Says(b"\0"),
        Does::Says(b""),
        Does::Says(&[b'x'; 10_000]),
        Does::SaysEarly(b"stream: OK\0"),
        Does::HangsUp,
        Does::IsSilent,
    ];
    let mut ids = Vec::new();
    for fault in faults {
        scanner.now(fault);
        let id = world
            .sent(Method::Put, &[PNG, &vec![0; 1 << 20]].concat())
            .await;
        let stands = world.completed(id).await;
        assert_eq!(stands, (202, "received".to_owned()), "{fault:?}");
        ids.push(id);
    }
    // Asked again before its time, it still only waits.
    assert_eq!(world.completed(ids[0]).await.0, 202);
    scanner.now(Does::HangsUp);
    world.pass(Duration::from_mins(16), 8).await;
    for id in ids {
        assert_eq!(world.completed(id).await, (422, "not_scanned".to_owned()));
    }
    assert!(world.lies_in("final").await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_scanner_that_comes_back_scans_what_waited() {
    let scanner = Scanner::start(Does::HangsUp).await;
    let world = scanned_by(&scanner, &scanned()).await;
    let mut ids = Vec::new();
    for method in [Method::Put, Method::Post, Method::Multipart] {
        let id = world.sent(method, PNG).await;
        assert_eq!(world.completed(id).await.0, 202);
        ids.push(id);
    }
    world.pass(Duration::from_mins(10), 10).await;
    let held = world.lies_in("staging").await;
    let held = held.iter().filter(|key| key.starts_with("held/"));
    assert_eq!(held.count(), ids.len(), "each is copied once");
    scanner.now(OK);
    world.pass(Duration::from_mins(10), 1).await;
    for id in ids {
        assert_eq!(world.completed(id).await, (200, "stored".to_owned()));
        assert_eq!(world.bytes_of(id).await, PNG);
    }
    world.end().await;
}

/// One place, which somebody has.
async fn busy(scanner: &Scanner, checks: &Checks) -> World {
    let mut world = scanned_by(scanner, checks).await;
    world.restart(|config| config.scanning.at_once = 1).await;
    world
}

#[tokio::test]
async fn who_waits_for_a_turn_loses_no_patience() {
    let scanner = Scanner::start(OK).await;
    let world = busy(&scanner, &scanned()).await;
    let place = world.app.scanners.place().await.unwrap();
    let mut ids = Vec::new();
    for method in [Method::Put, Method::Post, Method::Multipart] {
        let id = world.sent(method, PNG).await;
        assert_eq!(world.completed(id).await, (202, "received".to_owned()));
        ids.push(id);
    }
    // Longer than patience, and than uploads last.
    world.pass(Duration::from_hours(13), 3).await;
    for id in &ids {
        assert_eq!(world.completed(*id).await, (202, "received".to_owned()));
    }
    assert!(scanner.asked.lock().unwrap().is_empty());
    drop(place);
    world.pass(Duration::from_mins(1), 1).await;
    for id in ids {
        assert_eq!(world.completed(id).await, (200, "stored".to_owned()));
    }
    world.end().await;
}

#[tokio::test]
async fn a_scanner_s_faults_count_before_and_after_a_time_without_a_turn() {
    let scanner = Scanner::start(Does::HangsUp).await;
    let world = busy(&scanner, &scanned()).await;
    let id = world.sent(Method::Put, PNG).await;
    assert_eq!(world.completed(id).await.0, 202);
    world.pass(Duration::from_mins(5), 5).await;
    let place = world.app.scanners.place().await.unwrap();
    world.pass(Duration::from_mins(5), 1).await;
    world.pass(Duration::from_hours(2), 2).await;
    drop(place);
    world.pass(Duration::from_secs(10), 1).await;
    assert_eq!(world.completed(id).await, (202, "received".to_owned()));
    assert_eq!(world.why(id).await, "clamd hung up");
    world.pass(Duration::from_mins(6), 6).await;
    assert_eq!(world.completed(id).await, (422, "not_scanned".to_owned()));
    world.end().await;
}

#[tokio::test]
async fn who_never_gets_a_turn_is_refused_before_the_bucket_forgets_it() {
    let scanner = Scanner::start(OK).await;
    let world = busy(&scanner, &scanned()).await;
    let place = world.app.scanners.place().await.unwrap();
    let id = world.sent(Method::Post, PNG).await;
    assert_eq!(world.completed(id).await.0, 202);
    world.pass(7 * DAY, 4).await;
    assert_eq!(world.completed(id).await, (422, "not_scanned".to_owned()));
    let says = "the file could not be scanned: all scanners are busy";
    assert_eq!(world.message(id).await, says);
    drop(place);
    world.end().await;
}

#[tokio::test]
async fn what_is_too_large_to_scan_is_refused_at_once() {
    for does in [
        Does::SaysEarly(b"INSTREAM size limit exceeded. ERROR\0"),
        Does::Says(b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0"),
    ] {
        let scanner = Scanner::start(does).await;
        let world = scanned_by(&scanner, &scanned()).await;
        let id = world.sent(Method::Put, PNG).await;
        assert_eq!(world.completed(id).await, (422, "not_scanned".to_owned()));
        let says = "the file could not be scanned: it is larger than clamd scans";
        assert_eq!(world.message(id).await, says);
        world.end().await;
    }
}

#[tokio::test]
async fn a_profile_may_hold_what_could_not_be_scanned_for_days() {
    let scanner = Scanner::start(Does::HangsUp).await;
    let checks = Checks {
        unscanned: WhenUnscanned::Hold,
        hold_for: 3 * DAY,
        ..scanned()
    };
    let world = scanned_by(&scanner, &checks).await;
    let passing = world.sent(Method::Put, PNG).await;
    assert_eq!(world.completed(passing).await.0, 202);
    scanner.now(Does::Says(b"INSTREAM size limit exceeded. ERROR\0"));
    let lasting = world.sent(Method::Put, PNG).await;
    assert_eq!(world.completed(lasting).await.0, 202);
    scanner.now(Does::HangsUp);
    world.pass(2 * DAY, 48).await;
    for id in [passing, lasting] {
        assert_eq!(world.completed(id).await, (202, "received".to_owned()));
    }
    scanner.now(OK);
    world.pass(Duration::from_hours(1), 1).await;
    assert_eq!(world.completed(passing).await.0, 200);
    scanner.now(Does::HangsUp);
    let never = world.sent(Method::Post, PNG).await;
    assert_eq!(world.completed(never).await.0, 202);
    world.pass(3 * DAY + Duration::from_mins(1), 36).await;
    assert_eq!(
        world.completed(never).await,
        (422, "not_scanned".to_owned())
    );
    world.end().await;
}

#[tokio::test]
async fn what_waits_may_be_given_up() {
    let scanner = Scanner::start(Does::HangsUp).await;
    let world = scanned_by(&scanner, &scanned()).await;
    let id = world.sent(Method::Put, PNG).await;
    assert_eq!(world.completed(id).await.0, 202);
    let aborted = flow::abort(&world.app, &me(), id).await.unwrap();
    assert_eq!(aborted.state.name(), "aborted");
    scanner.now(OK);
    world.pass(Duration::from_mins(10), 2).await;
    assert_eq!(world.state(id).await, "aborted");
    world.end().await;
}

#[tokio::test]
async fn without_a_scanner_nothing_passes() {
    let mut world = World::new().await;
    world
        .restart(|config| {
            let raw = config.profiles.iter_mut().find(|one| one.name == "raw");
            raw.unwrap().checks = scanned();
        })
        .await;
    let id = world.sent(Method::Put, PNG).await;
    assert_eq!(world.completed(id).await.0, 202);
    world.pass(Duration::from_mins(16), 4).await;
    assert_eq!(world.completed(id).await, (422, "not_scanned".to_owned()));
    world.end().await;
}

const HOOK_SECRET: &str = "whsec_dGhlIGhvb2sgYW5kIHRoZSBzZXJ2aWNlIGtub3cgaXQ=";

/// What a hook was asked: headers, body, and the content as it found it.
type Asked = (HeaderMap, String, Vec<u8>);

/// A hook of the operator's.
#[derive(Clone)]
struct Hook {
    answer: Arc<Mutex<(u16, &'static str)>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
}

impl Hook {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = Self {
            answer: Arc::new(Mutex::new((200, r#"{"pass": true}"#))),
            asked: Arc::default(),
            url: format!("http://{}/inspect", listener.local_addr().unwrap()),
        };
        let routes = Router::new()
            .route("/inspect", post(Self::inspect))
            .with_state(hook.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        hook
    }

    async fn inspect(State(hook): State<Self>, headers: HeaderMap, body: String) -> Response {
        let question: Value = serde_json::from_str(&body).unwrap();
        let url = question["url"].as_str().unwrap();
        let content = reqwest::get(url).await.unwrap().bytes().await.unwrap();
        hook.asked
            .lock()
            .unwrap()
            .push((headers, body, content.to_vec()));
        let (status, answer) = *hook.answer.lock().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        (status, [("location", hook.url.clone())], answer).into_response()
    }

    fn now(&self, status: u16, answer: &'static str) {
        *self.answer.lock().unwrap() = (status, answer);
    }

    async fn world(&self) -> World {
        let mut world = World::new().await;
        let hook = hook::Hook {
            url: self.url.clone(),
            secret: HOOK_SECRET.parse().unwrap(),
            timeout: Duration::from_secs(5),
        };
        world
            .restart(|config| {
                config.scanning.hooks.insert("pictures".to_owned(), hook);
                let raw = config.profiles.iter_mut().find(|one| one.name == "raw");
                raw.unwrap().checks.hooks = vec!["pictures".to_owned()];
            })
            .await;
        world
    }
}

#[tokio::test]
async fn a_hook_is_asked_with_a_signature_and_reads_the_content() {
    let hook = Hook::start().await;
    let world = hook.world().await;
    let begin = Begin {
        metadata: form("trip"),
        ..any(PNG, Method::Put)
    };
    let begun = world.begin(begin).await;
    world.send(&begun.grant, PNG).await;
    let id = begun.upload.id;
    assert_eq!(world.completed(id).await, (200, "stored".to_owned()));
    let (headers, body, content) = hook.asked.lock().unwrap().pop().unwrap();
    assert_eq!(content, PNG);
    let question: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        question["upload"],
        json!({"id": id.to_string(), "profile": "raw", "owner": "me", "filename": "data.bin",
            "content_type": "image/png", "size": PNG.len(), "metadata": {"title": "trip"}})
    );
    let header = |name: &str| headers[name].to_str().unwrap();
    let signed = format!(
        "{}.{}.{body}",
        header("webhook-id"),
        header("webhook-timestamp")
    );
    let key = STANDARD.decode(&HOOK_SECRET["whsec_".len()..]).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(signed.as_bytes());
    let expected = STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{expected}"));
    world.end().await;
}

#[tokio::test]
async fn a_hook_refuses_with_its_own_sentence() {
    let hook = Hook::start().await;
    hook.now(200, r#"{"pass": false, "message": "cats\u0000 only"}"#);
    let world = hook.world().await;
    let id = world.sent(Method::Post, PNG).await;
    assert_eq!(world.completed(id).await, (422, "hook_refused".to_owned()));
    assert_eq!(world.message(id).await, "cats only");
    world.end().await;
}

#[tokio::test]
async fn a_hook_that_does_not_decide_lets_nothing_through() {
    let hook = Hook::start().await;
    let world = hook.world().await;
    let faults = [
        (202, r#"{"pass": true}"#),
        (500, ""),
        (307, r#"{"pass": true}"#),
        (200, "yes"),
        (200, r#"{"pass": "true"}"#),
        (200, r#"{"ok": true}"#),
    ];
    let mut ids = Vec::new();
    for (status, answer) in faults {
        hook.now(status, answer);
        let id = world.sent(Method::Put, PNG).await;
        let stands = world.completed(id).await;
        assert_eq!(stands, (202, "received".to_owned()), "{status} {answer}");
        ids.push(id);
    }
    assert_eq!(hook.asked.lock().unwrap().len(), faults.len());
    hook.now(200, r#"{"pass": true}"#);
    world.pass(Duration::from_mins(1), 1).await;
    for id in ids {
        assert_eq!(world.completed(id).await.0, 200);
    }
    world.end().await;
}
