//! Local users: sign-in for a token, and what ends it.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use loadlock::{
    auth::{Claims, KeyRing, Secret},
    records::{Act, Entry, Outcome, User},
    upload::Admits,
};
use serde_json::{Value, json};

use crate::world::{Answer, PNG, World};

const PASSWORD: &str = "correct horse battery";

async fn hashed(world: &World, password: &str) -> Secret {
    let random = world.app.ids.secret().unwrap();
    let hash = world.app.passwords.hash(Secret::new(password), random);
    hash.await.unwrap()
}

fn by(world: &World) -> Entry {
    Entry::by_operator(Act::User, world.app.clock.now())
}

async fn add(world: &World, name: &str) {
    let Value::Object(claims) = json!({"role": "editor"}) else {
        unreachable!()
    };
    let user = User {
        name: name.parse().unwrap(),
        password: hashed(world, PASSWORD).await,
        claims: Claims::new(claims),
        created_at: world.app.clock.now(),
        disabled_at: None,
    };
    assert_eq!(
        world.app.records.add_user(&user, by(world)).await.unwrap(),
        Outcome::Done
    );
}

async fn sign_in(world: &World, name: &str, password: &str) -> Answer {
    let who = json!({"name": name, "password": password});
    world.ask("", "POST /v1/sign-in", who).await
}

async fn sign_in_from(world: &World, address: &str, name: &str, password: &str) -> Answer {
    let who = json!({"name": name, "password": password});
    world
        .ask_from((address, &[]), "", "POST /v1/sign-in", who)
        .await
}

async fn token(world: &World, name: &str) -> String {
    sign_in(world, name, PASSWORD).await.text("/token")
}

/// Whether the API takes this token: `200`, or a refusal.
async fn holds(world: &World, token: &str) -> String {
    let answer = world.ask(token, "GET /v1/files", Value::Null).await;
    match answer.status {
        200 => "200".to_owned(),
        _ => answer.refusal(),
    }
}

const VOID: &str = "401 unauthenticated";

