//! Where `loadlock serve` gets the store's keys when no pair is told: AWS's own places.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, routing::get};
use jiff::{SignedDuration, Timestamp};
use loadlock_store::{Clock, Config, Identity, Policy, Store};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::serve::{Site, put};

/// No key pair in the file: what `init` wrote, without its identities.
fn without_pairs(site: &Site) -> Vec<(String, String)> {
    let path = site.dir.path().join("loadlock.toml");
    let text = fs::read_to_string(&path).unwrap();
    let mut pairs = Vec::new();
    let kept = text.lines().filter(|line| {
        match line.split_once(" = ") {
            Some(("access_key_id", id)) => pairs.push((id.to_owned(), String::new())),
            Some(("secret_access_key", secret)) => {
                secret.clone_into(&mut pairs.last_mut().unwrap().1);
            }
            _ => return !line.starts_with("[store."),
        }
        false
    });
    let kept: Vec<&str> = kept.collect();
    fs::write(&path, kept.join("\n")).unwrap();
    pairs
        .iter()
        .map(|(id, secret)| {
            (
                id.trim_matches('"').to_owned(),
                secret.trim_matches('"').to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn each_identity_may_be_a_profile_of_the_aws_configuration() {
    let site = Site::new();
    let pairs = without_pairs(&site);
    let sections =
        ["uploader", "server", "reader"]
            .iter()
            .zip(&pairs)
            .map(|(name, (id, secret))| {
                format!("[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
            });
    let file = site.dir.path().join("credentials");
    fs::write(&file, sections.collect::<String>()).unwrap();
    let serve = site.serve(&[
        ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("LOADLOCK_STORE_UPLOADER_AWS_PROFILE", "uploader"),
        ("LOADLOCK_STORE_SERVER_AWS_PROFILE", "server"),
        ("LOADLOCK_STORE_READER_AWS_PROFILE", "reader"),
        ("LOADLOCK_PROFILES_IMAGE_PROMOTE", "on_complete"),
    ]);
    let begun = site.begin(&serve).await;
    let url = begun["grant"]["url"].as_str().unwrap();
    assert!(
        url.contains(&format!("X-Amz-Credential={}%2F", pairs[0].0)),
        "{url}"
    );
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    assert_eq!(put(&http, &begun["grant"]).await.status(), 200);
    let (api, id) = (serve.said("listen"), begun["id"].as_str().unwrap());
    let complete = http.post(format!("{api}/v1/uploads/{id}/complete"));
    let complete = complete.bearer_auth(begun["token"].as_str().unwrap());
    let upload: Value = complete.send().await.unwrap().json().await.unwrap();
    assert_eq!(upload["state"], "stored");
    let shown = http.get(format!("{api}/f/{id}")).send().await.unwrap();
    let url = shown.headers()["location"].to_str().unwrap();
    assert!(
        url.contains(&format!("X-Amz-Credential={}%2F", pairs[2].0)),
        "{url}"
    );
}

/// Session keys of which the first live for seconds, as a container's endpoint hands them out.
#[derive(Clone, Copy)]
struct Session {
    id: &'static str,
    lives: SignedDuration,
}

const FIRST: Session = Session {
    id: "FIRST",
    lives: SignedDuration::from_secs(6),
};
const SECOND: Session = Session {
    id: "SECOND",
    lives: SignedDuration::from_hours(6),
};

impl Session {
    fn token(self) -> String {
        format!("token/of+{}", self.id)
    }

    fn handed_out(self) -> Value {
        let ends = now() + self.lives;
        json!({
            "AccessKeyId": self.id,
            "SecretAccessKey": format!("secret-of-{}", self.id),
            "Token": self.token(),
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        })
    }

    fn identity(self) -> Identity {
        let secret = format!("secret-of-{}", self.id);
        let everything = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}, "Version": "2012-10-17"});
        Identity {
            name: self.id.to_owned(),
            credentials: loadlock_sigv4::Credentials::new(self.id, secret)
                .with_session_token(self.token()),
            policy: Policy::from_json(&everything.to_string()).unwrap(),
        }
    }
}

/// An endpoint that hands out what is present, as a container has one; its address.
async fn endpoint_of_keys(present: Arc<Mutex<Session>>) -> String {
    let route = get(async move || present.lock().unwrap().handed_out().to_string());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/keys", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().route("/keys", route)).into_future());
    address
}

/// A store that knows both sessions; its address.
async fn store_of_sessions(dir: &Path) -> String {
    let store = Store::open(Config {
        dir: dir.join("sessions"),
        region: "eu-central-1".to_owned(),
        clock: Clock::system(),
        identities: vec![FIRST.identity(), SECOND.identity()],
        roles: Vec::new(),
        domain: None,
    })
    .unwrap();
    for bucket in ["loadlock-staging", "loadlock-files"] {
        store.ensure_bucket(bucket).await.unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(store.serve(listener, std::future::pending()));
    address
}

fn now() -> Timestamp {
    Clock::system().now().try_into().unwrap()
}

fn signed_by(begun: &Value, session: Session) -> bool {
    let url = begun["grant"]["url"].as_str().unwrap();
    url.contains(&format!("X-Amz-Credential={}%2F", session.id))
        && url.contains(&format!("X-Amz-Security-Token=token%2Fof%2B{}", session.id))
}

fn grant_expires_at(begun: &Value) -> Timestamp {
    begun["grant"]["expires_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn session_keys_are_renewed_before_they_end_and_no_grant_outlives_them() {
    let site = Site::new();
    without_pairs(&site);
    let present = Arc::new(Mutex::new(FIRST));
    let keys = endpoint_of_keys(Arc::clone(&present)).await;
    let store = store_of_sessions(site.dir.path()).await;
    let serve = site.serve(&[
        ("LOADLOCK_STORE_ENDPOINT", &store),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &keys),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let begun = site.begin(&serve).await;
    assert!(signed_by(&begun, FIRST), "{begun}");
    assert!(grant_expires_at(&begun) <= now() + FIRST.lives, "{begun}");
    assert_eq!(put(&http, &begun["grant"]).await.status(), 200);

    *present.lock().unwrap() = SECOND;
    let renewed = async {
        loop {
            let begun = site.begin(&serve).await;
            if signed_by(&begun, SECOND) {
                break begun;
            }
            assert!(signed_by(&begun, FIRST), "{begun}");
            sleep(Duration::from_millis(100)).await;
        }
    };
    let begun = timeout(Duration::from_secs(20), renewed).await.unwrap();
    let quarter = now() + SignedDuration::from_mins(14);
    assert!(grant_expires_at(&begun) > quarter, "{begun}");
    assert_eq!(put(&http, &begun["grant"]).await.status(), 200);
}

#[test]
fn whoever_starts_it_without_keys_hears_which_are_missing() {
    let site = Site::new();
    without_pairs(&site);
    let output = crate::program::loadlock()
        .arg("serve")
        .current_dir(site.dir.path())
        .env("LOADLOCK_STORE_ENDPOINT", site.store.said("s3"))
        .env("LOADLOCK_STORE_SERVER_AWS_PROFILE", "nobody")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = crate::program::stderr(&output);
    assert!(
        said.starts_with("loadlock: there are no keys for the uploader identity: "),
        "{said}"
    );
}
