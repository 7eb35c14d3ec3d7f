//! Revocation: of an owner, an API key, an upload, a profile. Nothing new is granted, nothing old becomes a file.

use std::time::Duration;

use loadlock::{
    auth::{Caller, Scope, Who},
    records::{Act, Change, Entry, FileChange, Outcome, Records, Subject},
    upload::{File, Metadata, State, UploadId},
};
use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, USER_TOKEN, World};

const BEGIN: &str = "POST /v1/uploads";
const REVOKE: &str = "POST /v1/revocations";
const OTHER_KEY: &str = "llk_blog";

fn photo(profile: &str) -> Value {
    json!({"profile": profile, "filename": "a.png", "content_type": "image/png", "size": PNG.len()})
}

fn photo_for(profile: &str, owner: &str) -> Value {
    let mut body = photo(profile);
    body["owner"] = owner.into();
    body
}

/// Revokes by an API key that is not to be revoked.
async fn revoke(world: &World, kind: &str, subject: &str) -> Answer {
    let body = json!({"kind": kind, "subject": subject, "reason": "spam"});
    let answer = world.ask(OTHER_KEY, REVOKE, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn restore(world: &World, kind: &str, subject: &str) -> u16 {
    let request = format!("DELETE /v1/revocations/{kind}/{subject}");
    world.ask(OTHER_KEY, &request, Value::Null).await.status
}

async fn world() -> World {
    let mut world = World::new().await;
    world.add_key(OTHER_KEY, "blog");
    world
}

/// Begun by the application's server for `me`, under a profile that waits for a claim.
async fn begin(world: &World, profile: &str) -> Answer {
    let begun = world.ask(API_KEY, BEGIN, photo_for(profile, "me")).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun
}

async fn sent(world: &World, profile: &str) -> String {
    let begun = begin(world, profile).await;
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    begun.text("/id")
}

async fn complete(world: &World, id: &str) -> Answer {
    world
        .ask(
            USER_TOKEN,
            &format!("POST /v1/uploads/{id}/complete"),
            Value::Null,
        )
        .await
}

async fn claim(world: &World, ids: &[&str]) -> Answer {
    let claim = json!({"ids": ids, "owner": "me"});
    world.ask(OTHER_KEY, "POST /v1/uploads/claim", claim).await
}

/// Sent, inspected, waiting for a claim.
async fn ready(world: &World) -> String {
    let id = sent(world, "post").await;
    assert_eq!(complete(world, &id).await.text("/state"), "ready");
    id
}

fn id(text: &str) -> UploadId {
    text.parse().unwrap()
}

/// What each kind is called that an upload of `sent` hangs on.
fn subjects(id: &str, profile: &str) -> [(&'static str, String); 4] {
    [
        ("owner", "me".to_owned()),
        ("api_key", "shop".to_owned()),
        ("upload", id.to_owned()),
        ("profile", profile.to_owned()),
    ]
}

/// `rejected revoked`
async fn end(world: &World, id: &str) -> String {
    let look = world
        .ask(USER_TOKEN, &format!("GET /v1/uploads/{id}"), Value::Null)
        .await;
    let reason = look.json["reason"]["code"].as_str().unwrap_or_default();
    format!("{} {reason}", look.text("/state"))
}

#[tokio::test]
async fn a_revoked_owner_begins_nothing_by_whomever() {
    let world = world().await;
    revoke(&world, "owner", "me").await;
    let refused = world.ask(USER_TOKEN, BEGIN, photo("image")).await;
    assert_eq!(refused.refusal(), "403 revoked");
    let refused = world.ask(API_KEY, BEGIN, photo_for("image", "me")).await;
    assert_eq!(refused.refusal(), "403 revoked");
    let put = json!({"path": "a.png", "content_type": "image/png"});
    let refused = world.ask(USER_TOKEN, "POST /upload_url", put).await;
    assert_eq!(refused.refusal(), "403 revoked");
    let files = json!([{"ref": "a", "filename": "a.png", "content_type": "image/png", "size": 3}]);
    let many = json!({"profile": "image", "owner": "me", "files": files});
    let many = world.ask(API_KEY, BEGIN, many).await;
    assert_eq!(many.text("/uploads/0/error/code"), "revoked");
    assert_eq!(
        world.ask(OTHER_TOKEN, BEGIN, photo("image")).await.status,
        201
    );
    assert_eq!(
        world
            .ask(API_KEY, BEGIN, photo_for("image", "you"))
            .await
            .status,
        201
    );
    world.end().await;
}

#[tokio::test]
async fn a_revoked_profile_takes_nothing_of_anybody() {
    let world = world().await;
    revoke(&world, "profile", "image").await;
    let refused = world.ask(USER_TOKEN, BEGIN, photo("image")).await;
    assert_eq!(refused.refusal(), "403 revoked");
    let refused = world.ask(API_KEY, BEGIN, photo_for("image", "me")).await;
    assert_eq!(refused.refusal(), "403 revoked");
    assert_eq!(
        world.ask(USER_TOKEN, BEGIN, photo("post")).await.status,
        201
    );
    world.end().await;
}

#[tokio::test]
async fn a_revoked_api_key_is_none_at_once() {
    let world = world().await;
    revoke(&world, "api_key", "shop").await;
    for request in ["GET /v1/files", "GET /v1/audit", "GET /v1/revocations"] {
        let refused = world.ask(API_KEY, request, Value::Null).await;
        assert_eq!(refused.refusal(), "401 unauthenticated", "{request}");
    }
    let refused = world.ask(API_KEY, BEGIN, photo_for("image", "me")).await;
    assert_eq!(refused.refusal(), "401 unauthenticated");
    let tried = "GET /v1/audit?act=authenticate";
    let log = world.ask(OTHER_KEY, tried, Value::Null).await;
    assert_eq!(log.json["entries"].as_array().unwrap().len(), 4);
    assert_eq!(log.text("/entries/0/actor"), "key shop");
    assert_eq!(log.text("/entries/0/outcome"), "unauthenticated");
    assert_eq!(restore(&world, "api_key", "shop").await, 204);
    assert_eq!(
        world
            .ask(API_KEY, "GET /v1/files", Value::Null)
            .await
            .status,
        200
    );
    world.end().await;
}

#[tokio::test]
async fn a_begin_is_not_repeated_for_whom_is_revoked() {
    let world = world().await;
    let headers = [("idempotency-key", "once")];
    let first = world
        .ask_with(USER_TOKEN, BEGIN, photo("image"), &headers)
        .await;
    assert_eq!(first.status, 201);
    for (kind, subject) in [
        ("owner", "me"),
        ("profile", "image"),
        ("upload", &first.text("/id")),
    ] {
        revoke(&world, kind, subject).await;
        let again = world
            .ask_with(USER_TOKEN, BEGIN, photo("image"), &headers)
            .await;
        assert_eq!(again.refusal(), "403 revoked", "{kind}");
        assert_eq!(restore(&world, kind, subject).await, 204);
    }
    let again = world
        .ask_with(USER_TOKEN, BEGIN, photo("image"), &headers)
        .await;
    assert_eq!(again.text("/id"), first.text("/id"));
    world.end().await;
}

#[tokio::test]
async fn no_more_parts_are_signed_of_what_is_revoked() {
    let world = world().await;
    let mut body = photo_for("post", "me");
    body["method"] = "multipart".into();
    let begun = world.ask(API_KEY, BEGIN, body).await;
    let parts = format!("POST /v1/uploads/{}/parts", begun.text("/id"));
    for (kind, subject) in subjects(&begun.text("/id"), "post") {
        revoke(&world, kind, &subject).await;
        for token in [USER_TOKEN, &begun.text("/token")] {
            let refused = world.ask(token, &parts, json!({"parts": [1]})).await;
            assert_eq!(refused.refusal(), "403 revoked", "{kind}");
        }
        restore(&world, kind, &subject).await;
    }
    let signed = world.ask(USER_TOKEN, &parts, json!({"parts": [1]})).await;
    assert_eq!(signed.status, 200);
    let log = world
        .ask(
            OTHER_KEY,
            "GET /v1/audit?act=sign&outcome=revoked",
            Value::Null,
        )
        .await;
    assert_eq!(log.json["entries"].as_array().unwrap().len(), 8);
    world.end().await;
}

#[tokio::test]
async fn what_was_granted_before_is_not_completed_until_it_is_restored() {
    let world = world().await;
    for n in 0..4 {
        let id = sent(&world, "image").await;
        let (kind, subject) = subjects(&id, "image")[n].clone();
        revoke(&world, kind, &subject).await;
        assert_eq!(
            complete(&world, &id).await.refusal(),
            "403 revoked",
            "{kind}"
        );
        assert_eq!(end(&world, &id).await, "issued ");
        restore(&world, kind, &subject).await;
        assert_eq!(complete(&world, &id).await.text("/state"), "stored");
    }
    world.end().await;
}

#[tokio::test]
async fn what_arrived_of_a_revoked_one_is_rejected_though_nobody_completes_it() {
    let world = world().await;
    for n in 0..4 {
        let id = sent(&world, "image").await;
        let (kind, subject) = subjects(&id, "image")[n].clone();
        revoke(&world, kind, &subject).await;
        world.clock.advance(Duration::from_mins(16));
        world.work().await;
        assert_eq!(end(&world, &id).await, "rejected revoked", "{kind}");
        restore(&world, kind, &subject).await;
    }
    assert!(world.lies_in("final").await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn what_waits_to_be_claimed_is_rejected_when_it_is_revoked() {
    let world = world().await;
    for n in 0..4 {
        let waiting = ready(&world).await;
        let (kind, subject) = subjects(&waiting, "post")[n].clone();
        let revoked = revoke(&world, kind, &subject).await;
        assert_eq!(revoked.json["open_uploads"], 1, "{kind}");
        let refused = claim(&world, &[&waiting]).await;
        assert_eq!(refused.refusal(), "403 revoked", "{kind}");
        world.work().await;
        assert_eq!(end(&world, &waiting).await, "rejected revoked", "{kind}");
        assert_eq!(restore(&world, kind, &subject).await, 204);
        // That was an end.
        let refused = claim(&world, &[&waiting]).await;
        assert_eq!(refused.refusal(), "409 upload_ended", "{kind}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_was_restored_in_time_waits_on() {
    let world = world().await;
    let waiting = ready(&world).await;
    revoke(&world, "owner", "me").await;
    restore(&world, "owner", "me").await;
    world.work().await;
    assert_eq!(end(&world, &waiting).await, "ready ");
    assert_eq!(claim(&world, &[&waiting]).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn of_a_claim_what_is_revoked_is_rejected_and_the_rest_given_back() {
    let world = world().await;
    let (good, bad) = (ready(&world).await, ready(&world).await);
    // Claimed by a process that dies before it promotes.
    world.take(&[id(&good), id(&bad)]).await;
    revoke(&world, "upload", &bad).await;
    world.work().await;
    assert_eq!(end(&world, &bad).await, "rejected revoked");
    assert_eq!(end(&world, &good).await, "ready ");
    assert_eq!(claim(&world, &[&good]).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn what_another_process_revokes_after_the_claim_is_no_file() {
    let world = world().await;
    let waiting = ready(&world).await;
    world.take(&[id(&waiting)]).await;
    let subject = Subject::Owner("me".parse().unwrap());
    let other = Records::open(&world.app.config.records).await.unwrap();
    let entry = Entry::by_operator(Act::Revoke, world.app.clock.now());
    assert_eq!(
        other.revoke(&subject, None, entry).await.unwrap(),
        Outcome::Done
    );
    world.work().await;
    assert_eq!(end(&world, &waiting).await, "rejected revoked");
    world.end().await;
}

#[tokio::test]
async fn the_transaction_that_stores_has_the_last_word() {
    let world = world().await;
    let waiting = id(&ready(&world).await);
    world.take(&[waiting]).await;
    let records = &world.app.records;
    let from = records.upload(waiting).await.unwrap().unwrap();
    let State::Ready { inspected, .. } = &from.state else {
        panic!("{:?}", from.state);
    };
    let file = File {
        id: from.id,
        profile: from.profile.clone(),
        owner: from.owner.clone(),
        filename: from.filename.clone(),
        content_type: inspected.content_type.clone(),
        size_bytes: inspected.size_bytes,
        checksum: None,
        dimensions: None,
        metadata: Metadata::new(),
        created_at: world.app.clock.now(),
        key: inspected.key.clone(),
    };
    let to = from.clone().store(inspected.key.clone()).unwrap();
    for (kind, subject) in subjects(&waiting.to_string(), "post") {
        revoke(&world, kind, &subject).await;
        let change = Change {
            from: &from,
            to: &to,
            due: None,
            file: FileChange::Insert(Box::new(file.clone())),
            by: None,
        };
        let outcome = records
            .change(&[change], world.app.clock.now())
            .await
            .unwrap();
        assert_eq!(outcome, Outcome::Lost, "{kind}");
        assert!(records.file(waiting).await.unwrap().is_none());
        restore(&world, kind, &subject).await;
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_stored_stays_and_no_new_link_leads_to_it() {
    let mut world = world().await;
    world.profile("image", |image| image.read = loadlock::upload::Read::Signed);
    let stored = sent(&world, "image").await;
    assert_eq!(complete(&world, &stored).await.text("/state"), "stored");
    let links = async |token: &str| {
        let body = json!({"ids": [stored]});
        world.ask(token, "POST /v1/files/links", body).await
    };
    assert!(
        links(API_KEY).await.json["missing"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    for (kind, subject) in [("owner", "me"), ("upload", &stored), ("profile", "image")] {
        revoke(&world, kind, subject).await;
        let file = world
            .ask(USER_TOKEN, &format!("GET /v1/files/{stored}"), Value::Null)
            .await;
        assert_eq!(file.status, 200, "{kind}");
        assert_eq!(complete(&world, &stored).await.text("/state"), "stored");
        assert_eq!(
            links(API_KEY).await.json["missing"],
            json!([stored]),
            "{kind}"
        );
        if kind == "owner" {
            assert_eq!(links(USER_TOKEN).await.refusal(), "403 revoked");
        }
        restore(&world, kind, subject).await;
    }
    world.end().await;
}

#[tokio::test]
async fn revoking_twice_stays_as_it_was_done_first() {
    let world = world().await;
    let first = revoke(&world, "owner", "me/@ ü").await;
    world.clock.advance(Duration::from_mins(1));
    let body = json!({"kind": "owner", "subject": "me/@ ü"});
    let second = world.ask(API_KEY, REVOKE, body).await;
    assert_eq!(first.json, second.json);
    assert_eq!(first.text("/by"), "key blog");
    assert_eq!(first.text("/reason"), "spam");
    let list = world.ask(API_KEY, "GET /v1/revocations", Value::Null).await;
    assert_eq!(list.json["revocations"].as_array().unwrap().len(), 1);
    assert_eq!(list.text("/revocations/0/subject"), "me/@ ü");
    for _ in 0..2 {
        assert_eq!(restore(&world, "owner", "me%2F@%20%C3%BC").await, 204);
    }
    let list = world.ask(API_KEY, "GET /v1/revocations", Value::Null).await;
    assert_eq!(list.json, json!({"revocations": []}));
    for (act, by) in [("revoke", "key blog"), ("restore", "key blog")] {
        let log = world
            .ask(API_KEY, &format!("GET /v1/audit?act={act}"), Value::Null)
            .await;
        assert_eq!(log.json["entries"].as_array().unwrap().len(), 1, "{act}");
        assert_eq!(log.text("/entries/0/actor"), by);
        assert_eq!(log.text("/entries/0/owner"), "me/@ ü");
        assert!(log.text("/entries/0/detail").contains("owner `me/@ ü`"));
    }
    world.end().await;
}

#[tokio::test]
async fn a_hundred_revocations_are_a_page() {
    let world = world().await;
    for n in 0..101 {
        revoke(&world, "owner", &format!("u{n}")).await;
    }
    let page = world.ask(API_KEY, "GET /v1/revocations", Value::Null).await;
    assert_eq!(page.json["revocations"].as_array().unwrap().len(), 100);
    let next = format!("GET /v1/revocations?cursor={}", page.text("/next_cursor"));
    let last = world.ask(API_KEY, &next, Value::Null).await;
    assert_eq!(last.json["revocations"].as_array().unwrap().len(), 1);
    assert!(last.json["next_cursor"].is_null());
    world.end().await;
}

#[tokio::test]
async fn only_an_api_key_for_all_profiles_revokes() {
    let world = world().await;
    let begun = world.ask(USER_TOKEN, BEGIN, photo("image")).await;
    let body = json!({"kind": "owner", "subject": "other"});
    let scope = Scope::Profiles(["image".to_owned()].into());
    let name = "shop".to_owned();
    let scoped: Caller = Who::Server { name, scope }.into();
    for (request, body) in [
        (REVOKE, &body),
        ("GET /v1/revocations", &Value::Null),
        ("DELETE /v1/revocations/owner/other", &Value::Null),
    ] {
        let ask = async |token: &str| world.ask(token, request, body.clone()).await.refusal();
        assert_eq!(ask("").await, "401 unauthenticated", "{request}");
        assert_eq!(ask(USER_TOKEN).await, "403 forbidden", "{request}");
        assert_eq!(
            ask(&begun.text("/token")).await,
            "403 forbidden",
            "{request}"
        );
        let refused = world.ask_as(&scoped, request, body.clone()).await;
        assert_eq!(refused.refusal(), "403 forbidden", "{request}");
    }
    assert_eq!(world.rows("revocations").await, 0);
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_revoked_is_told_so() {
    let world = world().await;
    let long = "x".repeat(256);
    let check = async |kind: &str, subject: &str, reason: &str, expected: &str| {
        let body = json!({"kind": kind, "subject": subject, "reason": reason});
        let refused = world.ask(API_KEY, REVOKE, body).await;
        assert_eq!(refused.refusal(), expected, "{kind} {subject}");
    };
    check("person", "me", "", "400 invalid_request").await;
    check("owner", "", "", "400 invalid_request").await;
    check("owner", &long, "", "400 invalid_request").await;
    check("api_key", &long, "", "400 invalid_request").await;
    check("profile", "a\nb", "", "400 invalid_request").await;
    check("upload", "x", "", "400 invalid_request").await;
    check("upload", "01KAN3V9Q5W2M8Z7T4R6Y1XHBE", "", "404 not_found").await;
    check("owner", "me", &long, "400 invalid_request").await;
    world.end().await;
}
