//! Tokens: an upload's own, which serve it alone, and a user's, which the application signs.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use loadlock::{
    auth::{KeyRing, Secret},
    upload::Method,
};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384};

use crate::{
    vending::web_identity,
    world::{API_KEY, Answer, PNG, USER_TOKEN, World},
};

const SHARED: &str = "a secret shared with the application";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

async fn begin(world: &World, method: &str) -> Answer {
    let begin = json!({
        "profile": "post", "owner": "me", "filename": "a.png", "content_type": "image/png", "size": PNG.len(),
        "method": method, "metadata": {"title": "set by the server"},
    });
    let begun = world.ask(API_KEY, "POST /v1/uploads", begin).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun
}

async fn look(world: &World, begun: &Answer) -> u16 {
    let look = format!("GET /v1/uploads/{}", begun.text("/id"));
    let answer = world.ask(&begun.text("/token"), &look, Value::Null).await;
    answer.status
}

#[tokio::test]
async fn an_upload_token_signs_looks_completes_and_aborts() {
    let world = World::new().await;
    let begun = begin(&world, "multipart").await;
    let (id, token) = (begun.text("/id"), begun.text("/token"));
    let ask = async |method: &str, what: &str, body: Value| {
        let request = format!("{method} /v1/uploads/{id}{what}");
        world.ask(&token, &request, body).await
    };
    let signed = ask("POST", "/parts", json!({"parts": [1]})).await;
    assert_eq!(signed.status, 200, "{signed:?}");
    assert_eq!(world.put_grant(&signed.json["parts"][0], PNG).await, 200);
    assert_eq!(ask("GET", "", Value::Null).await.text("/state"), "issued");
    let completed = ask("POST", "/complete", Value::Null).await;
    assert_eq!(completed.text("/state"), "ready");
    let aborted = ask("DELETE", "", Value::Null).await;
    assert_eq!(aborted.text("/state"), "aborted");
    world.end().await;
}