#[tokio::test]
async fn a_local_user_signs_in_and_uploads_what_is_theirs() {
    let world = World::new().await;
    add(&world, "anna").await;
    let answer = sign_in(&world, "anna", PASSWORD).await;
    assert_eq!(
        (answer.status, answer.text("/owner")),
        (200, "anna".to_owned())
    );
    assert_eq!(answer.text("/expires_at"), "2026-01-01T01:00:00.000Z");
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = answer.text("/token");
    let wish = json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": PNG.len()});
    let begun = world.ask(&token, "POST /v1/uploads", wish).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    let id = begun.text("/id");
    let done = world
        .ask(
            &token,
            &format!("POST /v1/uploads/{id}/complete"),
            Value::Null,
        )
        .await;
    assert_eq!(
        (done.text("/state"), done.text("/owner")),
        ("stored".to_owned(), "anna".to_owned())
    );
    let path = format!("GET /v1/uploads/{id}");
    let others = world.ask(crate::world::OTHER_TOKEN, &path, Value::Null);
    assert_eq!(others.await.status, 404);
    world.end().await;
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_answered_alike_and_take_as_long() {
    let world = World::new().await;
    add(&world, "anna").await;
    let mut quickest = [Duration::MAX; 2];
    for _ in 0..4 {
        for (n, name) in ["anna", "nobody"].iter().enumerate() {
            let start = Instant::now();
            let answer = sign_in(&world, name, "wrong horse battery").await;
            quickest[n] = quickest[n].min(start.elapsed());
            assert_eq!(answer.refusal(), "401 sign_in_failed");
            assert_eq!(answer.text("/error/message"), "name or password is wrong");
        }
    }
    // One of them without argon2 would be hundreds of times as quick.
    assert!(
        quickest[0] < quickest[1] * 4 && quickest[1] < quickest[0] * 4,
        "{quickest:?}"
    );
    world.end().await;
}

#[tokio::test]
async fn a_token_ends_after_an_hour() {
    let world = World::new().await;
    add(&world, "anna").await;
    let token = token(&world, "anna").await;
    world.clock.advance(Duration::from_secs(3599));
    assert_eq!(holds(&world, &token).await, "200");
    world.clock.advance(Duration::from_secs(1));
    let answer = world.ask(&token, "GET /v1/files", Value::Null).await;
    assert_eq!(answer.refusal(), VOID);
    assert_eq!(
        answer.text("/error/message"),
        "this token has expired: sign in again"
    );
    world.end().await;
}

#[tokio::test]
async fn a_token_that_was_changed_is_void() {
    let world = World::new().await;
    for name in ["anna", "annb"] {
        add(&world, name).await;
    }
    let token = token(&world, "anna").await;
    let bytes = URL_SAFE_NO_PAD.decode(&token[4..]).unwrap();
    for n in 0..bytes.len() {
        let mut changed = bytes.clone();
        // Of the name's last letter this makes the other user's.
        changed[n] ^= 3;
        let changed = format!("llu_{}", URL_SAFE_NO_PAD.encode(changed));
        assert_eq!(holds(&world, &changed).await, VOID, "byte {n}");
    }
    for text in [
        "llu_",
        "llu_AAAA",
        "llu_ä",
        &token[..token.len() - 1],
        &token[4..],
    ] {
        assert_eq!(holds(&world, text).await, VOID, "{text}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_token_dies_with_the_password_it_was_signed_under() {
    let world = World::new().await;
    add(&world, "anna").await;
    let token = token(&world, "anna").await;
    // Also where it is the same again.
    let hash = hashed(&world, PASSWORD).await;
    let changed = world
        .app
        .records
        .set_password("anna", &hash, by(&world))
        .await
        .unwrap();
    assert_eq!(changed, Outcome::Done);
    assert_eq!(holds(&world, &token).await, VOID);
    let hash = hashed(&world, "another horse").await;
    let changed = world
        .app
        .records
        .set_password("anna", &hash, by(&world))
        .await
        .unwrap();
    assert_eq!(changed, Outcome::Done);
    assert_eq!(
        sign_in(&world, "anna", PASSWORD).await.refusal(),
        "401 sign_in_failed"
    );
    assert_eq!(sign_in(&world, "anna", "another horse").await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_removed_user_is_signed_out_also_if_another_takes_their_name() {
    let world = World::new().await;
    add(&world, "anna").await;
    let token = token(&world, "anna").await;
    let removed = world
        .app
        .records
        .remove_user("anna", by(&world))
        .await
        .unwrap();
    assert_eq!(removed, Outcome::Done);
    assert_eq!(holds(&world, &token).await, VOID);
    assert_eq!(
        sign_in(&world, "anna", PASSWORD).await.refusal(),
        "401 sign_in_failed"
    );
    add(&world, "anna").await;
    assert_eq!(holds(&world, &token).await, VOID);
    world.end().await;
}

#[tokio::test]
async fn a_disabled_user_is_kept_out_until_they_are_enabled() {
    let world = World::new().await;
    add(&world, "anna").await;
    let (token, now) = (token(&world, "anna").await, world.app.clock.now());
    let records = &world.app.records;
    let disabled = records
        .disable_user("anna", Some(now), by(&world))
        .await
        .unwrap();
    assert_eq!(disabled, Outcome::Done);
    assert_eq!(holds(&world, &token).await, VOID);
    assert_eq!(
        sign_in(&world, "anna", PASSWORD).await.refusal(),
        "401 sign_in_failed"
    );
    let enabled = records
        .disable_user("anna", None, by(&world))
        .await
        .unwrap();
    assert_eq!(enabled, Outcome::Done);
    assert_eq!(holds(&world, &token).await, "200");
    assert_eq!(
        records
            .disable_user("otto", None, by(&world))
            .await
            .unwrap(),
        Outcome::Lost
    );
    world.end().await;
}

#[tokio::test]
async fn who_is_disabled_is_not_told_so_but_the_log_is() {
    let mut world = World::new().await;
    add(&world, "anna").await;
    let token = token(&world, "anna").await;
    let now = Some(world.app.clock.now());
    let disabled = world.app.records.disable_user("anna", now, by(&world));
    assert_eq!(disabled.await.unwrap(), Outcome::Done);
    for password in ["wrong horse", PASSWORD] {
        let answer = sign_in_from(&world, "192.0.2.7", "anna", password).await;
        assert_eq!(answer.refusal(), "401 sign_in_failed");
        assert_eq!(answer.text("/error/message"), "name or password is wrong");
    }
    let files = "GET /v1/files";
    let answer = world.ask_from(("192.0.2.7", &[]), &token, files, Value::Null);
    assert_eq!(answer.await.refusal(), VOID);
    // One that she did not get from us is a stranger's.
    assert_eq!(holds(&world, &format!("{}A", &token[..40])).await, VOID);
    let log = async |world: &World| {
        let known = "GET /v1/audit?owner=anna&outcome=not_ok";
        let log = world.ask(crate::world::API_KEY, known, Value::Null).await;
        let entries = log.json["entries"].as_array().unwrap().clone();
        let told = entries.iter().map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or("–").to_owned();
            ["act", "outcome", "actor", "address", "detail"]
                .map(text)
                .join(", ")
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        told
    };
    assert_eq!(
        log(&world).await,
        [
            "authenticate, sign_in_failed, user anna, 192.0.2.7, this user is disabled",
            "authenticate, unauthenticated, user anna, 192.0.2.7, this user is disabled",
            "sign_in, sign_in_failed, anonymous, 192.0.2.7, name or password is wrong",
        ]
    );
    // Who goes on trying fills no log.
    let few = loadlock::limits::Rate {
        count: 3.try_into().unwrap(),
        per: Duration::from_mins(1),
        burst: 3.try_into().unwrap(),
    };
    world
        .restart(|config| config.limits.failures = Some(few))
        .await;
    for _ in 0..10 {
        assert_eq!(holds(&world, &token).await, VOID);
    }
    assert_eq!(log(&world).await.len(), 3 + 3);
    world.end().await;
}

#[tokio::test]
async fn a_token_dies_with_the_secret_that_signed_it() {
    let mut world = World::new().await;
    add(&world, "anna").await;
    let token = token(&world, "anna").await;
    let ring = |newest: &str, older: &[&str]| {
        let older = older.iter().map(|text| Secret::new(*text));
        KeyRing::new(Secret::new(newest), older.collect())
    };
    world
        .restart(|config| config.secrets = ring("a newer one", &["the service's own"]))
        .await;
    assert_eq!(holds(&world, &token).await, "200");
    world
        .restart(|config| config.secrets = ring("a newer one", &[]))
        .await;
    assert_eq!(holds(&world, &token).await, VOID);
    world.end().await;
}

#[tokio::test]
async fn a_users_claims_open_the_profiles_that_ask_for_them() {
    let mut world = World::new().await;
    add(&world, "anna").await;
    let demand = |role: &str| {
        let claims = [("role".to_owned(), vec![role.to_owned()])];
        Admits {
            claims: claims.into(),
            ..Admits::default()
        }
    };
    let profiles = [("image", demand("editor")), ("raw", demand("admin"))];
    world
        .restart(|config| {
            for (name, admits) in profiles {
                let mut all = config.profiles.iter_mut();
                all.find(|profile| profile.name == name).unwrap().admits = admits;
            }
        })
        .await;
    let token = token(&world, "anna").await;
    let begin = async |profile: &str| {
        let wish = json!({"profile": profile, "filename": "a.png", "content_type": "image/png", "size": PNG.len()});
        world.ask(&token, "POST /v1/uploads", wish).await
    };
    assert_eq!(begin("image").await.status, 201);
    assert_eq!(begin("raw").await.refusal(), "403 forbidden");
    world.end().await;
}

#[tokio::test]
async fn who_tries_too_often_has_to_wait() {
    let world = World::new().await;
    add(&world, "anna").await;
    for _ in 0..10 {
        assert_eq!(sign_in(&world, "anna", "wrong horse").await.status, 401);
    }
    let answer = sign_in(&world, "anna", PASSWORD).await;
    assert_eq!(
        answer.refusal(),
        "429 rate_limited",
        "the right password does not tell itself"
    );
    assert_eq!(answer.header("retry-after"), "10");
    assert_eq!(
        sign_in(&world, "otto", PASSWORD).await.status,
        401,
        "others are not kept waiting"
    );
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(sign_in(&world, "anna", PASSWORD).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn nobody_keeps_another_from_signing_in_by_guessing_under_their_name() {
    let world = World::new().await;
    add(&world, "anna").await;
    let guess = async |address: &str| {
        let answer = sign_in_from(&world, address, "anna", "wrong horse").await;
        answer.refusal()
    };
    for _ in 0..10 {
        assert_eq!(guess("192.0.2.7").await, "401 sign_in_failed");
    }
    assert_eq!(guess("192.0.2.7").await, "429 rate_limited");
    for address in ["192.0.2.8", "2001:db8::1"] {
        let answer = sign_in_from(&world, address, "anna", PASSWORD).await;
        assert_eq!(answer.status, 200, "{address}");
    }
    world.end().await;
}

#[tokio::test]
async fn long_names_and_passwords_are_refused_unread() {
    let world = World::new().await;
    add(&world, "anna").await;
    let check = async |name: &str, password: &str, expected: &str| {
        let answer = sign_in(&world, name, password).await;
        assert_eq!(answer.refusal(), expected);
    };
    check(&"a".repeat(256), PASSWORD, "400 invalid_request").await;
    check("anna", &"a".repeat(1025), "400 invalid_request").await;
    check("anna", &"a".repeat(1024), "401 sign_in_failed").await;
    check("", "", "401 sign_in_failed").await;
    check("anna\0", PASSWORD, "401 sign_in_failed").await;
    for body in [
        json!({"name": "anna"}),
        json!({"name": "anna", "password": 1}),
        json!([]),
    ] {
        let answer = world.ask("", "POST /v1/sign-in", body).await;
        assert_eq!(answer.refusal(), "400 invalid_request");
    }
    world.end().await;
}

#[tokio::test]
async fn who_signed_in_and_who_could_not_is_written_down() {
    let world = World::new().await;
    add(&world, "anna").await;
    sign_in(&world, "anna", "wrong horse").await;
    sign_in(&world, "my-password-by-mistake", "wrong horse").await;
    world.clock.advance(Duration::from_secs(1));
    sign_in(&world, "anna", PASSWORD).await;
    world.app.records.flush_notes().await;
    let log = world.ask(
        crate::world::API_KEY,
        "GET /v1/audit?act=sign_in",
        Value::Null,
    );
    let log = log.await;
    let entries = log.json["entries"].as_array().unwrap();
    let told = entries.iter().map(|entry| {
        let text = |name: &str| entry[name].as_str().unwrap_or("–").to_owned();
        [text("actor"), text("owner"), text("outcome")].join(" ")
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "user anna anna ok",
            "anonymous – sign_in_failed",
            "anonymous anna sign_in_failed",
        ]
    );
    let text = log.json.to_string();
    assert!(
        !text.contains("horse") && !text.contains("mistake"),
        "{text}"
    );
    world.end().await;
}
