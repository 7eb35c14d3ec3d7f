//! The audit log: every act with who, whose, from where, and what came of it; never a secret.

use std::{fs, net::IpAddr, time::Duration};

use loadlock::{
    auth::{Caller, Claims, Scope, Secret, Who, hash as hash_of},
    clock::from_millis,
    config::Audit,
    error::Kind,
    flow,
    records::{Act, ApiKey, Entry, Filter, Outcome, Subject, User},
    upload::Quota,
};
use serde_json::{Value, json};
use sqlx::SqlitePool;

use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, USER_TOKEN, World, kind, me, server};

const BEGIN: &str = "POST /v1/uploads";

fn address() -> Option<IpAddr> {
    "192.0.2.7".parse().ok()
}

fn photo(profile: &str) -> Value {
    json!({"profile": profile, "filename": "a.png", "content_type": "image/png", "size": PNG.len()})
}

async fn log(world: &World, query: &str) -> Answer {
    let request = format!("GET /v1/audit?{query}");
    let answer = world.ask(API_KEY, &request, Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn entries(page: &Answer) -> &Vec<Value> {
    page.json["entries"].as_array().unwrap()
}

/// `begin ok, user me`, the oldest first.
async fn acts(world: &World, query: &str) -> Vec<String> {
    let page = log(world, query).await;
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let line = |entry| {
        let [act, outcome, actor] = ["act", "outcome", "actor"].map(|name| text(entry, name));
        format!("{act} {outcome}, {actor}")
    };
    entries(&page).iter().rev().map(line).collect()
}

/// Begun, and sent; its id.
async fn sent(world: &World, caller: &Caller, body: Value) -> String {
    let begun = world.ask_as(caller, BEGIN, body).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    begun.text("/id")
}

async fn step(world: &World, caller: &Caller, request: String) -> Answer {
    world.ask_as(caller, &request, Value::Null).await
}

#[tokio::test]
async fn every_step_of_an_upload_is_written_down() {
    let world = World::new().await;
    let caller = me().at(address());
    let id = sent(&world, &caller, photo("image")).await;
    step(&world, &caller, format!("POST /v1/uploads/{id}/complete")).await;
    step(&world, &caller, format!("DELETE /v1/files/{id}")).await;
    let expected = [
        "begin ok, user me",
        "complete ok, user me",
        "inspect ok, service",
        "promote ok, service",
        "delete ok, user me",
    ];
    let of = format!("upload={id}");
    assert_eq!(acts(&world, &of).await, expected);
    let page = log(&world, &of).await;
    for entry in entries(&page) {
        let of = ["owner", "profile", "upload", "size"].map(|name| entry[name].clone());
        assert_eq!(
            of,
            [json!("me"), json!("image"), json!(id), json!(PNG.len())]
        );
        let asked = entry["actor"] == "user me";
        assert_eq!(entry["address"] == "192.0.2.7", asked, "{entry}");
        assert_eq!(entry["address"].is_null(), !asked, "{entry}");
        let key = entry["key"].as_str().unwrap();
        let stored = ["promote", "delete"].contains(&entry["act"].as_str().unwrap());
        assert_eq!(key.starts_with("image/"), stored, "{entry}");
        assert_eq!(
            key.starts_with("in/") && key.ends_with(&id),
            !stored,
            "{entry}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn a_claim_is_written_down_for_each_upload() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(sent(&world, &me(), photo("post")).await);
    }
    let claim = json!({"ids": ids, "owner": "me", "metadata": {"title": "a secret title"}});
    let claimed = world.ask(API_KEY, "POST /v1/uploads/claim", claim).await;
    assert_eq!(claimed.status, 200, "{claimed:?}");
    let found = acts(&world, "act=claim&owner=me").await;
    assert_eq!(found, ["claim ok, key shop", "claim ok, key shop"]);
    // What the claim drives is done for it.
    let found = acts(&world, "act=complete").await;
    assert_eq!(found, ["complete ok, key shop", "complete ok, key shop"]);
    assert_eq!(entries(&log(&world, "act=promote").await).len(), 2);
    world.end().await;
}

#[tokio::test]
async fn ends_are_written_down_with_what_led_to_them() {
    let world = World::new().await;
    let aborted = sent(&world, &me(), photo("post")).await;
    step(&world, &me(), format!("DELETE /v1/uploads/{aborted}")).await;
    let mut wrong = photo("image");
    wrong["content_type"] = "image/jpeg".into();
    let rejected = sent(&world, &me(), wrong).await;
    step(
        &world,
        &me(),
        format!("POST /v1/uploads/{rejected}/complete"),
    )
    .await;
    let expired = world
        .ask(USER_TOKEN, BEGIN, photo("image"))
        .await
        .text("/id");
    world.clock.advance(Duration::from_hours(13));
    world.work().await;
    for (id, expected) in [
        (&aborted, "abort ok, user me"),
        (&rejected, "reject type_mismatch, service"),
        (&expired, "expire ok, service"),
    ] {
        let all = acts(&world, &format!("upload={id}")).await;
        assert_eq!(all.last().unwrap(), expected);
    }
    let page = log(&world, "act=reject").await;
    let why = entries(&page)[0]["detail"].as_str().unwrap();
    assert!(why.contains("image/png"), "{why}");
    world.end().await;
}

#[tokio::test]
async fn an_upload_tokens_holder_is_told_from_its_owner() {
    let world = World::new().await;
    let mut body = photo("post");
    body["owner"] = "u17".into();
    body["method"] = "multipart".into();
    let begun = world.ask(API_KEY, BEGIN, body).await;
    let (id, token) = (begun.text("/id"), begun.text("/token"));
    let parts = format!("POST /v1/uploads/{id}/parts");
    world.ask(&token, &parts, json!({"parts": [1]})).await;
    world.clock.advance(Duration::from_millis(1));
    world
        .ask(&token, &format!("DELETE /v1/uploads/{id}"), Value::Null)
        .await;
    let expected = [
        "begin ok, key shop",
        "sign ok, upload token",
        "abort ok, upload token",
    ];
    assert_eq!(acts(&world, "owner=u17").await, expected);
    let page = log(&world, "act=sign").await;
    assert_eq!(entries(&page)[0]["detail"], "1 parts");
    world.end().await;
}

#[tokio::test]
async fn begins_that_are_refused_are_written_down_with_what_was_wished() {
    let world = World::new().await;
    let caller = me().at(address());
    let mut large = photo("image");
    large["size"] = (26 << 20).into();
    world.ask_as(&caller, BEGIN, large).await;
    world.ask_as(&caller, BEGIN, photo("none")).await;
    let files = json!([
        {"ref": "a", "filename": "a.png", "content_type": "image/png", "size": PNG.len()},
        {"ref": "b", "filename": "b.exe", "content_type": "application/x-msdownload", "size": 7},
    ]);
    let many = json!({"profile": "post", "owner": "u17", "files": files});
    world.ask(API_KEY, BEGIN, many).await;
    let page = log(&world, "outcome=not_ok&act=begin").await;
    let told = |n: usize| {
        let entry = &entries(&page)[n];
        ["outcome", "actor", "owner", "profile", "size", "address"].map(|name| entry[name].clone())
    };
    let expected = json!([
        ["type_not_allowed", "key shop", "u17", "post", 7, null],
        ["not_found", "user me", "me", "none", PNG.len(), "192.0.2.7"],
        [
            "file_too_large",
            "user me",
            "me",
            "image",
            26 << 20,
            "192.0.2.7"
        ],
    ]);
    assert_eq!(json!([told(0), told(1), told(2)]), expected);
    world.end().await;
}

#[tokio::test]
async fn what_quotas_refuse_is_written_down_and_of_several_files_each_outcome_once() {
    let mut world = World::new().await;
    let quota = Quota {
        open_bytes: Some(100),
        ..Quota::default()
    };
    world.restart(|config| config.quotas = quota).await;
    let caller = me().at(address());
    let mut large = photo("image");
    large["size"] = 101.into();
    world.ask_as(&caller, BEGIN, large).await;
    let file = |name: &str, content_type: &str| json!({"ref": name, "filename": "a.png", "content_type": content_type, "size": 60});
    let png = ["a", "b", "c", "d"].map(|name| file(name, "image/png"));
    let page = file("e", "text/html");
    let many = json!({"profile": "image", "files": [page, png[0], png[1], png[2], png[3]]});
    world.ask_as(&caller, BEGIN, many).await;
    let page = log(&world, "outcome=not_ok&act=begin").await;
    let mut told: Vec<Value> = entries(&page)
        .iter()
        .map(|entry| {
            let of = ["outcome", "owner", "address", "profile", "size"];
            let detail = entry["detail"].as_str().unwrap();
            let counted = detail.split_once(" files: ").map(|(count, _)| count);
            json!([of.map(|name| entry[name].clone()), counted])
        })
        .collect();
    told.sort_by_key(ToString::to_string);
    let one = |outcome: &str, size: u64, counted: Option<&str>| {
        json!([[outcome, "me", "192.0.2.7", "image", size], counted])
    };
    let expected = [
        one("quota_exceeded", 101, None),
        one("quota_exceeded", 180, Some("3")),
        one("type_not_allowed", 60, None),
    ];
    assert_eq!(told, expected);
    world.end().await;
}

#[tokio::test]
async fn a_stranger_who_is_refused_fills_no_log() {
    let world = World::new().await;
    for token in ["", "llk_wrong", "llt_wrong", "a.b.c"] {
        assert_eq!(world.ask(token, BEGIN, photo("image")).await.status, 401);
    }
    assert!(entries(&log(&world, "").await).is_empty());
    world.end().await;
}

#[tokio::test]
async fn only_an_api_key_for_all_profiles_reads_the_log() {
    let world = World::new().await;
    let begun = world.ask(USER_TOKEN, BEGIN, photo("image")).await;
    let ask = async |token: &str| {
        let refused = world.ask(token, "GET /v1/audit", Value::Null).await;
        refused.refusal()
    };
    assert_eq!(ask("").await, "401 unauthenticated");
    assert_eq!(ask(USER_TOKEN).await, "403 forbidden");
    assert_eq!(ask(&begun.text("/token")).await, "403 forbidden");
    let scope = Scope::Profiles(["image".to_owned()].into());
    let name = "shop".to_owned();
    let scoped: Caller = Who::Server { name, scope }.into();
    let refused = world.ask_as(&scoped, "GET /v1/audit", Value::Null).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    world.end().await;
}

#[tokio::test]
async fn filters_narrow_the_log_down() {
    let world = World::new().await;
    world.ask(USER_TOKEN, BEGIN, photo("image")).await;
    world.clock.advance(Duration::from_hours(1));
    let noon = world.app.clock.now();
    world.ask(OTHER_TOKEN, BEGIN, photo("post")).await;
    world.ask(OTHER_TOKEN, BEGIN, photo("none")).await;
    let count = async |query: &str| entries(&log(&world, query).await).len();
    assert_eq!(count("").await, 3);
    assert_eq!(count("owner=other").await, 2);
    assert_eq!(count("owner=other&profile=post").await, 1);
    assert_eq!(count("actor=user%20me").await, 1);
    assert_eq!(count("outcome=ok").await, 2);
    assert_eq!(count("outcome=not_found").await, 1);
    assert_eq!(count("act=promote").await, 0);
    assert_eq!(count(&format!("since={noon}")).await, 2);
    assert_eq!(count(&format!("until={noon}")).await, 1);
    assert_eq!(count("since=2025-01-01&until=2025-01-02").await, 0);
    for query in [
        "act=dance",
        "upload=x",
        "since=soon",
        "cursor=x",
        "limit=0",
        "limit=501",
        "x=1",
    ] {
        let request = format!("GET /v1/audit?{query}");
        let refused = world.ask(API_KEY, &request, Value::Null).await;
        assert_eq!(refused.refusal(), "400 invalid_request", "{query}");
    }
    world.end().await;
}

#[tokio::test]
async fn pages_show_every_entry_once_though_all_are_of_one_moment() {
    let world = World::new().await;
    for _ in 0..7 {
        world.ask(USER_TOKEN, BEGIN, photo("image")).await;
    }
    let (mut seen, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let page = log(&world, &query).await;
        assert!(entries(&page).len() <= 3);
        seen.extend(
            entries(&page)
                .iter()
                .map(|entry| entry["upload"].to_string()),
        );
        let Some(next) = page.json["next_cursor"].as_str() else {
            break;
        };
        query = format!("limit=3&cursor={next}");
    }
    assert_eq!(seen.len(), 7);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7);
    world.end().await;
}

#[tokio::test]
async fn no_token_and_no_signature_is_in_the_records() {
    let world = World::new().await;
    let mut secrets = vec![USER_TOKEN.to_owned(), API_KEY.to_owned()];
    for method in ["put", "post", "multipart"] {
        let mut body = photo("post");
        body["method"] = method.into();
        let begun = world.ask(USER_TOKEN, BEGIN, body).await;
        secrets.push(begun.text("/token"));
        let text = begun.json["grant"].to_string();
        let id = begun.text("/id");
        let signatures = text.split("X-Amz-Signature=").skip(1);
        secrets.extend(signatures.map(|rest| rest[..64].to_owned()));
        if method == "post" {
            secrets.push(begun.text("/grant/fields/x-amz-signature"));
        }
        if method == "put" {
            world.put_grant(&begun.json["grant"], PNG).await;
        }
        world
            .ask(
                &begun.text("/token"),
                &format!("POST /v1/uploads/{id}/complete"),
                Value::Null,
            )
            .await;
    }
    let mut wrong = photo("image");
    wrong["profile"] = "none".into();
    world.ask(USER_TOKEN, BEGIN, wrong).await;
    assert!(secrets.len() >= 8, "{}", secrets.len());
    assert!(!entries(&log(&world, "").await).is_empty());
    let records = &world.app.config.records;
    let (dir, name) = (records.parent().unwrap(), records.file_name().unwrap());
    let mut bytes = Vec::new();
    for file in fs::read_dir(dir).unwrap() {
        let file = file.unwrap();
        if file
            .file_name()
            .to_str()
            .unwrap()
            .starts_with(name.to_str().unwrap())
        {
            bytes.extend(fs::read(file.path()).unwrap());
        }
    }
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(
        holds("image/png"),
        "the records are not where they were looked for"
    );
    for secret in secrets {
        assert!(!holds(&secret), "a secret of {} characters", secret.len());
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_noted_too_fast_is_dropped_and_counted() {
    let world = World::new().await;
    let at = world.app.clock.now();
    // Nobody writes while this task does not wait.
    for _ in 0..5000 {
        let detail = Some("x".repeat(100_000));
        world.app.records.note(Entry {
            detail,
            ..Entry::new(Act::Begin, Some(&server()), at)
        });
    }
    let dropped = world.app.records.dropped_notes();
    assert_eq!(dropped, 5000 - 4096);
    world.app.records.flush_notes().await;
    assert_eq!(world.rows("audit").await, 4096);
    let found = world
        .app
        .records
        .audit(&Filter::default(), None, 1)
        .await
        .unwrap();
    assert_eq!(found[0].1.detail.as_ref().unwrap().len(), 300);
    world.end().await;
}

#[tokio::test]
async fn entries_are_cleared_away_when_they_are_old() {
    let mut world = World::new().await;
    for _ in 0..600 {
        let at = world.app.clock.now();
        world
            .app
            .records
            .note(Entry::new(Act::Begin, Some(&server()), at));
    }
    world.app.records.flush_notes().await;
    world.clock.advance(Duration::from_hours(24 * 365));
    world.work().await;
    assert_eq!(world.rows("audit").await, 600);
    world.restart(|config| config.audit.keep = None).await;
    world.clock.advance(Duration::from_secs(1));
    world.work().await;
    assert_eq!(world.rows("audit").await, 600);
    world
        .restart(|config| config.audit = Audit::default())
        .await;
    world.work().await;
    assert_eq!(world.rows("audit").await, 0);
    world.end().await;
}

#[tokio::test]
async fn an_entry_that_says_nothing_of_an_upload_is_found_all_the_same() {
    let world = World::new().await;
    let entry = Entry {
        owner: Some("me".to_owned()),
        address: address(),
        ..Entry::new(Act::SignIn, Some(&me()), from_millis(1_700_000_000_123))
    };
    world.app.records.note(entry.clone());
    let found = flow::audit(&world.app, &server(), &flow::AuditQuery::default()).await;
    assert_eq!(found.unwrap().entries, [entry]);
    world.end().await;
}

/// From then on the log takes nothing.
const FULL: &str =
    "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END";
const NO_LONGER_FULL: &str = "DROP TRIGGER full";

async fn change_log(world: &World, text: &'static str) {
    let path = world.app.config.records.to_str().unwrap();
    let database = SqlitePool::connect(path).await.unwrap();
    sqlx::query(text).execute(&database).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_done() {
    let world = World::new().await;
    let (records, now) = (&world.app.records, world.app.clock.now());
    let by = |act| Entry::by_operator(act, now);
    let random = world.app.ids.secret().unwrap();
    let hash = |text: &str| world.app.passwords.hash(Secret::new(text), random);
    let (old, new) = (
        hash("old horse").await.unwrap(),
        hash("new horse").await.unwrap(),
    );
    let user = |name: &str| User {
        name: name.parse().unwrap(),
        password: old.clone(),
        claims: Claims::default(),
        created_at: now,
        disabled_at: None,
    };
    let made = records.add_user(&user("anna"), by(Act::User)).await;
    assert_eq!(made.unwrap(), Outcome::Done);
    let key = ApiKey {
        name: "blog".to_owned(),
        sha256: hash_of("llk_blog"),
        scope: Scope::AllProfiles,
        expires_at: None,
        created_at: now,
        created_by: "operator".to_owned(),
    };
    let owner = Subject::new("owner", "me").unwrap();
    let who = || json!({"name": "anna", "password": "old horse"});

    change_log(&world, FULL).await;
    for failed in [
        records.add_user(&user("otto"), by(Act::User)).await,
        records.set_password("anna", &new, by(Act::User)).await,
        records.disable_user("anna", Some(now), by(Act::User)).await,
        records.remove_user("anna", by(Act::User)).await,
        records.add_key(&key, by(Act::Key)).await,
        records.revoke(&owner, None, by(Act::Revoke)).await,
    ] {
        assert_eq!(kind(failed), Kind::Internal);
    }
    assert_eq!(world.ask("", "POST /v1/sign-in", who()).await.status, 500);
    assert_eq!(
        world.ask(USER_TOKEN, BEGIN, photo("image")).await.status,
        503
    );
    assert_eq!(records.users().await.unwrap(), [user("anna")]);
    for table in ["api_keys", "revocations", "uploads"] {
        assert_eq!(world.rows(table).await, 0, "{table}");
    }

    change_log(&world, NO_LONGER_FULL).await;
    let rows = world.rows("audit").await;
    assert_eq!(world.ask("", "POST /v1/sign-in", who()).await.status, 200);
    // Before the answer, and without a queue.
    assert_eq!(world.rows("audit").await, rows + 1);
    world.end().await;
}
