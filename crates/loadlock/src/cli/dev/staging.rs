//! The store of `loadlock dev`: three identities, the staging bucket with its rules, the final bucket with none.
use std::path::Path;

use anyhow::Context as _;
use loadlock_store::{
    Clock, Config, CorsRule, Identity, Policy, Store,
    lifecycle::{Expiration, Lifecycle, Rule, Status},
};
use serde_json::Value;

use super::{FINAL, REGION, STAGING, keys::Keys};
use crate::{
    bucket::Credentials,
    cli::{
        policies::{self, Buckets},
        rules,
    },
    config::Origins,
};

/// Opens the store in the data directory and sees to its buckets.
pub(super) async fn open_store(data: &Path, keys: &Keys, clock: Clock) -> anyhow::Result<Store> {
    let buckets = Buckets {
        staging: STAGING,
        finals: FINAL,
    };
    let identities = vec![
        identity("uploader", &keys.uploader, &policies::uploader(buckets))?,
        identity("server", &keys.server, &policies::server(buckets, &[]))?,
        identity("reader", &keys.reader, &policies::reader(buckets))?,
    ];
    let config = Config {
        dir: data.join("store"),
        region: REGION.to_owned(),
        clock,
        identities,
        roles: Vec::new(),
        domain: None,
    };
    let store = tokio::task::spawn_blocking(|| Store::open(config))
        .await?
        .context("cannot open the store")?;
    let prepare = async {
        store.ensure_bucket(STAGING).await?;
        store.put_cors(STAGING, vec![any_loopback_page()]).await?;
        store.put_lifecycle(STAGING, &net()).await?;
        store.ensure_bucket(FINAL).await
    };
    prepare.await.context("cannot prepare the buckets")?;
    Ok(store)
}

fn identity(name: &str, credentials: &Credentials, policy: &Value) -> anyhow::Result<Identity> {
    Ok(Identity {
        name: name.to_owned(),
        credentials: credentials.clone(),
        policy: Policy::from_json(&policy.to_string())
            .with_context(|| format!("the {name}'s policy"))?,
    })
}

/// Pages on this machine may send what a grant allows; nobody's page may read.
fn any_loopback_page() -> CorsRule {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    CorsRule {
        id: Some("loopback".to_owned()),
        allowed_origins: rules::patterns(&Origins::Loopback),
        allowed_methods: list(&rules::METHODS),
        allowed_headers: list(&rules::HEADERS),
        expose_headers: list(&rules::EXPOSED),
        max_age_seconds: Some(rules::PREFLIGHT_SECONDS.unsigned_abs()),
    }
}

/// The net under the records' own, exact expiry.
fn net() -> Lifecycle {
    let rules = rules::EXPIRY.iter().map(|expiry| Rule {
        id: expiry.name.to_owned(),
        status: Status::Enabled,
        prefix: expiry.prefix.to_owned(),
        expiration: Some(Expiration::Days(expiry.days.unsigned_abs())),
        abort_uploads_after_days: Some(expiry.days.unsigned_abs()),
    });
    Lifecycle {
        rules: rules.collect(),
    }
}
