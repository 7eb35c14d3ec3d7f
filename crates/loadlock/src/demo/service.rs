//! The service, as the demo's server uses it.
use std::time::Duration;

use axum::http::StatusCode;
use reqwest::Client;

use super::{
    entries::{Draft, Media},
    refusal::Refusal,
};
use crate::http::message::{ClaimRequest, Claimed, ErrorAnswer};

/// Promotion is a server-side copy; a very large file takes a while in a store that must move its bytes.
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) struct Service {
    http: Client,
    claim: String,
    api_key: String,
}

impl Service {
    pub(super) fn new(api: &str, api_key: &str) -> Result<Self, Refusal> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self {
            http,
            claim: format!("{api}/v1/uploads/claim"),
            api_key: api_key.to_owned(),
        })
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
        let status = answer.status();
        if status.is_success() {
            let Claimed { files } = answer.json().await?;
            return Ok(files.into_iter().map(Media::from).collect());
        }
        let refusal: ErrorAnswer = answer.json().await?;
        Err(Refusal::passed_on(
            StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY),
            refusal,
        ))
    }
}
