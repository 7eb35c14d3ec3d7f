//! API keys: from the records and from the configuration, their scope and their end.

use std::time::Duration;

use loadlock::{
    auth::{self, Scope, Secret, Token},
    limits::Rate,
    records::{Act, ApiKey, Entry, Outcome},
};
use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, PNG, USER_TOKEN, World};

const NEW: &str = "llk_of-the-records";

fn key(world: &World, scope: Scope) -> ApiKey {
    ApiKey {
        name: "blog".to_owned(),
        sha256: auth::hash(NEW),
        scope,
        expires_at: None,
        created_at: world.app.clock.now(),
        created_by: "operator".to_owned(),
    }
}

fn by(world: &World) -> Entry {
    Entry::by_operator(Act::Key, world.app.clock.now())
}

async fn add(world: &World, key: &ApiKey) {
    assert_eq!(
        world.app.records.add_key(key, by(world)).await.unwrap(),
        Outcome::Done
    );
}

fn images() -> Scope {
    Scope::Profiles(["image".to_owned()].into())
}

async fn files(world: &World, token: &str, query: &str) -> Answer {
    world
        .ask(token, &format!("GET /v1/files{query}"), Value::Null)
        .await
}

/// A file of this profile, stored for `me`.
async fn stored(world: &World, profile: &str) -> String {
    let wish = json!({"profile": profile, "filename": "a.png", "content_type": "image/png", "size": PNG.len()});
    let begun = world.ask(USER_TOKEN, "POST /v1/uploads", wish).await;
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    let id = begun.text("/id");
    let path = format!("POST /v1/uploads/{id}/complete");
    let done = world.ask(USER_TOKEN, &path, Value::Null).await;
    assert_eq!(done.text("/state"), "stored");
    // Ids are ordered by time.
    world.clock.advance(Duration::from_secs(1));
    id
}

