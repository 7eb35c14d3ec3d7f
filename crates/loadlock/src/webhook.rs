//! Questions to the operator's own services: JSON over HTTP, signed as Standard Webhooks has it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::{Client, redirect};
use serde_json::Value;
use sha2::Sha256;

use crate::{
    auth::Secret,
    error::{Error, Kind},
};

/// How much of an answer is taken.
const MOST_BYTES: usize = 64 << 10;
const CONNECT: Duration = Duration::from_secs(5);

/// A service of the operator's that is asked.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: String,
    /// Signs the questions; known to the service, which checks them.
    pub secret: Secret,
    /// Within this the answer is there.
    pub timeout: Duration,
}

/// Why a question has no answer; for the log and for people, without address or secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswered {
    #[error("did not answer in time")]
    Late,
    #[error("cannot be reached")]
    Unreachable,
    #[error("answered with status {0}")]
    Status(u16),
    #[error("did not answer as it should")]
    Unreadable,
}

/// A client for questions: it follows nobody elsewhere.
pub fn client() -> Result<Client, Error> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .build()
        .map_err(|error| Kind::Internal.caused_by(error))
}

impl Webhook {
    /// Asks once. `id` is the question's own, the same when it is repeated; the answer is the JSON of a 200.
    pub async fn ask(
        &self,
        http: &Client,
        id: &str,
        at: Timestamp,
        question: &Value,
    ) -> Result<Value, Unanswered> {
        let asked = self.ask_patiently(http, id, at, question);
        let answered = tokio::time::timeout(self.timeout, asked).await;
        answered.map_err(|_| Unanswered::Late)?
    }

    async fn ask_patiently(
        &self,
        http: &Client,
        id: &str,
        at: Timestamp,
        question: &Value,
    ) -> Result<Value, Unanswered> {
        let body = question.to_string();
        let signed = signed(&self.secret, id, at, &body);
        let request = http
            .post(&self.url)
            .header("content-type", "application/json");
        let request = signed.iter().fold(request, |request, (name, value)| {
            request.header(*name, value)
        });
        let answer = request.body(body).send().await;
        let mut answer = answer.map_err(|_| Unanswered::Unreachable)?;
        if answer.status() != 200 {
            return Err(Unanswered::Status(answer.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| Unanswered::Unreadable)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(Unanswered::Unreadable);
            }
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).map_err(|_| Unanswered::Unreadable)
    }
}

/// The headers that prove who asks, and when: HMAC-SHA-256 over id, time and body (Standard Webhooks, "Signature scheme"). A
/// secret written `whsec_…` is base64, any other is taken as it is.
pub fn signed(secret: &Secret, id: &str, at: Timestamp, body: &str) -> [(&'static str, String); 3] {
    let at = at.as_second();
    let message = format!("{id}.{at}.{body}");
    let mac = STANDARD.encode(mac(secret.expose(), message.as_bytes()));
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", format!("v1,{mac}")),
    ]
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(secret: &str, message: &[u8]) -> [u8; 32] {
    let decoded = secret
        .strip_prefix("whsec_")
        .and_then(|text| STANDARD.decode(text).ok());
    let key = decoded.as_deref().unwrap_or(secret.as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn questions_are_signed_as_the_specification_has_it() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let body = r#"{"test": 2432232314}"#;
        let [_, (_, time), (name, signature)] =
            signed(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body);
        assert_eq!((time.as_str(), name), ("1614265330", "webhook-signature"));
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
