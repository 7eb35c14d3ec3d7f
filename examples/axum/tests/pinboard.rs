//! The pinboard as it is built, driven as a browser would: before a store of its own, or before the one that
//! `LOADLOCK_STORE_…` name, which go before the file.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use loadlock::bucket::Credentials;
use loadlock_store::{Clock, Config, Identity, Policy, Store};
use reqwest::{Client, Response, StatusCode, multipart, redirect};
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x07\0\0\0\x05\x08\x06\0\0\0 and pixels";

struct Pinboard {
    address: String,
    http: Client,
    process: Child,
    dir: tempfile::TempDir,
}

impl Pinboard {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = format!("http://127.0.0.1:{port}");
        let pair = "access_key_id = \"AKID\"\nsecret_access_key = \"secret-of-the-store\"";
        let settings = format!(
            r#"
listen = "127.0.0.1:{port}"
public_url = "{address}/uploads"
origins = ["{address}"]
secrets = ["0123456789abcdef0123456789abcdef"]
[store]
endpoint = "{store}"
region = "us-east-1"
style = "path"
staging_bucket = "staging"
final_bucket = "final"
conditional_writes = true
[store.uploader]
{pair}
[store.server]
{pair}
[store.reader]
{pair}
[profiles.image]
types = ["image/png"]
max_size = "1 MiB"
promote = "on_claim"
read = "public"
"#
        );
        std::fs::write(dir.path().join("loadlock.toml"), settings).unwrap();
        Self {
            http: client(),
            process: run(dir.path()),
            address,
            dir,
        }
    }

    fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = run(self.dir.path());
        // The connections of the old one went with it.
        self.http = client();
    }

    async fn get(&self, path: &str, session: &str) -> String {
        let get = self.http.get(format!("{}{path}", self.address));
        let answer = get.header("cookie", session).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    async fn submit(&self, path: &str, session: &str, form: &str) -> Response {
        let post = self.http.post(format!("{}{path}", self.address));
        let post = post
            .header("cookie", session)
            .header("content-type", "application/x-www-form-urlencoded");
        post.body(form.to_owned()).send().await.unwrap()
    }

    /// Signs in, and gives the cookie.
    async fn sign_in(&self, name: &str) -> String {
        let answer = self.submit("/sign-in", "", &format!("name={name}")).await;
        let cookie = header(&answer, "set-cookie");
        assert!(
            cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn begin(&self, session: &str) -> Response {
        let wish = json!({"profile": "image", "filename": "a \"b\".png", "content_type": "image/png", "size": PNG.len()});
        let post = self
            .http
            .post(format!("{}/uploads/v1/uploads", self.address));
        post.header("cookie", session)
            .json(&wish)
            .send()
            .await
            .unwrap()
    }

    /// Sends a photo as the page's script does, and gives its id.
    async fn send(&self, session: &str) -> String {
        let begun: Value = self.begin(session).await.json().await.unwrap();
        let mut put = self
            .http
            .put(begun["grant"]["url"].as_str().unwrap())
            .body(PNG);
        for (name, value) in begun["grant"]["headers"].as_object().unwrap() {
            put = put.header(name, value.as_str().unwrap());
        }
        assert_eq!(put.send().await.unwrap().status(), StatusCode::OK);
        let id = begun["id"].as_str().unwrap();
        let complete = self
            .http
            .post(format!("{}/uploads/v1/uploads/{id}/complete", self.address));
        let complete = complete
            .header("cookie", session)
            .bearer_auth(begun["token"].as_str().unwrap());
        let done: Value = complete.send().await.unwrap().json().await.unwrap();
        assert_eq!(done["state"], "ready");
        id.to_owned()
    }
}

fn client() -> Client {
    let stay = Client::builder().redirect(redirect::Policy::none());
    stay.build().unwrap()
}

impl Drop for Pinboard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(dir: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadlock-example-axum"));
    let mut process = command
        .current_dir(dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert!(said.starts_with("The pinboard hangs at"), "{said}");
    process
}

async fn store(dir: &Path) -> String {
    let everything = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let identity = Identity {
        name: "all".to_owned(),
        credentials: Credentials::new("AKID", "secret-of-the-store"),
        policy: Policy::from_json(&everything.to_string()).unwrap(),
    };
    let config = Config {
        dir: dir.join("store"),
        region: "us-east-1".to_owned(),
        clock: Clock::system(),
        identities: vec![identity],
        roles: Vec::new(),
        domain: None,
    };
    let store = Store::open(config).unwrap();
    for bucket in ["staging", "final"] {
        store.ensure_bucket(bucket).await.unwrap();
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(store.serve(listener, std::future::pending()));
    address
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers()[name].to_str().unwrap().to_owned()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before} in {text}"))
        .1;
    rest.split_once(after).unwrap().0
}

#[tokio::test]
async fn a_photo_is_published_by_the_session_alone_and_stays() {
    let mut board = Pinboard::start().await;
    let ada = board.sign_in("Ada").await;
    let id = board.send(&ada).await;
    let published = board
        .submit(
            "/entries",
            &ada,
            &format!("title=%3Cb%3EHarbour&upload={id}"),
        )
        .await;
    assert_eq!(
        (published.status(), header(&published, "location")),
        (StatusCode::SEE_OTHER, "/".to_owned())
    );
    board.restart();
    let page = board.get("/", &ada).await;
    assert!(
        page.contains("<h2>&lt;b&gt;Harbour</h2><p>by Ada</p>"),
        "{page}"
    );
    assert!(
        page.contains(r#"alt="a &quot;b&quot;.png" width="7" height="5""#),
        "{page}"
    );
    let address = between(&page, "<img src=\"", "\"");
    assert_eq!(address, format!("{}/uploads/f/{id}", board.address));
    let shown = reqwest::get(address).await.unwrap();
    assert_eq!(shown.bytes().await.unwrap(), PNG);
}

#[tokio::test]
async fn nobody_begins_or_publishes_for_another() {
    let board = Pinboard::start().await;
    for session in ["", "session=", "session=0123"] {
        assert_eq!(
            board.begin(session).await.status(),
            StatusCode::UNAUTHORIZED
        );
        let entry = board.submit("/entries", session, "title=x&upload=x").await;
        assert_eq!(entry.status(), StatusCode::UNAUTHORIZED);
    }
    let (ada, eve) = (board.sign_in("Ada").await, board.sign_in("Eve").await);
    let id = board.send(&ada).await;
    let stolen = board
        .submit("/entries", &eve, &format!("title=Stolen&upload={id}"))
        .await;
    assert_eq!(stolen.status(), StatusCode::NOT_FOUND);
    assert!(stolen.text().await.unwrap().contains("role=\"alert\""));
    let look = format!("{}/uploads/v1/uploads/{id}", board.address);
    let look = board
        .http
        .get(look)
        .header("cookie", &eve)
        .send()
        .await
        .unwrap();
    assert_eq!(look.status(), StatusCode::NOT_FOUND);
    assert!(!board.get("/", &eve).await.contains("Stolen"));
    board.submit("/sign-out", &ada, "").await;
    assert_eq!(board.begin(&ada).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_plain_form_sends_a_photo_and_leads_back() {
    let board = Pinboard::start().await;
    let ada = board.sign_in("Ada").await;
    let page = board
        .submit("/file", &ada, "title=By+hand+%26+form")
        .await
        .text()
        .await
        .unwrap();
    let mut form = multipart::Form::new();
    for field in page.split("<input type=\"hidden\" ").skip(1) {
        let (name, value) = (
            between(field, "name=\"", "\""),
            between(field, "value=\"", "\""),
        );
        form = form.text(name.to_owned(), value.replace("&amp;", "&"));
    }
    let file = multipart::Part::bytes(PNG).file_name("b.png");
    let post = board
        .http
        .post(between(&page, "action=\"", "\""))
        .multipart(form.part("file", file));
    let sent = post.send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let returned = board
        .http
        .get(header(&sent, "location"))
        .send()
        .await
        .unwrap();
    let back = header(&returned, "location");
    let page = board
        .get(back.strip_prefix(&board.address).unwrap(), &ada)
        .await;
    assert!(page.contains("Files that have arrived: 1"), "{page}");
    assert!(page.contains(r#"value="By hand &amp; form""#), "{page}");
    let id = between(&page, "name=\"upload\" value=\"", "\"");
    board
        .submit("/entries", &ada, &format!("title=x&upload={id}"))
        .await;
    assert!(
        board
            .get("/", &ada)
            .await
            .contains(&format!("/uploads/f/{id}"))
    );
}