#[tokio::test]
async fn an_upload_token_does_nothing_else() {
    let world = World::new().await;
    let begun = begin(&world, "put").await;
    let (own, token) = (begun.text("/id"), begun.text("/token"));
    let other = begin(&world, "multipart").await.text("/id");
    let file =
        json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": 3});
    let many = json!({"profile": "image", "files": []});
    let claim = json!({"ids": [other.clone()], "owner": "me"});
    let ids = json!({"ids": [other.clone()]});
    let refused = [
        (format!("GET /v1/uploads/{other}"), Value::Null, "404"),
        (
            format!("POST /v1/uploads/{other}/parts"),
            json!({"parts": [1]}),
            "404",
        ),
        (
            format!("POST /v1/uploads/{other}/complete"),
            Value::Null,
            "404",
        ),
        (format!("DELETE /v1/uploads/{other}"), Value::Null, "404"),
        ("POST /v1/uploads".to_owned(), file, "403"),
        ("POST /v1/uploads".to_owned(), many, "403"),
        ("POST /v1/uploads/claim".to_owned(), claim, "403"),
        (
            "POST /upload_url".to_owned(),
            json!({"path": "a.png", "content_type": "image/png"}),
            "403",
        ),
        ("GET /v1/files".to_owned(), Value::Null, "403"),
        ("POST /v1/files/urls".to_owned(), ids, "403"),
        (format!("GET /v1/files/{other}"), Value::Null, "403"),
        (format!("DELETE /v1/files/{other}"), Value::Null, "404"),
        (format!("GET /v1/files/{own}"), Value::Null, "403"),
        (format!("DELETE /v1/files/{own}"), Value::Null, "403"),
    ];
    for (request, body, status) in refused {
        let answer = world.ask(&token, &request, body).await;
        assert_eq!(answer.status.to_string(), status, "{request}: {answer:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn an_upload_token_ends_with_its_upload() {
    let world = World::new().await;
    let begun = begin(&world, "put").await;
    world
        .clock
        .advance(Duration::from_millis(12 * 60 * 60 * 1000 - 1));
    assert_eq!(look(&world, &begun).await, 200);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(look(&world, &begun).await, 401);
    world.end().await;
}

#[tokio::test]
async fn an_upload_token_survives_a_restart_and_ends_with_its_secret() {
    let mut world = World::new().await;
    let begun = begin(&world, "put").await;
    world.restart(|_| {}).await;
    assert_eq!(look(&world, &begun).await, 200);
    let old = secret("the service's own");
    let rotated = KeyRing::new(secret("a newer one"), vec![old]);
    world.restart(|config| config.secrets = rotated).await;
    assert_eq!(look(&world, &begun).await, 200);
    let younger = begin(&world, "put").await;
    let dropped = KeyRing::new(secret("a newer one"), vec![]);
    world.restart(|config| config.secrets = dropped).await;
    assert_eq!(look(&world, &begun).await, 401);
    assert_eq!(look(&world, &younger).await, 200);
    world.end().await;
}

#[tokio::test]
async fn a_token_made_of_one_upload_and_anothers_signature_is_none() {
    let world = World::new().await;
    let bytes = |begun: &Answer| {
        let token = begun.text("/token");
        let token = token.strip_prefix("llt_").unwrap();
        BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()
    };
    let (one, other) = (begin(&world, "put").await, begin(&world, "put").await);
    let forged = [&bytes(&one)[..16], &bytes(&other)[16..]].concat();
    let forged = format!("llt_{}", BASE64_URL_SAFE_NO_PAD.encode(forged));
    let look = format!("GET /v1/uploads/{}", one.text("/id"));
    assert_eq!(world.ask(&forged, &look, Value::Null).await.status, 401);
    world.end().await;
}

#[tokio::test]
async fn what_the_server_said_of_an_upload_the_browser_cannot_change() {
    let world = World::new().await;
    let begun = begin(&world, "multipart").await;
    let (id, token) = (begun.text("/id"), begun.text("/token"));
    let changed = json!({"title": "changed"});
    let parts = json!({"parts": [1], "metadata": changed});
    let sign = format!("POST /v1/uploads/{id}/parts");
    assert_eq!(world.ask(&token, &sign, parts).await.status, 400);
    let own = json!({
        "profile": "post", "filename": "a.png", "content_type": "image/png", "size": PNG.len(), "metadata": changed,
    });
    let another = world.ask(USER_TOKEN, "POST /v1/uploads", own).await;
    assert_ne!(another.text("/id"), id);
    let part = &begun.json["grant"]["parts"][0];
    assert_eq!(world.put_grant(part, PNG).await, 200);
    let complete = format!("POST /v1/uploads/{id}/complete");
    let body = json!({"metadata": changed});
    assert_eq!(world.ask(&token, &complete, body).await.status, 200);
    let claim = json!({"ids": [id], "owner": "me"});
    assert_eq!(
        world
            .ask(&token, "POST /v1/uploads/claim", claim.clone())
            .await
            .status,
        403
    );
    let claimed = world.ask(API_KEY, "POST /v1/uploads/claim", claim).await;
    assert_eq!(claimed.text("/files/0/metadata/title"), "set by the server");
    world.end().await;
}

#[tokio::test]
async fn an_owner_is_named_by_a_server_and_sees_what_was_begun_for_them() {
    let world = World::new().await;
    let begun = begin(&world, "put").await;
    let look = format!("GET /v1/uploads/{}", begun.text("/id"));
    assert_eq!(
        world
            .ask(USER_TOKEN, &look, Value::Null)
            .await
            .text("/owner"),
        "me"
    );
    let other = world
        .ask(crate::world::OTHER_TOKEN, &look, Value::Null)
        .await;
    assert_eq!(other.refusal(), "404 not_found");
    world.end().await;
}

/// A signed JWT, made by hand: what is tested must not vouch for itself.
fn jwt(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn hs256(key: &'static str) -> impl Fn(&[u8]) -> Vec<u8> {
    move |message| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
}

fn hs384(message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha384>::new_from_slice(SHARED.as_bytes()).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn token(claims: &Value) -> String {
    jwt(
        &json!({"alg": "HS256", "typ": "JWT"}),
        claims,
        hs256(SHARED),
    )
}

/// The second it is in that world.
fn now(world: &World) -> i64 {
    world.app.clock.now().as_second()
}

fn claims(world: &World) -> Value {
    json!({"sub": "me", "aud": "loadlock", "exp": now(world) + 3600})
}

/// Claims with one of them other, or without it.
fn with(world: &World, name: &str, value: Value) -> Value {
    let mut claims = claims(world);
    let fields = claims.as_object_mut().unwrap();
    match value {
        Value::Null => fields.remove(name),
        value => fields.insert(name.to_owned(), value),
    };
    claims
}

async fn world_sharing(secrets: &[&str]) -> World {
    let mut world = World::new().await;
    let secrets = secrets.iter().map(|text| secret(text)).collect();
    world.restart(|config| config.user_secrets = secrets).await;
    world
}

async fn files(world: &World, token: &str) -> u16 {
    world.ask(token, "GET /v1/files", Value::Null).await.status
}

#[tokio::test]
async fn a_user_token_of_the_application_is_its_user_and_no_more() {
    let world = world_sharing(&[SHARED]).await;
    let token = token(&claims(&world));
    let file =
        json!({"profile": "post", "filename": "a.png", "content_type": "image/png", "size": 3});
    let begun = world.ask(&token, "POST /v1/uploads", file.clone()).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let look = format!("GET /v1/uploads/{}", begun.text("/id"));
    assert_eq!(
        world.ask(&token, &look, Value::Null).await.text("/owner"),
        "me"
    );
    assert_eq!(world.ask(USER_TOKEN, &look, Value::Null).await.status, 200);
    let someone = self::token(&with(&world, "sub", json!("someone")));
    assert_eq!(world.ask(&someone, &look, Value::Null).await.status, 404);
    let mut named = file;
    named["owner"] = "someone".into();
    let refused = world.ask(&token, "POST /v1/uploads", named).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    let claim = json!({"ids": [begun.text("/id")], "owner": "me"});
    let refused = world.ask(&token, "POST /v1/uploads/claim", claim).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    world.end().await;
}

#[tokio::test]
async fn what_a_user_token_must_say_is_held_to() {
    let world = world_sharing(&[SHARED]).await;
    let now = now(&world);
    let check = async |name: &str, value: Value, status: u16| {
        let token = token(&with(&world, name, value.clone()));
        assert_eq!(files(&world, &token).await, status, "{name} {value}");
    };
    let day = 24 * 60 * 60;
    for (exp, status) in [
        (json!(now + 1), 200),
        (json!(now), 401),
        (json!(now - 1), 401),
        (json!(now + day), 200),
        (json!(now + day + 31), 401),
        (json!("tomorrow"), 401),
        (Value::Null, 401),
    ] {
        check("exp", exp, status).await;
    }
    for (audience, status) in [
        (json!(["other", "loadlock"]), 200),
        (json!("other"), 401),
        (json!([]), 401),
        (Value::Null, 401),
    ] {
        check("aud", audience, status).await;
    }
    for name in ["nbf", "iat"] {
        check(name, json!(now - 10), 200).await;
        check(name, json!(now + 30), 200).await;
        check(name, json!(now + 31), 401).await;
    }
    for (subject, status) in [
        (json!("é".repeat(127)), 200),
        (json!("x".repeat(256)), 401),
        (json!(""), 401),
        (json!("a\nb"), 401),
        (json!(17), 401),
        (Value::Null, 401),
    ] {
        check("sub", subject, status).await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_user_token_chooses_neither_algorithm_nor_key() {
    let world = world_sharing(&[SHARED]).await;
    let claims = claims(&world);
    let unsigned = |_: &[u8]| Vec::new();
    let key = BASE64_URL_SAFE_NO_PAD.encode("the forger's own");
    let embedded = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": key}});
    let refused = [
        jwt(&json!({"alg": "none"}), &claims, unsigned),
        jwt(&json!({"alg": "HS256"}), &claims, unsigned),
        jwt(&json!({"alg": "none"}), &claims, hs256(SHARED)),
        jwt(&json!({"alg": "RS256"}), &claims, hs256(SHARED)),
        jwt(&json!({"alg": "HS384"}), &claims, hs384),
        jwt(&json!({"alg": "HS256"}), &claims, hs384),
        jwt(&json!({}), &claims, hs256(SHARED)),
        jwt(&json!({"alg": "HS256"}), &claims, hs256("another secret")),
        jwt(&json!({"alg": "HS256"}), &claims, hs256("")),
        jwt(&embedded, &claims, hs256("the forger's own")),
        jwt(
            &json!({"alg": "HS256", "crit": ["b64"]}),
            &claims,
            hs256(SHARED),
        ),
        "a.b.c".to_owned(),
        "..".to_owned(),
    ];
    for token in refused {
        assert_eq!(files(&world, &token).await, 401, "{token}");
    }
    assert_eq!(files(&world, &token(&claims)).await, 200);
    world.end().await;
}

#[tokio::test]
async fn a_user_token_ends_by_the_services_clock_and_with_its_secret() {
    let mut world = world_sharing(&["a newer one", SHARED]).await;
    let token = token(&claims(&world));
    world.clock.advance(Duration::from_millis(3600 * 1000 - 1));
    assert_eq!(files(&world, &token).await, 200);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(files(&world, &token).await, 401);
    let fresh = self::token(&claims(&world));
    assert_eq!(files(&world, &fresh).await, 200);
    let newer = vec![secret("a newer one")];
    world.restart(|config| config.user_secrets = newer).await;
    assert_eq!(files(&world, &fresh).await, 401);
    world
        .restart(|config| config.user_secrets = Vec::new())
        .await;
    assert_eq!(files(&world, &fresh).await, 401);
    world.end().await;
}

#[tokio::test]
async fn a_user_token_of_the_application_goes_to_no_token_service() {
    let mut world = world_sharing(&[SHARED]).await;
    world.profile("image", |image| image.methods.push(Method::Credentials));
    // Were it asked, that would be 503.
    world.vend_by(web_identity()).await;
    let (token, wish) = (token(&claims(&world)), json!({"profile": "image"}));
    let refused = world.ask(&token, "POST /v1/credentials", wish).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    world.end().await;
}
