//! Temporary credentials: what their keys may do, how they end, and how what was sent with them becomes files.

use std::time::Duration;

use loadlock::{
    bucket::Credentials,
    config::Authorizer,
    hook::Hook,
    upload::{ChecksumDemand, Method, Promote},
};
use loadlock_sigv4::{Bucket, Payload, Request, Signer, Style};
use reqwest::Response;
use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, REGION, USER_TOKEN, World};

pub(crate) const VEND: &str = "POST /v1/credentials";
const DENIED: &str = "403 AccessDenied";
const HOUR: Duration = Duration::from_hours(1);

/// Keys as a client has them.
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) prefix: String,
    pub(crate) credentials: Credentials,
}

impl Keys {
    pub(crate) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 201, "{answer:?}");
        let pair = Credentials::new(
            answer.text("/access_key_id"),
            answer.text("/secret_access_key"),
        );
        Self {
            id: answer.text("/id"),
            prefix: answer.text("/prefix"),
            credentials: pair.with_session_token(answer.text("/session_token")),
        }
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// What is asked of the store.
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

pub(crate) const ASK: Ask<'_> = Ask {
    method: "PUT",
    bucket: "staging",
    key: None,
    query: &[],
    headers: &[],
    body: b"",
};

impl World {
    /// A world where photos may be sent with keys, three by each.
    pub(crate) async fn vending() -> Self {
        let mut world = Self::new().await;
        world.profile("image", |image| {
            image.methods.push(Method::Credentials);
            image.max_files = 3;
        });
        world
    }

    pub(crate) async fn keys(&self) -> Keys {
        Keys::of(
            &self
                .ask(USER_TOKEN, VEND, json!({"profile": "image"}))
                .await,
        )
    }

    pub(crate) async fn as_whom(&self, who: &Credentials, ask: &Ask<'_>) -> Response {
        let bucket = Bucket::new(&self.endpoint, ask.bucket, Style::Path).unwrap();
        let request = Request {
            method: ask.method,
            bucket: &bucket,
            key: ask.key,
            query: ask.query,
            headers: ask.headers,
            payload: Payload::of(ask.body),
        };
        let signer = Signer::new(who.clone(), REGION);
        let signed = signer.authorize(self.clock.now(), &request).unwrap();
        let mut sent = self
            .http
            .request(ask.method.parse().unwrap(), &signed.url)
            .header("content-length", ask.body.len());
        for (name, value) in ask.headers {
            sent = sent.header(*name, *value);
        }
        for (name, value) in signed.headers {
            sent = sent.header(name, value);
        }
        sent.body(ask.body.to_vec()).send().await.unwrap()
    }

    pub(crate) async fn put_with(&self, keys: &Keys, name: &str, body: &[u8]) {
        self.put_as(&keys.credentials, &keys.key(name), body).await;
    }

