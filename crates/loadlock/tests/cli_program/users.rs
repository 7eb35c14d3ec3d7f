//! `loadlock key` and `loadlock user`, the built program, while the service runs.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Output, Stdio},
};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::{
    media::{self, JPEG},
    program::{Dev, loadlock, run, stderr, stdout},
};

struct Service {
    dev: Dev,
    http: Client,
    dir: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            dev: Dev::start(&dir.path().join("data")),
            http: Client::builder().no_proxy().build().unwrap(),
            dir,
        }
    }

    fn data(&self) -> &str {
        self.dev.said("data")
    }

    /// A command on the records of the service that runs.
    fn run(&self, arguments: &[&str]) -> Output {
        run(&[arguments, &["--data", self.data()]].concat())
    }

    /// The same, with a line to read.
    fn tell(&self, arguments: &[&str], line: &str) -> Output {
        let mut command = loadlock();
        command.args(arguments).args(["--data", self.data()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        // One that has read enough, or nothing, may be gone already.
        let _ = writeln!(child.stdin.take().unwrap(), "{line}");
        child.wait_with_output().unwrap()
    }

    async fn files(&self, token: &str) -> StatusCode {
        let files = format!("{}/v1/files", self.dev.said("api"));
        let answer = self.http.get(files).bearer_auth(token).send().await;
        answer.unwrap().status()
    }

    async fn sign_in(&self, name: &str, password: &str) -> Result<String, u16> {
        let sign_in = self
            .http
            .post(format!("{}/v1/sign-in", self.dev.said("api")));
        let who = json!({"name": name, "password": password});
        let answer = sign_in.json(&who).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        body["token"].as_str().map(str::to_owned).ok_or(status)
    }
}

fn done(output: &Output) -> &str {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}

fn failed(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(1), "{}", stdout(output));
    stderr(output)
}

#[tokio::test]
async fn a_key_is_made_while_the_service_runs_and_kept_as_its_hash_alone() {
    let service = Service::start();
    let output = service.run(&[
        "key",
        "create",
        "shop",
        "--profile",
        "image",
        "--expires",
        "90 days",
        "--json",
    ]);
    let made: Value = serde_json::from_str(done(&output)).unwrap();
    let key = made["key"].as_str().unwrap().to_owned();
    assert_eq!(service.files(&key).await, StatusCode::OK);
    assert_eq!(
        service.files(&format!("{key}x")).await,
        StatusCode::UNAUTHORIZED
    );

    let listed = service.run(&["key", "list"]);
    let listed = done(&listed);
    assert!(listed.contains("shop  image     good until 2"), "{listed}");
    assert!(!listed.contains(&key));
    let again = service.run(&["key", "create", "shop"]);
    assert_eq!(
        failed(&again),
        "loadlock: there is an API key `shop` already: each has a name of its own\n"
    );
    let other = service.run(&["key", "create", "other", "--profile", "images"]);
    assert_eq!(
        failed(&other),
        "loadlock: there is no profile `images`: give one of image, video, post\n"
    );

    let output = service.run(&["key", "revoke", "shop"]);
    assert_eq!(done(&output), "API key `shop` is revoked\n");
    assert_eq!(service.files(&key).await, StatusCode::UNAUTHORIZED);
    let listed = service.run(&["key", "list"]);
    let listed = done(&listed);
    assert!(listed.contains("shop  image     revoked"), "{listed}");
    let unknown = service.run(&["key", "revoke", "chop"]);
    assert_eq!(failed(&unknown), "loadlock: there is no API key `chop`\n");
    let again = service.run(&["key", "create", "shop"]);
    assert_eq!(
        failed(&again),
        "loadlock: API key `shop` is revoked: give another name\n"
    );

    let Service { dev, dir, .. } = service;
    assert!(dev.stop().1.success());
    for entry in fs::read_dir(dir.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert!(!holds(&path, &key), "{} has the key itself", path.display());
        }
    }
}

