//! Who is asking, by the tokens of OpenID providers: what is taken, and every refusal by its name.

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::Algorithm;
use loadlock::{
    auth::{
        Secret,
        issuers::{Audience, Issuer, Signed, TokenUse},
    },
    limits::{Limits, Rate},
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;

use crate::{
    provider::{Provider, Signer, State},
    world::World,
};

const PUBLIC: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
const API: &str = "https://uploads.test";
const MINUTE: Duration = Duration::from_mins(1);

/// An issuer as the configuration has it when it says no more than it must.
fn issuer(name: &str) -> Issuer {
    Issuer {
        name: name.to_owned(),
        signed: Signed::Discovered,
        algorithms: PUBLIC.to_vec(),
        audience: Audience::Listed(vec![API.to_owned(), "other".to_owned()]),
        owner_claim: "sub".to_owned(),
        owner_prefix: String::new(),
        leeway: Duration::from_secs(30),
    }
}

/// A world that believes one provider, whose one key is this.
struct Trusting {
    world: World,
    provider: Provider,
    key: Signer,
}

impl Trusting {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    async fn with(change: impl FnOnce(&mut Issuer)) -> Self {
        let key = Signer::new(Algorithm::ES256, "one");
        let provider = Provider::start(&[&key]).await;
        let mut world = World::new().await;
        let mut issuer = issuer(&provider.issuer);
        change(&mut issuer);
        world.restart(|config| config.issuers = vec![issuer]).await;
        Self {
            world,
            provider,
            key,
        }
    }

    fn now(&self) -> i64 {
        self.world.app.clock.now().as_second()
    }

    /// Of one user, for an hour.
    fn claims(&self) -> Value {
        json!({"iss": self.provider.issuer, "sub": "me", "aud": API, "exp": self.now() + 3600})
    }

    /// The same with one claim other, or, by `Null`, without it.
    fn claiming(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        let fields = claims.as_object_mut().unwrap();
        match value {
            Value::Null => fields.remove(name),
            value => fields.insert(name.to_owned(), value),
        };
        claims
    }

    fn token(&self) -> String {
        self.key.sign(&self.claims())
    }

    /// One failure a minute from one address: the next bars it.
    async fn barring() -> Self {
        let mut it = Self::new().await;
        let once = Rate {
            count: 1.try_into().unwrap(),
            per: MINUTE,
            burst: 1.try_into().unwrap(),
        };
        let limits = Limits {
            failures: Some(once),
            ..Limits::default()
        };
        it.world.restart(|config| config.limits = limits).await;
        it
    }

    async fn status_at(&self, address: &str, token: &str) -> u16 {
        let from = (address, [].as_slice());
        let asked = self
            .world
            .ask_from(from, token, "GET /v1/files", Value::Null);
        asked.await.status
    }

    async fn status(&self, token: &str) -> u16 {
        let answer = self.world.ask(token, "GET /v1/files", Value::Null).await;
        if answer.status != 200 {
            let said = answer.refusal();
            let known = ["401 unauthenticated", "503 unavailable"].contains(&said.as_str());
            assert!(known, "{said}");
        }
        answer.status
    }

    /// How a token with this claim fares.
    async fn check(&self, name: &str, value: Value, status: u16) {
        let token = self.key.sign(&self.claiming(name, value.clone()));
        assert_eq!(self.status(&token).await, status, "{name} {value}");
    }

    /// Whose the uploads are that this token begins.
    async fn owner(&self, token: &str) -> String {
        let file =
            json!({"profile": "post", "filename": "a.png", "content_type": "image/png", "size": 3});
        let begun = self.world.ask(token, "POST /v1/uploads", file).await;
        assert_eq!(begun.status, 201, "{begun:?}");
        let look = format!("GET /v1/uploads/{}", begun.text("/id"));
        self.world
            .ask(token, &look, Value::Null)
            .await
            .text("/owner")
    }

    /// Verifies a token with another end each time, so that none is remembered.
    async fn fresh(&self, key: &Signer) -> u16 {
        let id = self.provider.asked() + usize::try_from(self.now()).unwrap();
        self.status(&key.sign(&self.claiming("jti", id.into())))
            .await
    }
}

fn hs256(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = [part(header), part(claims)].join(".");
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    [message, signature].join(".")
}

#[tokio::test]
async fn tokens_of_every_public_algorithm_are_taken() {
    let it = Trusting::new().await;
    let rsa = Signer::new(Algorithm::RS256, "rsa");
    let mut public = rsa.public.clone();
    public.as_object_mut().unwrap().remove("alg");
    let others = [Algorithm::ES384, Algorithm::EdDSA]
        .map(|algorithm| Signer::new(algorithm, &format!("{algorithm:?}")));
    let served = others.iter().map(|key| key.public.clone());
    it.provider.serve_raw(
        [it.key.public.clone(), public]
            .into_iter()
            .chain(served)
            .collect(),
    );
    assert_eq!(it.status(&it.token()).await, 200);
    for key in &others {
        assert_eq!(it.status(&key.sign(&it.claims())).await, 200);
    }
    let mut rsa = rsa;
    for algorithm in PUBLIC.into_iter().take(6) {
        rsa = rsa.by(algorithm);
        assert_eq!(
            it.status(&rsa.sign(&it.claims())).await,
            200,
            "{algorithm:?}"
        );
    }
    it.world.end().await;
}

#[tokio::test]
async fn a_user_is_the_issuers_prefix_and_claim() {
    let it = Trusting::with(|issuer| {
        issuer.owner_prefix = "staff:".to_owned();
        issuer.owner_claim = "preferred_username".to_owned();
    })
    .await;
    let token = it
        .key
        .sign(&it.claiming("preferred_username", json!("ada")));
    assert_eq!(it.owner(&token).await, "staff:ada");
    for nobody in [
        json!(""),
        json!(7),
        json!(["ada"]),
        json!("a\nb"),
        json!("é".repeat(127)),
        Value::Null,
    ] {
        it.check("preferred_username", nobody, 401).await;
    }
    it.world.end().await;
}

#[tokio::test]
async fn no_token_speaks_for_anonymous() {
    let it = Trusting::new().await;
    it.check("sub", json!("anonymous"), 401).await;
    it.check("sub", json!("anonymous2"), 200).await;
    it.world.end().await;
}

#[tokio::test]
async fn an_address_nobody_has_verified_is_nobodys() {
    let it = Trusting::with(|issuer| issuer.owner_claim = "email".to_owned()).await;
    let token = |verified: Value| {
        let mut claims = it.claiming("email", json!("ada@example.com"));
        claims["email_verified"] = verified;
        it.key.sign(&claims)
    };
    assert_eq!(it.status(&token(json!(true))).await, 200);
    assert_eq!(it.status(&token(json!("true"))).await, 200);
    assert_eq!(it.status(&token(json!(false))).await, 401);
    assert_eq!(it.status(&token(json!("false"))).await, 401);
    it.check("email", json!("ada@example.com"), 401).await;
    it.world.end().await;
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let it = Trusting::new().await;
    it.check("aud", json!("other"), 200).await;
    it.check("aud", json!(["elsewhere", API]), 200).await;
    for wrong in [
        json!("elsewhere"),
        json!(["elsewhere"]),
        json!([]),
        json!({}),
        Value::Null,
    ] {
        it.check("aud", wrong, 401).await;
    }
    // A client's id is no audience, where the issuer is no pool of Cognito's.
    let mut claims = it.claiming("aud", Value::Null);
    claims["client_id"] = API.into();
    claims["token_use"] = "access".into();
    assert_eq!(it.status(&it.key.sign(&claims)).await, 401);
    it.world.end().await;
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let it = Trusting::new().await;
    for wrong in [
        json!("https://elsewhere.example"),
        json!(format!("{}/", it.provider.issuer)),
        json!([it.provider.issuer]),
        Value::Null,
    ] {
        it.check("iss", wrong, 401).await;
    }
    assert_eq!(it.provider.asked(), 0);
    it.world.end().await;
}

#[tokio::test]
async fn a_token_that_has_ended_or_not_begun_is_refused() {
    let it = Trusting::new().await;
    let now = it.now();
    let seconds = it.world.app.clock.now().as_duration().as_secs_f64();
    for (exp, status) in [
        (json!(now - 29), 200),
        (json!(now - 30), 401),
        (json!(seconds - 29.5), 200),
        (json!("tomorrow"), 401),
        (json!(1e300), 200),
        (Value::Null, 401),
    ] {
        it.check("exp", exp, status).await;
    }
    for name in ["nbf", "iat"] {
        it.check(name, json!(now + 30), 200).await;
        it.check(name, json!(now + 31), 401).await;
        it.check(name, json!("now"), 401).await;
    }
    it.world.end().await;
}

#[tokio::test]
async fn a_token_that_is_remembered_ends_nevertheless() {
    let it = Trusting::new().await;
    let token = it.key.sign(&it.claiming("exp", json!(it.now() + 60)));
    assert_eq!(it.status(&token).await, 200);
    it.world.clock.advance(Duration::from_millis(89_999));
    assert_eq!(it.status(&token).await, 200);
    it.world.clock.advance(Duration::from_millis(1));
    assert_eq!(it.status(&token).await, 401);
    it.world.end().await;
}

#[tokio::test]
async fn from_where_guesses_come_only_tokens_known_already_are_taken_for_a_while() {
    let it = Trusting::barring().await;
    let [known, new] = ["a", "b"].map(|id| it.key.sign(&it.claiming("jti", id.into())));
    assert_eq!(it.status_at("203.0.113.7", &known).await, 200);
    for guess in ["a.b.c", "llk_d"] {
        assert_eq!(it.status_at("203.0.113.7", guess).await, 401);
    }
    assert_eq!(it.status_at("203.0.113.7", &known).await, 200);
    assert_eq!(it.status_at("203.0.113.7", &new).await, 429);
    assert_eq!(it.status_at("203.0.113.8", &new).await, 200);
    assert_eq!(it.status_at("203.0.113.7", &new).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn an_application_that_shares_a_secret_is_kept_out_by_nobodys_guesses() {
    const SHARED: &str = "a secret of at least 32 characters";
    let mut it = Trusting::barring().await;
    let secrets = vec![Secret::new(SHARED.to_owned())];
    it.world
        .restart(|config| config.user_secrets = secrets)
        .await;
    for guess in ["a.b.c", "llk_d"] {
        assert_eq!(it.status_at("203.0.113.7", guess).await, 401);
    }
    let claims = json!({"sub": "me", "aud": "loadlock", "exp": it.now() + 3600});
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let token = hs256(&header, &claims, SHARED.as_bytes());
    assert_eq!(it.status_at("203.0.113.7", &token).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn a_token_that_has_ended_is_no_guess() {
    let it = Trusting::barring().await;
    let old = it.key.sign(&it.claiming("exp", json!(it.now() - 60)));
    for _ in 0..5 {
        assert_eq!(it.status_at("203.0.113.7", &old).await, 401);
    }
    assert_eq!(it.provider.asked(), 0, "it is not even looked at");
    assert_eq!(it.status_at("203.0.113.7", &it.token()).await, 200);
    let told = it.world.ask(&old, "GET /v1/files", Value::Null).await;
    assert_eq!(
        told.text("/error/message"),
        "this token has expired: get another"
    );
    it.world.end().await;
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let it = Trusting::new().await;
    let signed = it.token();
    let (message, _) = signed.rsplit_once('.').unwrap();
    let (_, claims) = message.split_once('.').unwrap();
    for alg in ["none", "None", "NONE", ""] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": alg, "kid": "one"}).to_string());
        assert_eq!(
            it.status(&format!("{header}.{claims}.")).await,
            401,
            "{alg}"
        );
    }
    assert_eq!(it.status(&format!("{message}.")).await, 401);
    assert_eq!(it.status(&format!("{message}.AAAA")).await, 401);
    assert_eq!(it.status(&signed).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn a_public_key_is_no_secret_to_sign_with() {
    let it = Trusting::new().await;
    let public = &it.key.public;
    let bytes = |name: &str| {
        BASE64_URL_SAFE_NO_PAD
            .decode(public[name].as_str().unwrap())
            .unwrap()
    };
    let point = [vec![4], bytes("x"), bytes("y")].concat();
    for secret in [
        point,
        public.to_string().into_bytes(),
        bytes("x"),
        Vec::new(),
    ] {
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": "one"});
        assert_eq!(it.status(&hs256(&header, &it.claims(), &secret)).await, 401);
    }
    it.world.end().await;
}

#[tokio::test]
async fn a_token_that_says_another_algorithm_than_its_key_is_refused() {
    let rsa = Signer::new(Algorithm::RS256, "rsa");
    let it = Trusting::new().await;
    it.provider.serve(&[&rsa]);
    assert_eq!(it.status(&rsa.sign(&it.claims())).await, 200);
    let header = json!({"alg": "ES256", "kid": "rsa"});
    assert_eq!(it.status(&rsa.sign_as(&header, &it.claims())).await, 401);
    // The key says RS256 of itself.
    let other = rsa.by(Algorithm::PS256);
    assert_eq!(it.status(&other.sign(&it.claims())).await, 401);
    it.world.end().await;
}

#[tokio::test]
async fn an_algorithm_that_is_not_configured_is_refused() {
    let it = Trusting::with(|issuer| issuer.algorithms = vec![Algorithm::RS256]).await;
    assert_eq!(it.status(&it.token()).await, 401);
    assert_eq!(it.provider.asked(), 0);
    it.world.end().await;
}

#[tokio::test]
async fn a_token_that_brings_keys_is_refused_whoever_signed_it() {
    let it = Trusting::new().await;
    let forger = Signer::new(Algorithm::ES256, "forged");
    let elsewhere = Provider::start(&[&forger]).await;
    let at = |path: &str| format!("{}{path}", elsewhere.issuer);
    let mut unnamed = forger.public.clone();
    unnamed.as_object_mut().unwrap().remove("kid");
    for (name, key) in [
        ("jwk", forger.public.clone()),
        ("jwk", unnamed),
        ("jku", json!(at("/jwks"))),
        ("x5u", json!(at("/chain"))),
        ("x5c", json!(["MIIB"])),
    ] {
        for kid in [json!("forged"), json!("one"), Value::Null] {
            let mut header = json!({"alg": "ES256", "typ": "JWT"});
            header[name] = key.clone();
            if !kid.is_null() {
                header["kid"] = kid;
            }
            for signer in [&forger, &it.key] {
                let token = signer.sign_as(&header, &it.claims());
                assert_eq!(it.status(&token).await, 401, "{header}");
            }
        }
    }
    for path in ["/jwks", "/chain"] {
        assert_eq!(elsewhere.asked_for(path), 0);
    }
    it.world.end().await;
}

#[tokio::test]
async fn what_a_token_demands_to_be_understood_is_refused() {
    let it = Trusting::new().await;
    for demand in [json!(["exp"]), json!(["b64"]), json!([]), json!("exp")] {
        let header = json!({"alg": "ES256", "kid": "one", "crit": demand, "b64": false});
        assert_eq!(
            it.status(&it.key.sign_as(&header, &it.claims())).await,
            401,
            "{demand}"
        );
    }
    it.world.end().await;
}

#[tokio::test]
async fn a_token_made_for_something_else_is_no_sign_in() {
    let it = Trusting::new().await;
    let typed = |typ: &str| {
        it.key.sign_as(
            &json!({"alg": "ES256", "kid": "one", "typ": typ}),
            &it.claims(),
        )
    };
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert_eq!(it.status(&typed(typ)).await, 200, "{typ}");
    }
    for typ in ["logout+jwt", "secevent+jwt", "dpop+jwt", ""] {
        assert_eq!(it.status(&typed(typ)).await, 401, "{typ}");
    }
    let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    it.check("events", event, 401).await;
    it.world.end().await;
}

#[tokio::test]
async fn a_token_bound_to_a_key_of_its_holder_is_refused_from_a_bearer() {
    let it = Trusting::new().await;
    it.check(
        "cnf",
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        401,
    )
    .await;
    it.world.end().await;
}

#[tokio::test]
async fn a_token_of_more_than_8_kib_is_refused() {
    let it = Trusting::new().await;
    let sized = |size: usize| {
        let mut token = String::new();
        let mut filling = size * 3 / 4 - 400;
        while token.len() < size {
            token = it
                .key
                .sign(&it.claiming("filling", "x".repeat(filling).into()));
            filling += 1;
        }
        token
    };
    let (most, more) = (sized(8190), sized(8193));
    assert!(most.len() <= 8192, "{}", most.len());
    assert_eq!(it.status(&most).await, 200);
    assert_eq!(it.status(&more).await, 401);
    it.world.end().await;
}

#[tokio::test]
async fn keys_that_are_not_for_signatures_are_not_taken() {
    let it = Trusting::new().await;
    let with = |name: &str, value: Value| {
        let mut key = it.key.public.clone();
        key[name] = value;
        key
    };
    let secret = json!({"kty": "oct", "kid": "one", "k": BASE64_URL_SAFE_NO_PAD.encode([7; 32])});
    let mut unusable = with("key_ops", json!(["encrypt", "sign"]));
    unusable.as_object_mut().unwrap().remove("use");
    for key in [
        with("use", json!("enc")),
        with("use", json!("tls")),
        unusable,
        with("alg", json!("ES384")),
        with("alg", json!("ECDH-ES")),
        with("kid", json!("another")),
        with("x", json!("AAAA")),
        with("kty", json!("OKP")),
        secret.clone(),
        json!({}),
        json!("key"),
    ] {
        it.provider.serve_raw(vec![key.clone()]);
        it.world.clock.advance(11 * MINUTE);
        assert_eq!(it.fresh(&it.key).await, 401, "{key}");
    }
    let header = json!({"alg": "HS256", "kid": "one"});
    assert_eq!(
        it.status(&hs256(&header, &it.claims(), &[7; 32])).await,
        401
    );
    // Among what cannot be used, what can is found.
    it.provider
        .serve_raw(vec![json!({}), secret, it.key.public.clone()]);
    it.world.clock.advance(11 * MINUTE);
    assert_eq!(it.fresh(&it.key).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn a_token_that_names_no_key_is_taken_where_only_one_can_be_meant() {
    let it = Trusting::new().await;
    let unnamed = |key: &Signer| key.sign_as(&json!({"alg": "ES256"}), &it.claims());
    let other = Signer::new(Algorithm::ES256, "two");
    assert_eq!(it.status(&unnamed(&it.key)).await, 200);
    it.provider.serve(&[&it.key, &other]);
    it.world.clock.advance(11 * MINUTE);
    assert_eq!(it.status(&unnamed(&it.key)).await, 401);
    assert_eq!(it.status(&it.token()).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn a_key_nobody_knows_yet_is_fetched_but_not_again_and_again() {
    let it = Trusting::new().await;
    let newer = Signer::new(Algorithm::ES256, "two");
    assert_eq!(it.fresh(&it.key).await, 200);
    assert_eq!(it.provider.asked(), 1);
    it.world.clock.advance(Duration::from_secs(29));
    it.provider.serve(&[&it.key, &newer]);
    for _ in 0..10 {
        assert_eq!(it.fresh(&newer).await, 401);
    }
    assert_eq!(it.provider.asked(), 1);
    it.world.clock.advance(Duration::from_secs(1));
    assert_eq!(it.fresh(&newer).await, 200);
    assert_eq!(it.provider.asked(), 2);
    it.world.end().await;
}

#[tokio::test]
async fn a_thousand_tokens_at_once_make_one_fetch() {
    let it = Trusting::new().await;
    let router = loadlock::router(it.world.app.clone());
    let mut asking = JoinSet::new();
    for n in 0..1000 {
        let token = it.key.sign(&it.claiming("jti", n.into()));
        let request = http::Request::get("/v1/files")
            .header("authorization", format!("Bearer {token}"))
            .body(axum::body::Body::empty())
            .unwrap();
        asking.spawn(tower::ServiceExt::oneshot(router.clone(), request));
    }
    let answers = asking.join_all().await;
    assert!(
        answers
            .into_iter()
            .all(|answer| answer.unwrap().status() == 200)
    );
    assert_eq!(it.provider.asked(), 1);
    it.world.end().await;
}

#[tokio::test]
async fn the_keys_known_serve_for_a_day_while_the_provider_is_down() {
    let it = Trusting::new().await;
    assert_eq!(it.fresh(&it.key).await, 200);
    it.provider.is(State::Down);
    it.world.clock.advance(11 * MINUTE);
    assert_eq!(it.fresh(&it.key).await, 200);
    it.world.clock.advance((24 * 60 - 12) * MINUTE);
    assert_eq!(it.fresh(&it.key).await, 200);
    it.world.clock.advance(MINUTE);
    assert_eq!(it.fresh(&it.key).await, 503);
    it.provider.is(State::Up);
    it.world.clock.advance(Duration::from_secs(5));
    assert_eq!(it.fresh(&it.key).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn a_provider_that_hangs_keeps_nobody_waiting_whose_key_is_known() {
    let it = Trusting::new().await;
    assert_eq!(it.fresh(&it.key).await, 200);
    it.provider.is(State::Silent);
    it.world.clock.advance(6 * MINUTE);
    let asked = it.provider.attempts();
    let start = Instant::now();
    for n in 0..10 {
        let token = it.key.sign(&it.claiming("jti", format!("{n}").into()));
        assert_eq!(it.status(&token).await, 200);
    }
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "nobody waited"
    );
    it.provider.attempted(asked + 1).await;
    assert_eq!(it.provider.attempts(), asked + 1, "one at a time");
    // Of keys that nobody has asked for lately the provider is asked first, but not for long.
    it.world.clock.advance(6 * MINUTE);
    assert_eq!(it.fresh(&it.key).await, 200);
    assert!(start.elapsed() < Duration::from_secs(3));
    it.world.end().await;
}

#[tokio::test]
async fn keys_are_renewed_while_they_serve() {
    let it = Trusting::new().await;
    let newer = Signer::new(Algorithm::ES256, "two");
    assert_eq!(it.fresh(&it.key).await, 200);
    it.provider.serve(&[&newer]);
    it.world.clock.advance(6 * MINUTE);
    assert_eq!(it.fresh(&it.key).await, 200, "it is still held");
    // Nobody waited for the newer ones; another token each time, so that none is remembered.
    let old = |n: i32| it.key.sign(&it.claiming("jti", n.into()));
    let mut tried = 0;
    while it.status(&old(tried)).await == 200 {
        tried += 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(it.fresh(&newer).await, 200);
    assert_eq!(it.provider.asked(), 2);
    it.world.end().await;
}

#[tokio::test]
async fn a_key_that_is_not_known_waits_for_a_silent_provider_but_not_for_ever() {
    let it = Trusting::new().await;
    let unknown = Signer::new(Algorithm::ES256, "two");
    assert_eq!(it.fresh(&it.key).await, 200);
    it.provider.is(State::Silent);
    it.world.clock.advance(MINUTE);
    let start = Instant::now();
    assert_eq!(it.fresh(&unknown).await, 401);
    let waited = start.elapsed();
    assert!((4..8).contains(&waited.as_secs()), "{waited:?}");
    // It is not asked again at once, and those that are known do not notice.
    assert_eq!(it.fresh(&unknown).await, 401);
    assert_eq!(it.fresh(&it.key).await, 200);
    assert!(start.elapsed() < waited + Duration::from_secs(2));
    it.world.end().await;
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_no_refusal_and_may_be_tried_again() {
    let it = Trusting::new().await;
    it.provider.is(State::Down);
    let answer = it
        .world
        .ask(&it.token(), "GET /v1/files", Value::Null)
        .await;
    assert_eq!(answer.refusal(), "503 unavailable");
    assert_eq!(answer.json["error"]["retryable"], true);
    assert_eq!(it.status(&it.token()).await, 503);
    assert_eq!(
        it.provider.asked_for("/.well-known/openid-configuration"),
        1
    );
    it.provider.is(State::Up);
    it.world.clock.advance(Duration::from_secs(5));
    assert_eq!(it.status(&it.token()).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn what_a_provider_must_not_answer_is_not_taken() {
    let it = Trusting::new().await;
    for state in [State::Moved, State::Endless] {
        it.provider.is(state);
        it.world.clock.advance(MINUTE);
        assert_eq!(it.fresh(&it.key).await, 503, "{state:?}");
    }
    assert_eq!(
        it.provider
            .asked_for("/moved/.well-known/openid-configuration"),
        0
    );
    it.provider.is(State::Up);
    let keys = format!("{}/jwks", it.provider.issuer);
    let issuer = it.provider.issuer.clone();
    for (name, wrong, right) in [
        ("issuer", "https://elsewhere.example", issuer.as_str()),
        ("jwks_uri", "http://keys.example/jwks", keys.as_str()),
        ("jwks_uri", "file:///etc/passwd", keys.as_str()),
    ] {
        it.provider.discovery(name, wrong);
        it.world.clock.advance(MINUTE);
        assert_eq!(it.fresh(&it.key).await, 503, "{name} {wrong}");
        it.provider.discovery(name, right);
    }
    it.world.clock.advance(MINUTE);
    assert_eq!(it.fresh(&it.key).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn a_key_that_its_provider_drops_ends_within_twenty_minutes() {
    let it = Trusting::new().await;
    let newer = Signer::new(Algorithm::ES256, "two");
    let token = it.token();
    assert_eq!(it.status(&token).await, 200);
    it.provider.serve(&[&newer]);
    it.world
        .clock
        .advance(Duration::from_millis(10 * 60 * 1000 - 1));
    assert_eq!(it.status(&token).await, 200);
    assert_eq!(it.provider.asked(), 1);
    it.world.clock.advance(Duration::from_millis(1));
    assert_eq!(it.status(&token).await, 401);
    assert_eq!(it.status(&newer.sign(&it.claims())).await, 200);
    it.world.end().await;
}

#[tokio::test]
async fn keys_are_as_old_as_our_clock_says_whatever_their_providers_does() {
    let it = Trusting::new().await;
    it.provider.is(State::Past);
    assert_eq!(it.fresh(&it.key).await, 200);
    assert_eq!(it.fresh(&it.key).await, 200);
    assert_eq!(it.provider.asked(), 1);
    it.world.end().await;
}

#[tokio::test]
async fn keys_served_at_an_address_need_no_discovery() {
    let mut it = Trusting::new().await;
    let address = format!("{}/jwks", it.provider.issuer).parse().unwrap();
    let mut issuer = issuer(&it.provider.issuer);
    issuer.signed = Signed::KeysAt(address);
    it.world
        .restart(|config| config.issuers = vec![issuer])
        .await;
    assert_eq!(it.status(&it.token()).await, 200);
    assert_eq!(
        it.provider.asked_for("/.well-known/openid-configuration"),
        0
    );
    it.world.end().await;
}

/// The claims of Cognito's tokens (Amazon Cognito Developer Guide, "Understanding user pool JSON web tokens").
fn cognito(it: &Trusting, token_use: &str, client: &str) -> Value {
    let mut claims = it.claiming("aud", Value::Null);
    claims["token_use"] = token_use.into();
    let named = if token_use == "id" {
        "aud"
    } else {
        "client_id"
    };
    claims[named] = client.into();
    claims
}

fn pool(uses: &[TokenUse]) -> Audience {
    Audience::Clients {
        ids: vec!["app".to_owned(), "kiosk".to_owned()],
        uses: uses.to_vec(),
    }
}

#[tokio::test]
async fn access_and_id_tokens_of_a_cognito_user_pool_are_taken() {
    let it =
        Trusting::with(|issuer| issuer.audience = pool(&[TokenUse::Access, TokenUse::Id])).await;
    for token_use in ["access", "id"] {
        for (client, status) in [("app", 200), ("kiosk", 200), ("another", 401)] {
            let token = it.key.sign(&cognito(&it, token_use, client));
            assert_eq!(it.status(&token).await, status, "{token_use} {client}");
        }
    }
    it.world.end().await;
}

#[tokio::test]
async fn a_token_of_another_use_is_refused() {
    let it = Trusting::with(|issuer| issuer.audience = pool(&[TokenUse::Access])).await;
    let status = async |claims: Value| it.status(&it.key.sign(&claims)).await;
    assert_eq!(status(cognito(&it, "access", "app")).await, 200);
    assert_eq!(status(cognito(&it, "id", "app")).await, 401);
    assert_eq!(status(cognito(&it, "refresh", "app")).await, 401);
    let mut without = cognito(&it, "access", "app");
    without.as_object_mut().unwrap().remove("token_use");
    assert_eq!(status(without).await, 401);
    // An ID token's audience does not make an access token of it, and the other way round.
    let mut crossed = cognito(&it, "access", "another");
    crossed["aud"] = "app".into();
    assert_eq!(status(crossed).await, 401);
    it.world.end().await;
}

#[tokio::test]
async fn a_shared_secret_signs_where_it_is_configured_and_there_only() {
    const SHARED: &str = "a secret of at least 32 characters";
    let mut it = Trusting::new().await;
    let mut app = issuer("the app");
    app.signed = Signed::Secrets(vec![Secret::new(SHARED.to_owned())]);
    app.algorithms = vec![Algorithm::HS256];
    app.owner_prefix = "app:".to_owned();
    let mut provider = issuer(&it.provider.issuer);
    provider.owner_prefix = "staff:".to_owned();
    it.world
        .restart(|config| config.issuers = vec![app, provider])
        .await;
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let claims = it.claiming("iss", json!("the app"));
    assert_eq!(
        it.owner(&hs256(&header, &claims, SHARED.as_bytes())).await,
        "app:me"
    );
    assert_eq!(it.owner(&it.token()).await, "staff:me");
    // Neither in the other's name, nor by another secret.
    assert_eq!(it.status(&it.key.sign(&claims)).await, 401);
    assert_eq!(
        it.status(&hs256(&header, &it.claims(), SHARED.as_bytes()))
            .await,
        401
    );
    assert_eq!(
        it.status(&hs256(
            &header,
            &claims,
            b"another secret of 32 characters!"
        ))
        .await,
        401
    );
    it.world.end().await;
}

#[tokio::test]
async fn what_shares_a_secret_with_the_service_does_not_speak_for_an_issuer() {
    const SHARED: &str = "a secret of at least 32 characters";
    let mut it = Trusting::new().await;
    let secrets = vec![Secret::new(SHARED.to_owned())];
    it.world
        .restart(|config| config.user_secrets = secrets)
        .await;
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let mut claims = it.claiming("aud", json!("loadlock"));
    assert_eq!(
        it.status(&hs256(&header, &claims, SHARED.as_bytes())).await,
        401
    );
    claims.as_object_mut().unwrap().remove("iss");
    assert_eq!(
        it.status(&hs256(&header, &claims, SHARED.as_bytes())).await,
        200
    );
    it.world.end().await;
}