    /// Puts an object into the staging bucket.
    pub(crate) async fn put_as(&self, who: &Credentials, key: &str, body: &[u8]) {
        let ask = Ask {
            key: Some(key),
            body,
            ..ASK
        };
        let answer = self.as_whom(who, &ask).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    /// `403 AccessDenied`
    pub(crate) async fn refusal_of(&self, who: &Credentials, ask: &Ask<'_>) -> String {
        let answer = self.as_whom(who, ask).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let code = text.split("<Code>").nth(1).unwrap_or_default();
        format!("{status} {}", code.split('<').next().unwrap())
    }

    pub(crate) async fn tell(&self, keys: &Keys, body: Value) -> Answer {
        let request = format!("POST /v1/credentials/{}/complete", keys.id);
        self.ask(USER_TOKEN, &request, body).await
    }

    /// The state of each upload of the answer.
    pub(crate) async fn states(&self, keys: &Keys) -> Vec<String> {
        let answer = self.tell(keys, json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let uploads = answer.json["uploads"].as_array().unwrap().iter();
        uploads
            .map(|upload| upload["state"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn keys_write_below_their_prefix_and_do_nothing_else() {
    let world = World::vending().await;
    let (keys, other) = (world.keys().await, world.keys().await);
    world.put_with(&keys, "a.png", PNG).await;
    let (own, next) = (keys.key("a.png"), other.key("b.png"));
    let elsewhere = [
        ("staging", next.as_str()),
        ("staging", "in/a"),
        ("staging", "held/a"),
        ("staging", "cred/a"),
        ("final", own.as_str()),
    ];
    for (bucket, key) in elsewhere {
        let key = Some(key);
        let put = Ask { bucket, key, ..ASK };
        assert_eq!(world.refusal_of(&keys.credentials, &put).await, DENIED);
    }
    for method in ["GET", "DELETE"] {
        let key = Some(own.as_str());
        let ask = Ask { method, key, ..ASK };
        assert_eq!(world.refusal_of(&keys.credentials, &ask).await, DENIED);
    }
    let prefix = ("prefix", keys.prefix.as_str());
    let questions: [(&str, &[(&str, &str)]); 5] = [
        ("GET", &[("list-type", "2"), prefix]),
        ("GET", &[("uploads", ""), prefix]),
        ("GET", &[("cors", "")]),
        ("PUT", &[("cors", "")]),
        ("PUT", &[("lifecycle", "")]),
    ];
    for (method, query) in questions {
        let ask = Ask {
            method,
            query,
            ..ASK
        };
        assert_eq!(world.refusal_of(&keys.credentials, &ask).await, DENIED);
    }
    world.end().await;
}

#[tokio::test]
async fn keys_add_nothing_to_what_they_put() {
    let world = World::vending().await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    let own = keys.key("a.png");
    let source = format!("staging/{own}");
    let headers = [
        ("x-amz-copy-source", source.as_str()),
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", "id=1"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-website-redirect-location", "/"),
    ];
    for header in headers {
        let put = Ask {
            key: Some(&own),
            headers: &[header],
            ..ASK
        };
        let refusal = world.refusal_of(&keys.credentials, &put).await;
        assert_eq!(refusal, DENIED, "{header:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn keys_end_with_their_time_and_a_bent_token_is_none() {
    let world = World::vending().await;
    let body = json!({"profile": "image", "lifetime": 900});
    let keys = Keys::of(&world.ask(USER_TOKEN, VEND, body).await);
    let key = keys.key("a.png");
    let put = Ask {
        key: Some(&key),
        body: PNG,
        ..ASK
    };
    let token = keys.credentials.session_token().unwrap().expose();
    let bent = token.replace(&token[40..44], "AAAA");
    let pair = Credentials::new(
        keys.credentials.access_key(),
        keys.credentials.secret().expose(),
    );
    let bent = pair.clone().with_session_token(bent);
    assert_eq!(world.refusal_of(&bent, &put).await, "400 InvalidToken");
    assert_eq!(
        world.refusal_of(&pair, &put).await,
        "403 InvalidAccessKeyId"
    );
    world.clock.advance(Duration::from_mins(15));
    let late = world.refusal_of(&keys.credentials, &put).await;
    assert_eq!(late, "400 ExpiredToken");
    world.end().await;
}

#[tokio::test]
async fn what_is_sent_becomes_a_file_however_often_that_is_said() {
    let world = World::vending().await;
    let keys = world.keys().await;
    world
        .put_with(&keys, "some dir/my photo+ü%2F.png", PNG)
        .await;
    let named = json!({"keys": [keys.key("some dir/my photo+ü%2F.png")]});
    let first = world.tell(&keys, named.clone()).await;
    assert_eq!(first.text("/uploads/0/state"), "stored", "{first:?}");
    assert_eq!(world.tell(&keys, named).await.json, first.json);
    assert_eq!(world.tell(&keys, json!({})).await.json, first.json);
    let id = first.text("/uploads/0/id");
    assert_eq!(world.bytes_of(id.parse().unwrap()).await, PNG);
    let file = world
        .ask(USER_TOKEN, &format!("GET /v1/files/{id}"), Value::Null)
        .await;
    assert_eq!(file.text("/filename"), "my photo+ü%2F.png");
    world.end().await;
}

#[tokio::test]
async fn what_nobody_speaks_of_is_found_all_the_same() {
    let world = World::vending().await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    world.clock.advance(Duration::from_mins(1));
    world.work().await;
    assert_eq!(world.rows("files").await, 1);
    // The last moment that the keys hold.
    world.clock.advance(Duration::from_mins(58));
    world.put_with(&keys, "b.png", PNG).await;
    world.clock.advance(2 * HOUR);
    world.work().await;
    assert_eq!(world.rows("files").await, 2);
    world.end().await;
}

#[tokio::test]
async fn an_object_that_is_written_again_changes_nothing() {
    let world = World::vending().await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    let found = world.tell(&keys, json!({})).await;
    let other = [PNG, b" of another"].concat();
    world.put_with(&keys, "a.png", &other).await;
    assert_eq!(world.tell(&keys, json!({})).await.json, found.json);
    let id = found.text("/uploads/0/id").parse().unwrap();
    assert_eq!(world.bytes_of(id).await, PNG);
    world.clock.advance(3 * HOUR);
    world.work().await;
    assert_eq!(world.rows("uploads").await, 1);
    world.end().await;
}

#[tokio::test]
async fn what_the_profile_does_not_take_is_rejected_or_deleted() {
    let mut world = World::vending().await;
    world.profile("image", |image| {
        image.max_size_bytes = 100;
        image.extensions = vec!["png".to_owned()];
    });
    let keys = world.keys().await;
    world
        .put_with(&keys, "a.png", &[PNG, &[0; 100]].concat())
        .await;
    world.put_with(&keys, "b.png", b"<html>").await;
    world.put_with(&keys, "c.exe", PNG).await;
    world.put_with(&keys, "d.png", PNG).await;
    let found = world.tell(&keys, json!({})).await;
    let uploads = found.json["uploads"].as_array().unwrap();
    let mut reasons: Vec<&str> = uploads
        .iter()
        .map(|upload| upload["reason"]["code"].as_str().unwrap())
        .collect();
    reasons.sort_unstable();
    let expected = ["size_not_allowed", "type_not_allowed", "type_not_allowed"];
    assert_eq!(reasons, expected);
    // Three were found; a fourth is more than the profile takes.
    let staged = world.lies_in("staging").await;
    assert!(!staged.contains(&keys.key("d.png")), "{staged:?}");
    assert_eq!(world.rows("files").await, 0);
    world.end().await;
}

#[tokio::test]
async fn files_wait_for_a_claim_where_the_profile_says_so() {
    let mut world = World::vending().await;
    world.profile("image", |image| image.promote = Promote::OnClaim);
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    let found = world.tell(&keys, json!({})).await;
    assert_eq!(found.text("/uploads/0/state"), "ready");
    let id = found.text("/uploads/0/id").parse().unwrap();
    let files = world.claim(&[id], "mine").await.unwrap();
    assert_eq!(files[0].file.metadata["title"], "mine");
    world.end().await;
}

#[tokio::test]
async fn keys_send_a_file_in_parts_and_give_one_up() {
    let world = World::vending().await;
    let keys = world.keys().await;
    let who = &keys.credentials;
    let key = keys.key("a.png");
    for finish in ["DELETE", "POST"] {
        let create = Ask {
            method: "POST",
            key: Some(&key),
            query: &[("uploads", "")],
            ..ASK
        };
        let created = world.as_whom(who, &create).await.text().await.unwrap();
        let id = created.split("<UploadId>").nth(1).unwrap();
        let id = id.split('<').next().unwrap();
        let part = [("partNumber", "1"), ("uploadId", id)];
        let part = Ask {
            key: Some(&key),
            query: &part,
            body: PNG,
            ..ASK
        };
        let sent = world.as_whom(who, &part).await;
        assert_eq!(sent.status(), 200);
        let etag = sent.headers()["etag"].to_str().unwrap().to_owned();
        let document = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        );
        let query = [("uploadId", id)];
        let body = if finish == "POST" {
            document.as_bytes()
        } else {
            b""
        };
        let last = Ask {
            method: finish,
            key: Some(&key),
            query: &query,
            body,
            ..ASK
        };
        let answer = world.as_whom(who, &last).await;
        assert!(answer.status().is_success(), "{finish} {}", answer.status());
    }
    assert_eq!(world.states(&keys).await, ["stored"]);
    world.end().await;
}

#[tokio::test]
async fn keys_are_for_those_whom_a_profile_offers_them() {
    let world = World::vending().await;
    let ask = async |token: &str, body: Value| world.ask(token, VEND, body).await.refusal();
    let photo = json!({"profile": "image"});
    assert_eq!(ask("", photo.clone()).await, "401 unauthenticated");
    assert_eq!(
        ask(USER_TOKEN, json!({"profile": "raw"})).await,
        "422 method_not_offered"
    );
    assert_eq!(
        ask(USER_TOKEN, json!({"profile": "none"})).await,
        "404 not_found"
    );
    assert_eq!(ask(API_KEY, photo.clone()).await, "400 invalid_request");
    let named = json!({"profile": "image", "owner": "me"});
    assert_eq!(ask(USER_TOKEN, named.clone()).await, "403 forbidden");
    let keys = Keys::of(&world.ask(API_KEY, VEND, named).await);
    world.put_with(&keys, "a.png", PNG).await;
    assert_eq!(world.states(&keys).await, ["stored"]);
    let begun = json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": 3, "method": "credentials"});
    let begun = world.ask(USER_TOKEN, "POST /v1/uploads", begun).await;
    assert_eq!(begun.refusal(), "422 method_not_offered");
    world.end().await;
}

#[tokio::test]
async fn keys_are_offered_only_where_they_can_be_had() {
    let mut world = World::vending().await;
    let offered = async |world: &World| {
        let image = world.ask("", "GET /v1/profiles/image", Value::Null).await;
        let methods = image.json["methods"].as_array().unwrap();
        let keys = world
            .ask(USER_TOKEN, VEND, json!({"profile": "image"}))
            .await;
        assert_eq!(methods.contains(&json!("credentials")), keys.status == 201);
        keys.status == 201
    };
    assert!(offered(&world).await);
    world.profile("image", |image| image.checksum = Some(ChecksumDemand::Any));
    assert!(!offered(&world).await);
    world.profile("image", |image| image.checksum = None);
    assert!(offered(&world).await);
    let authorizer = Authorizer {
        hook: Hook {
            url: "http://127.0.0.1:9/".to_owned(),
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap(),
            timeout: Duration::from_secs(1),
        },
        profiles: vec!["image".to_owned()],
    };
    world
        .restart(|config| config.authorizer = Some(authorizer))
        .await;
    assert!(!offered(&world).await);
    world
        .restart(|config| config.authorizer.as_mut().unwrap().profiles = vec!["post".to_owned()])
        .await;
    assert!(offered(&world).await);
    world.restart(|config| config.credentials = None).await;
    assert!(!offered(&world).await);
    world.end().await;
}

#[tokio::test]
async fn a_session_is_its_owners_and_its_keys_its_own() {
    let world = World::vending().await;
    let keys = world.keys().await;
    let request = format!("POST /v1/credentials/{}/complete", keys.id);
    let other = world.ask(OTHER_TOKEN, &request, json!({})).await;
    assert_eq!(other.refusal(), "404 not_found");
    let none = "POST /v1/credentials/01ARZ3NDEKTSV4RRFFQ69G5FAV/complete";
    let none = world.ask(USER_TOKEN, none, json!({})).await;
    assert_eq!(none.refusal(), "404 not_found");
    let outside = world.tell(&keys, json!({"keys": ["in/a"]})).await;
    assert_eq!(outside.refusal(), "400 invalid_request");
    let missing = world
        .tell(&keys, json!({"keys": [keys.key("a.png")]}))
        .await;
    assert_eq!(missing.refusal(), "409 not_received");
    assert_eq!(
        missing.text("/error/details/missing_keys/0"),
        keys.key("a.png")
    );
    let many = json!({"keys": vec![keys.key("a"); 4]});
    assert_eq!(
        world.tell(&keys, many).await.refusal(),
        "422 too_many_files"
    );
    world.end().await;
}
