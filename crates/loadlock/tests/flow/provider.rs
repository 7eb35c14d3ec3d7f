//! An OpenID provider: keys made for one test, served as providers serve them, and tokens signed with them.

use std::sync::{Arc, Mutex};

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair,
    },
};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, Uri, header::DATE},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto, jwk::Jwk};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// One that signs.
pub(crate) struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    /// As the provider serves it.
    pub(crate) public: Value,
}

impl Signer {
    pub(crate) fn new(algorithm: Algorithm, name: &str) -> Self {
        let chance = SystemRandom::new();
        let ec = |signing| EcdsaKeyPair::generate_pkcs8(signing, &chance).unwrap();
        let key = match algorithm {
            Algorithm::ES256 => {
                EncodingKey::from_ec_der(ec(&ECDSA_P256_SHA256_FIXED_SIGNING).as_ref())
            }
            Algorithm::ES384 => {
                EncodingKey::from_ec_der(ec(&ECDSA_P384_SHA384_FIXED_SIGNING).as_ref())
            }
            Algorithm::EdDSA => {
                // Version 1: a secret and no public key, 48 bytes.
                let document = Ed25519KeyPair::generate_pkcs8v1(&chance).unwrap();
                EncodingKey::from_ed_der(document.as_ref())
            }
            _ => {
                let document = KeyPair::generate(KeySize::Rsa2048)
                    .unwrap()
                    .as_der()
                    .unwrap();
                // What PKCS #8 wraps is 26 bytes in.
                EncodingKey::from_rsa_der(&document.as_ref()[26..])
            }
        };
        let public = Jwk::from_encoding_key(&key, algorithm).unwrap();
        let mut public = serde_json::to_value(public).unwrap();
        public["kid"] = name.into();
        public["use"] = "sig".into();
        Self {
            algorithm,
            key,
            public,
        }
    }

    /// The same key under another algorithm.
    pub(crate) fn by(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// A token that says this, and names its key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let algorithm = format!("{:?}", self.algorithm);
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": self.public["kid"]});
        self.sign_as(&header, claims)
    }

    /// The same under another header.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = [part(header), part(claims)].join(".");
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        [message, signature].join(".")
    }
}

/// Serves keys, by discovery; its address is its name.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    serves: Arc<Mutex<Serves>>,
}

struct Serves {
    keys: Vec<Value>,
    discovery: Value,
    state: State,
    asked: Vec<String>,
}

/// How a provider does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    Up,
    Down,
    /// It sends every caller elsewhere, where the same is served.
    Moved,
    /// It answers more than anybody can want.
    Endless,
    /// It answers nothing, ever.
    Silent,
    /// Its clock stopped long ago.
    Past,
}

impl Provider {
    pub(crate) async fn start(keys: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let serves = Arc::new(Mutex::new(Serves {
            keys: Vec::new(),
            discovery: json!({"issuer": issuer, "jwks_uri": format!("{issuer}/jwks")}),
            state: State::Up,
            asked: Vec::new(),
        }));
        let provider = Self {
            issuer,
            serves: Arc::clone(&serves),
        };
        provider.serve(keys);
        let router = Router::new().fallback(move |uri: Uri| {
            let (answer, state) = {
                let mut serves = serves.lock().unwrap();
                (serves.answer(uri.path()), serves.state)
            };
            async move {
                match state {
                    State::Silent => std::future::pending().await,
                    _ => answer,
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// Serves these keys from now on.
    pub(crate) fn serve(&self, keys: &[&Signer]) {
        let keys = keys.iter().map(|key| key.public.clone()).collect();
        self.serve_raw(keys);
    }

    pub(crate) fn serve_raw(&self, keys: Vec<Value>) {
        self.serves.lock().unwrap().keys = keys;
    }

    pub(crate) fn discovery(&self, name: &str, value: &str) {
        self.serves.lock().unwrap().discovery[name] = value.into();
    }

    pub(crate) fn is(&self, state: State) {
        self.serves.lock().unwrap().state = state;
    }

    /// How often it was asked for anything.
    pub(crate) fn attempts(&self) -> usize {
        self.serves.lock().unwrap().asked.len()
    }

    /// Once it was asked so often.
    pub(crate) async fn attempted(&self, times: usize) {
        while self.attempts() < times {
            tokio::task::yield_now().await;
        }
    }

    /// How often keys were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked_for("/jwks")
    }

    pub(crate) fn asked_for(&self, path: &str) -> usize {
        let asked = &self.serves.lock().unwrap().asked;
        asked.iter().filter(|asked| *asked == path).count()
    }
}

impl Serves {
    fn answer(&mut self, path: &str) -> Response<Body> {
        self.asked.push(path.to_owned());
        let answer = |status: u16, body: String| {
            Response::builder()
                .status(status)
                .body(body.into())
                .unwrap()
        };
        let good = match path.trim_start_matches("/moved") {
            "/.well-known/openid-configuration" => answer(200, self.discovery.to_string()),
            "/jwks" => answer(200, json!({"keys": self.keys}).to_string()),
            _ => answer(404, String::new()),
        };
        match self.state {
            State::Down => answer(500, String::new()),
            State::Moved if !path.starts_with("/moved") => {
                let moved = Response::builder()
                    .status(302)
                    .header("location", format!("/moved{path}"));
                moved.body(Body::empty()).unwrap()
            }
            State::Past => {
                let date = HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT");
                let mut late = good;
                late.headers_mut().insert(DATE, date);
                late
            }
            State::Endless => answer(200, " ".repeat(1 << 20) + "{}"),
            _ => good,
        }
    }
}
