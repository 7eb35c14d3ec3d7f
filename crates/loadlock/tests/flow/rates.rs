//! Rate limits: who asks too often waits, and is told how long; nobody waits for another.

use std::{num::NonZeroU32, time::Duration};

use loadlock::{
    auth::Caller,
    limits::{Limits, Rate},
};
use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, USER_TOKEN, World};

const BEGIN: &str = "POST /v1/uploads";
const LIST: &str = "GET /v1/files";

fn a_minute(count: u32) -> Rate {
    let count = NonZeroU32::new(count).unwrap();
    Rate {
        count,
        per: Duration::from_mins(1),
        burst: count,
    }
}

async fn with(limits: Limits) -> World {
    let mut world = World::new().await;
    world.restart(|config| config.limits = limits).await;
    world
}

fn photo() -> Value {
    json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": PNG.len()})
}

async fn list(world: &World, token: &str) -> Answer {
    world.ask(token, LIST, Value::Null).await
}

async fn list_from(world: &World, address: &str, token: &str) -> u16 {
    let asked = world.ask_from((address, &[]), token, LIST, Value::Null);
    asked.await.status
}

#[tokio::test]
async fn an_owner_who_asks_too_often_is_told_when_to_come_back() {
    let limits = Limits {
        per_owner: Some(a_minute(2)),
        ..Limits::default()
    };
    let world = with(limits).await;
    let first = list(&world, USER_TOKEN).await;
    assert_eq!(first.header("ratelimit-policy"), "\"owner\";q=2;w=60");
    assert_eq!(first.header("ratelimit"), "\"owner\";r=1;t=0");
    assert_eq!(first.header("retry-after"), "");
    assert_eq!(world.ask(USER_TOKEN, BEGIN, photo()).await.status, 201);

    world.clock.advance(Duration::from_millis(500));
    let refused = world.ask(USER_TOKEN, BEGIN, photo()).await;
    assert_eq!(refused.refusal(), "429 rate_limited");
    assert_eq!(refused.json["error"]["retryable"], true);
    assert_eq!(
        refused.text("/error/message"),
        "too many requests: try again in 30 seconds"
    );
    assert_eq!(
        refused.json["error"]["details"],
        json!({"retry_after": 30, "policy": "owner"})
    );
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(refused.header("ratelimit"), "\"owner\";r=0;t=30");
    assert_eq!(list(&world, OTHER_TOKEN).await.status, 200);

    world.clock.advance(Duration::from_secs(30));
    assert_eq!(list(&world, USER_TOKEN).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn pages_may_read_how_they_stand() {
    let limits = Limits {
        per_owner: Some(a_minute(1)),
        ..Limits::default()
    };
    let world = with(limits).await;
    list(&world, USER_TOKEN).await;
    let origin = [("origin", "https://app.test")];
    let refused = world.ask_with(USER_TOKEN, LIST, Value::Null, &origin).await;
    assert_eq!(refused.refusal(), "429 rate_limited");
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "https://app.test"
    );
    let exposed = refused.header("access-control-expose-headers");
    assert_eq!(exposed, "retry-after,ratelimit,ratelimit-policy");
    world.end().await;
}

#[tokio::test]
async fn looking_and_what_everybody_may_read_are_free() {
    let limits = Limits {
        per_owner: Some(a_minute(1)),
        per_address: Some(a_minute(1)),
        ..Limits::default()
    };
    let world = with(limits).await;
    let begun = world.ask(USER_TOKEN, BEGIN, photo()).await;
    let look = format!("GET /v1/uploads/{}", begun.text("/id"));
    for request in [look.as_str(), "GET /v1/profiles", "GET /healthz"] {
        for _ in 0..5 {
            let from = ("203.0.113.7", &[][..]);
            let answer = world.ask_from(from, USER_TOKEN, request, Value::Null).await;
            assert_eq!(answer.status, 200, "{request}");
            assert_eq!(answer.header("ratelimit"), "");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn an_address_is_counted_before_anybodys_token_is_looked_at() {
    let limits = Limits {
        per_address: Some(a_minute(2)),
        ..Limits::default()
    };
    let world = with(limits).await;
    let from = async |address: &str, token: &str| list_from(&world, address, token).await;
    assert_eq!(from("203.0.113.7", "llu_guessed").await, 401);
    assert_eq!(from("203.0.113.7", "").await, 401);
    assert_eq!(from("203.0.113.7", USER_TOKEN).await, 429);
    assert_eq!(from("203.0.113.8", USER_TOKEN).await, 200);
    // One subscriber has many addresses of IPv6.
    assert_eq!(from("2001:db8::1", USER_TOKEN).await, 200);
    assert_eq!(from("2001:db8::2", USER_TOKEN).await, 200);
    assert_eq!(from("2001:db8::3", USER_TOKEN).await, 429);
    assert_eq!(from("2001:db8:0:1::1", USER_TOKEN).await, 200);
    world.end().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_its_clients_are_counted() {
    let limits = Limits {
        per_address: Some(a_minute(1)),
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..Limits::default()
    };
    let world = with(limits).await;
    let from = async |peer: &str, told: &str| {
        let headers = [("x-forwarded-for", told)];
        let asked = world.ask_from((peer, &headers), USER_TOKEN, LIST, Value::Null);
        asked.await.status
    };
    assert_eq!(from("10.0.0.1", "203.0.113.7").await, 200);
    assert_eq!(from("10.0.0.2", "203.0.113.7").await, 429);
    assert_eq!(from("10.0.0.1", "203.0.113.8").await, 200);
    // What stands left of the client's own address is its own invention.
    assert_eq!(from("10.0.0.1", "198.51.100.1, 203.0.113.8").await, 429);
    // And who is no proxy of ours invents all of it.
    assert_eq!(from("203.0.113.9", "198.51.100.2").await, 200);
    assert_eq!(from("203.0.113.9", "198.51.100.3").await, 429);
    world.end().await;
}

#[tokio::test]
async fn where_an_upload_was_begun_is_recorded() {
    let limits = Limits {
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..Limits::default()
    };
    let world = with(limits).await;
    let headers = [("x-forwarded-for", "203.0.113.7")];
    let begun = world
        .ask_from(("10.0.0.1", &headers), USER_TOKEN, BEGIN, photo())
        .await;
    let id = begun.text("/id").parse().unwrap();
    let upload = world.app.records.upload(id).await.unwrap().unwrap();
    assert_eq!(upload.address, Some("203.0.113.7".parse().unwrap()));
    world.end().await;
}

#[tokio::test]
async fn an_application_server_is_not_limited_by_its_address_but_by_its_key() {
    let limits = Limits {
        per_address: Some(a_minute(1)),
        per_key: Some(a_minute(3)),
        ..Limits::default()
    };
    let world = with(limits).await;
    for _ in 0..3 {
        assert_eq!(list_from(&world, "203.0.113.7", API_KEY).await, 200);
    }
    assert_eq!(list_from(&world, "203.0.113.7", API_KEY).await, 429);
    let caller = Caller::server("embedded").at(None);
    let around = world.ask_as(&caller, LIST, Value::Null).await;
    assert_eq!(around.header("ratelimit-policy"), "\"key\";q=3;w=60");
    world.end().await;
}

#[tokio::test]
async fn where_nobody_looks_at_tokens_an_api_key_lifts_no_limit() {
    let limits = Limits {
        per_address: Some(a_minute(2)),
        ..Limits::default()
    };
    let world = with(limits).await;
    let login = json!({"name": "nobody", "password": "a guess"});
    for status in [401, 401, 429] {
        let from = ("192.0.2.7", [].as_slice());
        let asked = world.ask_from(from, "llk_a", "POST /v1/sign-in", login.clone());
        assert_eq!(asked.await.status, status);
    }
    world.end().await;
}

#[tokio::test]
async fn who_guesses_tokens_is_kept_away_for_a_while() {
    let limits = Limits {
        failures: Some(a_minute(3)),
        ..Limits::default()
    };
    let world = with(limits).await;
    for guess in ["llk_a", "llk_b", "llu_c", "a.b.c"] {
        assert_eq!(
            list_from(&world, "203.0.113.7", guess).await,
            401,
            "{guess}"
        );
    }
    // Nor by a look, which is free.
    for request in [LIST, "GET /v1/uploads/01J"] {
        let asked = world.ask_from(("203.0.113.7", &[]), "llk_d", request, Value::Null);
        let refused = asked.await;
        assert_eq!(refused.refusal(), "429 rate_limited");
        assert_eq!(refused.text("/error/details/policy"), "failures");
        assert_eq!(refused.header("retry-after"), "20");
    }
    assert_eq!(list_from(&world, "203.0.113.8", "llk_d").await, 401);
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(list_from(&world, "203.0.113.7", "llk_d").await, 401);
    world.end().await;
}

#[tokio::test]
async fn whoever_guesses_beside_them_keeps_no_holder_of_a_good_token_out() {
    let limits = Limits {
        failures: Some(a_minute(1)),
        ..Limits::default()
    };
    let world = with(limits).await;
    let begun = world.ask(USER_TOKEN, BEGIN, photo()).await;
    let look = format!("GET /v1/uploads/{}", begun.text("/id"));
    for guess in ["llk_a", "llk_b"] {
        assert_eq!(list_from(&world, "203.0.113.7", guess).await, 401);
    }
    for token in [API_KEY, USER_TOKEN] {
        assert_eq!(list_from(&world, "203.0.113.7", token).await, 200);
    }
    let upload_token = begun.text("/token");
    let from = ("203.0.113.7", [].as_slice());
    let answer = world.ask_from(from, &upload_token, &look, Value::Null);
    assert_eq!(answer.await.status, 200);
    assert_eq!(list_from(&world, "203.0.113.7", "llk_c").await, 429);
    world.end().await;
}

#[tokio::test]
async fn an_upload_token_has_its_own_bucket() {
    let limits = Limits {
        per_owner: Some(a_minute(2)),
        ..Limits::default()
    };
    let world = with(limits).await;
    let begun = world.ask(USER_TOKEN, BEGIN, photo()).await;
    let path = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let token = begun.text("/token");
    for expected in [409, 409, 429] {
        let answer = world.ask(&token, &path, Value::Null).await;
        assert_eq!(answer.status, expected);
    }
    assert_eq!(list(&world, USER_TOKEN).await.status, 200);
    world.end().await;
}
