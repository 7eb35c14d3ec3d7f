//! The service, as the demo's server uses it.
use std::time::Duration;

use axum::http::StatusCode;
use reqwest::{Client, Response};
use serde::de::DeserializeOwned;
use tokio::{sync::Mutex, time::Instant};

use super::{
    Settings, USER,
    entries::{Draft, Media},
    refusal::Refusal,
};
use crate::http::message::{ClaimRequest, Claimed, ErrorAnswer, Sealed, SignInRequest, SignedIn};

/// Promotion is a server-side copy; a very large file takes a while in a store that must move its bytes.
const PATIENCE: Duration = Duration::from_mins(2);

/// A sign-in is renewed well before its token ends, which it does after an hour.
const RENEWED: Duration = Duration::from_mins(30);

pub(super) struct Service {
    http: Client,
    claim: String,
    api_key: String,
    sign_in: String,
    user: SignInRequest,
    /// What the user was signed in with, and when.
    signed_in: Mutex<Option<(Sealed, Instant)>>,
}

impl Service {
    pub(super) fn new(settings: &Settings) -> Result<Self, Refusal> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let api = &settings.api;
        Ok(Self {
            http,
            claim: format!("{api}/v1/uploads/claim"),
            api_key: settings.api_key.clone(),
            sign_in: format!("{api}/v1/sign-in"),
            user: SignInRequest {
                name: USER.to_owned(),
                password: Sealed(settings.password.clone()),
            },
            signed_in: Mutex::default(),
        })
    }

    /// A token of the demo's user, good for half an hour at least.
    pub(super) async fn token(&self) -> Result<Sealed, Refusal> {
        let mut held = self.signed_in.lock().await;
        if let Some((token, since)) = &*held
            && since.elapsed() < RENEWED
        {
            return Ok(token.clone());
        }
        let answer = self.http.post(&self.sign_in).json(&self.user).send();
        let SignedIn { token, .. } = read(answer.await?).await?;
        *held = Some((token.clone(), Instant::now()));
        Ok(token)
    }

    /// Takes the draft's uploads for their owner. All or none.
    pub(super) async fn claim(&self, owner: &str, draft: &Draft) -> Result<Vec<Media>, Refusal> {
        if draft.uploads.is_empty() {
            return Ok(Vec::new());
        }
        let request = ClaimRequest {
            ids: draft.uploads.clone(),
            owner: owner.to_owned(),
            metadata: Some([("title".to_owned(), draft.title.clone())].into()),
        };
        let answer = self
            .http
            .post(&self.claim)
            .bearer_auth(&self.api_key)
            .json(&request)
            .send()
            .await?;
        let Claimed { files } = read(answer).await?;
        Ok(files.into_iter().map(Media::from).collect())
    }
}

/// What the service answered; a refusal of its own is passed on.
async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, Refusal> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer.json().await?);
    }
    let refusal: ErrorAnswer = answer.json().await?;
    Err(Refusal::passed_on(
        StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY),
        refusal,
    ))
}
