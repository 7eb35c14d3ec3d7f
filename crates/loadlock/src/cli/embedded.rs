//! Whether the store is the embedded one, and the settings that it cannot keep then: told at the start, not at a promotion.
use std::time::Duration;

use reqwest::Url;

use super::put::service::client;
use crate::config::file::{Faults, Settings};

/// How long the store may take to say what it is. One that is not there yet is not waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// All that is wrong with the settings, if the store says that it is the embedded one.
pub(super) async fn check(settings: &Settings) -> Result<(), Faults> {
    if is_embedded(&settings.config.store.endpoint).await {
        settings.check_for_embedded()
    } else {
        Ok(())
    }
}

async fn is_embedded(endpoint: &str) -> bool {
    let asked = async {
        let url: Url = endpoint.parse().ok()?;
        let http = client(&url).ok()?.timeout(PATIENCE).build().ok()?;
        let answer = http.get(url).send().await.ok()?;
        Some(answer.headers().contains_key(loadlock_store::SELF))
    };
    asked.await.unwrap_or(false)
}
