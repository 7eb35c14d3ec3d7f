//! Calls to the application's own addresses: signed as Standard Webhooks has it, bounded in time, size and number, and led
//! nowhere else.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::StreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
    redirect,
};
use sha2::Sha256;
use tokio::{sync::Semaphore, time::timeout};

use crate::error::{Error, Kind};

/// The most that an answer may hold, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// How many calls may be under way; the next ones wait, within their own time.
const AT_ONCE: usize = 64;

/// An address of the application's, and how it knows that we are asking.
#[derive(Debug, Clone)]
pub struct Hook {
    /// https, or http to this very machine.
    pub url: String,
    pub secret: HookSecret,
    /// For the whole call.
    pub timeout: Duration,
}

/// A secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64.
#[derive(Clone)]
pub struct HookSecret(Vec<u8>);

/// Text that is no such secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hook's secret is `whsec_` and 24 to 64 random bytes in base64")]
#[non_exhaustive]
pub struct NotAHookSecret;

impl FromStr for HookSecret {
    type Err = NotAHookSecret;

    fn from_str(text: &str) -> Result<Self, NotAHookSecret> {
        let bytes = text.strip_prefix("whsec_").ok_or(NotAHookSecret)?;
        let bytes = BASE64_STANDARD.decode(bytes).map_err(|_| NotAHookSecret)?;
        let sound = (24..=64).contains(&bytes.len());
        sound.then_some(Self(bytes)).ok_or(NotAHookSecret)
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(…)")
    }
}

impl HookSecret {
    /// The header `webhook-signature` of a message.
    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> Result<String, Error> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        let mac = mac.map_err(|error| Kind::Internal.caused_by(error))?;
        let mac = mac
            .chain_update(format!("{id}.{seconds}."))
            .chain_update(body);
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        Ok(format!("v1,{signature}"))
    }
}

/// What makes such calls. Clones share connections, and the bound on how many calls are under way.
#[derive(Debug, Clone)]
pub struct Hooks {
    client: Client,
    places: Arc<Semaphore>,
}

impl Hooks {
    /// Nothing is called yet.
    pub fn new() -> Result<Self, Error> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        Ok(Self {
            client: client.map_err(|error| Kind::Internal.caused_by(error))?,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// POSTs a JSON body under this id, which is its own; the body of the answer, if that is a 200.
    pub async fn call(
        &self,
        hook: &Hook,
        id: &str,
        now: Timestamp,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let seconds = now.as_second();
        let call = self
            .client
            .post(&hook.url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("loadlock/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", hook.secret.sign(id, seconds, &body)?)
            .body(body);
        let answered = async {
            let _place = self.places.acquire().await;
            // The address may be a secret of its own.
            let answer = call.send().await.map_err(reqwest::Error::without_url);
            read(answer.map_err(|error| Kind::Unavailable.caused_by(error))?).await
        };
        match timeout(hook.timeout, answered).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(Kind::Unavailable.caused_by(elapsed)),
        }
    }
}

async fn read(answer: Response) -> Result<Vec<u8>, Error> {
    if answer.status() != StatusCode::OK {
        let says = format!("the hook answered {}", answer.status().as_u16());
        return Err(Kind::Unavailable.caused_by(says));
    }
    let mut bytes = Vec::new();
    let mut body = answer.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Kind::Unavailable.caused_by(error.without_url()))?;
        if bytes.len() + chunk.len() > MAX_ANSWER {
            let says = format!("the hook's answer has more than {MAX_ANSWER} bytes");
            return Err(Kind::Unavailable.caused_by(says));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries (standard-webhooks, `javascript/src/index.test.ts`).
    #[test]
    fn a_message_is_signed_as_the_standard_s_example_is() {
        let secret: HookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(
            signed.unwrap(),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(format!("{secret:?}"), "HookSecret(…)");
    }

    #[test]
    fn short_or_foreign_secrets_are_none() {
        for text in [
            "",
            "whsec_",
            "whsec_AAAA",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_?",
        ] {
            assert!(text.parse::<HookSecret>().is_err(), "{text}");
        }
    }
}