fn ids(answer: &Answer) -> Vec<String> {
    let files = answer.json["files"].as_array().unwrap();
    let ids = files
        .iter()
        .map(|file| file["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[tokio::test]
async fn a_key_of_the_records_is_known_at_once_and_by_its_hash_alone() {
    let world = World::new().await;
    assert_eq!(
        files(&world, NEW, "").await.refusal(),
        "401 unauthenticated"
    );
    let blog = key(&world, Scope::AllProfiles);
    add(&world, &blog).await;
    assert_eq!(files(&world, NEW, "").await.status, 200);
    assert_eq!(
        files(&world, "llk_of-the-recordz", "").await.refusal(),
        "401 unauthenticated"
    );
    assert_eq!(
        world.app.records.add_key(&blog, by(&world)).await.unwrap(),
        Outcome::Lost
    );
    let path = world.app.config.records.clone();
    for file in [path.clone(), path.with_extension("db-wal")] {
        let bytes = std::fs::read(file).unwrap_or_default();
        let there = bytes
            .windows(NEW.len())
            .any(|window| window == NEW.as_bytes());
        assert!(!there, "the key itself is in the database");
    }
    world.end().await;
}

#[tokio::test]
async fn an_expired_key_is_refused_and_says_so() {
    let mut world = World::new().await;
    let end = world.app.clock.now() + jiff::SignedDuration::from_hours(1);
    let blog = ApiKey {
        expires_at: Some(end),
        ..key(&world, Scope::AllProfiles)
    };
    add(&world, &blog).await;
    let old = Token::server(&Secret::new("llk_configured"), "old").until(Some(end));
    world.restart(|config| config.tokens.push(old)).await;
    for token in [NEW, "llk_configured"] {
        assert_eq!(files(&world, token, "").await.status, 200);
    }
    world.clock.advance(Duration::from_hours(1));
    for token in [NEW, "llk_configured"] {
        let answer = files(&world, token, "").await;
        assert_eq!(answer.refusal(), "401 unauthenticated");
        assert_eq!(
            answer.text("/error/message"),
            "this API key has expired: ask for another"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn from_where_a_refused_key_was_used_is_written_down_but_not_without_end() {
    let mut world = World::new().await;
    let end = Some(world.app.clock.now());
    let blog = ApiKey {
        expires_at: end,
        ..key(&world, Scope::AllProfiles)
    };
    add(&world, &blog).await;
    let revoked = Token::server(&Secret::new("llk_revoked"), "old");
    let once = Rate {
        count: 1.try_into().unwrap(),
        per: Duration::from_mins(1),
        burst: 1.try_into().unwrap(),
    };
    world
        .restart(|config| {
            config.tokens.push(revoked);
            config.limits.failures = Some(once);
        })
        .await;
    let order = json!({"kind": "api_key", "subject": "old", "reason": "it leaked"});
    let made = world.ask(API_KEY, "POST /v1/revocations", order).await;
    assert!(made.status < 300, "{made:?}");
    for token in [NEW, "llk_revoked"] {
        for _ in 0..3 {
            let from = ("203.0.113.7", [].as_slice());
            let asked = world.ask_from(from, token, "GET /v1/files", Value::Null);
            assert_eq!(asked.await.refusal(), "401 unauthenticated");
        }
    }
    world.app.records.flush_notes().await;
    let log = world
        .ask(API_KEY, "GET /v1/audit?act=authenticate", Value::Null)
        .await;
    let entries = log.json["entries"].as_array().unwrap();
    let told = entries.iter().map(|entry| {
        let text = |name: &str| entry[name].as_str().unwrap_or("–").to_owned();
        [text("actor"), text("address"), text("detail")].join(" ")
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "key old 203.0.113.7 this API key is revoked",
            "key blog 203.0.113.7 this API key has expired: ask for another",
        ]
    );
    world.end().await;
}

#[tokio::test]
async fn a_key_for_one_profile_sees_nothing_of_the_others() {
    let mut world = World::new().await;
    let (image, raw) = (stored(&world, "image").await, stored(&world, "raw").await);
    add(&world, &key(&world, images())).await;
    let scoped = Token::server(&Secret::new("llk_configured"), "old").scoped(images());
    world.restart(|config| config.tokens.push(scoped)).await;
    assert_eq!(
        ids(&files(&world, API_KEY, "").await),
        [raw.clone(), image.clone()]
    );
    for token in [NEW, "llk_configured"] {
        for query in ["", "?owner=me", "?limit=1"] {
            let page = files(&world, token, query).await;
            assert_eq!(ids(&page), [image.as_str()], "{query}");
        }
        for path in ["GET /v1/uploads", "GET /v1/files", "DELETE /v1/files"] {
            let answer = world
                .ask(token, &format!("{path}/{raw}"), Value::Null)
                .await;
            assert_eq!(answer.refusal(), "404 not_found", "{path}");
        }
        let urls = world
            .ask(token, "POST /v1/files/urls", json!({"ids": [raw, image]}))
            .await;
        assert_eq!(urls.json["missing"], json!([raw]));
        let claim = json!({"ids": [raw], "owner": "me"});
        let claimed = world.ask(token, "POST /v1/uploads/claim", claim).await;
        assert_eq!(claimed.refusal(), "404 not_found");
    }
    world.end().await;
}

#[tokio::test]
async fn a_back_end_begins_for_an_owner_and_hands_the_grant_to_their_browser() {
    let world = World::new().await;
    add(&world, &key(&world, images())).await;
    let wish = json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": PNG.len(), "owner": "me"});
    let begun = world.ask(NEW, "POST /v1/uploads", wish).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let id = begun.text("/id");
    let upload = world
        .app
        .records
        .upload(id.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (upload.owner.as_str(), upload.api_key.as_deref()),
        ("me", Some("blog"))
    );
    // All that the browser has.
    let (token, grant) = (begun.text("/token"), &begun.json["grant"]);
    assert_eq!(world.put_grant(grant, PNG).await, 200);
    let path = format!("POST /v1/uploads/{id}/complete");
    let done = world.ask(&token, &path, Value::Null).await;
    assert_eq!(
        (done.text("/state"), done.text("/owner")),
        ("stored".to_owned(), "me".to_owned())
    );
    assert_eq!(ids(&files(&world, USER_TOKEN, "").await), [id]);
    world.end().await;
}

#[tokio::test]
async fn a_key_for_one_profile_begins_nothing_under_another() {
    let world = World::new().await;
    add(&world, &key(&world, images())).await;
    let wish = json!({"profile": "raw", "filename": "a.png", "content_type": "image/png", "size": PNG.len(), "owner": "me"});
    let refused = world.ask(NEW, "POST /v1/uploads", wish).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    assert_eq!(
        refused.text("/error/message"),
        "this API key is not for profile `raw`"
    );
    world.end().await;
}