fn holds(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap();
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_user_is_added_given_another_password_disabled_and_removed() {
    let service = Service::start();
    let (first, second) = ("correct horse battery", "another horse battery");
    let add = [
        "user",
        "add",
        "anna",
        "--claim",
        "role=editor",
        "--claim",
        "role=admin",
        "--password-stdin",
    ];
    assert_eq!(
        done(&service.tell(&add, first)),
        "user `anna` can sign in\n"
    );
    assert_eq!(
        failed(&service.tell(&add, first)),
        "loadlock: there is a user `anna` already\n"
    );
    let listed = service.run(&["user", "list", "--json"]);
    let listed: Vec<Value> = done(&listed)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(listed[0]["claims"], json!({"role": ["editor", "admin"]}));
    assert_eq!(listed[1]["name"], "demo");

    let token = service.sign_in("anna", first).await.unwrap();
    assert_eq!(service.files(&token).await, StatusCode::OK);
    done(&service.tell(&["user", "password", "anna", "--password-stdin"], second));
    assert_eq!(service.files(&token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(service.sign_in("anna", first).await, Err(401));
    let token = service.sign_in("anna", second).await.unwrap();

    done(&service.run(&["user", "disable", "anna"]));
    assert_eq!(service.files(&token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(service.sign_in("anna", second).await, Err(401));
    done(&service.run(&["user", "enable", "anna"]));
    assert_eq!(service.files(&token).await, StatusCode::OK);

    done(&service.run(&["user", "remove", "anna"]));
    assert_eq!(service.files(&token).await, StatusCode::UNAUTHORIZED);
    for command in ["remove", "disable", "enable"] {
        let output = service.run(&["user", command, "anna"]);
        assert_eq!(failed(&output), "loadlock: there is no user `anna`\n");
    }
}

#[test]
fn names_and_passwords_that_will_not_do_are_refused() {
    let service = Service::start();
    let short = service.tell(&["user", "add", "anna", "--password-stdin"], "short");
    assert!(
        failed(&short).contains("at least 12 characters"),
        "{}",
        stderr(&short)
    );
    let unasked = service.run(&["user", "add", "anna"]);
    assert!(
        failed(&unasked).contains("--password-stdin"),
        "{}",
        stderr(&unasked)
    );
    for arguments in [
        &["user", "add", "anonymous"][..],
        &["user", "add", "a b"],
        &["user", "add", ""],
        &["user", "add", "anna", "--claim", "role"],
        &["key", "create", "my shop"],
        &["key", "create", "shop", "--expires", "soon"],
    ] {
        assert_eq!(
            service.run(arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    let elsewhere = run(&[
        "user",
        "list",
        "--data",
        service.dir.path().to_str().unwrap(),
    ]);
    assert!(failed(&elsewhere).starts_with("loadlock: no `loadlock dev` has its data in "));
}

#[tokio::test]
async fn a_data_directory_from_before_there_were_users_goes_on() {
    let Service { dev, http, dir } = Service::start();
    let (api_key, data) = (dev.said("api_key").to_owned(), dir.path().join("data"));
    assert!(dev.stop().1.success());
    // As it was made when the demo's user had a token that never ended.
    let path = data.join("keys.json");
    let mut keys: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    keys.as_object_mut().unwrap().remove("password");
    keys["user_token"] = json!("llu_old");
    fs::write(&path, keys.to_string()).unwrap();
    fs::write(
        data.join("session.json"),
        json!({"api": "http://127.0.0.1:1", "token": "llu_old"}).to_string(),
    )
    .unwrap();

    let service = Service {
        dev: Dev::start(&data),
        http,
        dir,
    };
    assert_eq!(service.dev.said("api_key"), api_key);
    assert_eq!(service.files("llu_old").await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        service.files(service.dev.said("token")).await,
        StatusCode::OK
    );
    let photo = media::write(service.dir.path(), "photo.jpg", JPEG, 2_000);
    let mut put = loadlock();
    put.args([
        "put",
        "--json",
        photo.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ]);
    let output = put.output().unwrap();
    let line: Value = serde_json::from_str(done(&output)).unwrap();
    assert_eq!(line["state"], "stored");
    let files = format!("{}/v1/files?owner=demo", service.dev.said("api"));
    let listed = service
        .http
        .get(files)
        .bearer_auth(&api_key)
        .send()
        .await
        .unwrap();
    let listed: Value = listed.json().await.unwrap();
    assert_eq!(listed["files"][0]["id"], line["id"]);
}
