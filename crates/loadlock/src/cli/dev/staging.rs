//! The store of `loadlock dev`: three identities, the staging bucket with its rules, the final bucket with none.
use std::path::Path;

use anyhow::Context as _;
use loadlock_store::{
    Clock, Config, CorsRule, Identity, Policy, Store,
    lifecycle::{Expiration, Lifecycle, Rule, Status},
};

use super::{FINAL, REGION, STAGING, keys::Keys, policies};
use crate::bucket::Credentials;

/// Opens the store in the data directory and sees to its buckets.
pub(super) async fn open_store(data: &Path, keys: &Keys, clock: Clock) -> anyhow::Result<Store> {
    let identities = vec![
        identity("uploader", &keys.uploader, &policies::uploader())?,
        identity("server", &keys.server, &policies::server())?,
        identity("reader", &keys.reader, &policies::reader())?,
    ];
    let config = Config {
        dir: data.join("store"),
        region: REGION.to_owned(),
        clock,
        identities,
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

fn identity(name: &str, credentials: &Credentials, policy: &str) -> anyhow::Result<Identity> {
    Ok(Identity {
        name: name.to_owned(),
        credentials: credentials.clone(),
        policy: Policy::from_json(policy).with_context(|| format!("the {name}'s policy"))?,
    })
}

/// Pages on this machine may send what a grant allows; nobody's page may read.
fn any_loopback_page() -> CorsRule {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    CorsRule {
        id: Some("loopback".to_owned()),
        allowed_origins: ["http", "https"]
            .iter()
            .flat_map(|scheme| {
                ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{scheme}://{host}"))
            })
            .flat_map(|origin| [format!("{origin}:*"), origin])
            .collect(),
        allowed_methods: list(&["PUT", "POST"]),
        allowed_headers: list(&["content-type", "content-md5", "if-none-match", "x-amz-*"]),
        expose_headers: list(&["ETag", "Location"]),
        max_age_seconds: Some(600),
    }
}

/// The net under the records' own, exact expiry. What the server holds for inspection may lie longer than what clients
/// send.
fn net() -> Lifecycle {
    let rule = |id: &str, prefix: &str, days: u32| Rule {
        id: id.to_owned(),
        status: Status::Enabled,
        prefix: prefix.to_owned(),
        expiration: Some(Expiration::Days(days)),
        abort_uploads_after_days: Some(days),
    };
    Lifecycle {
        rules: vec![rule("sent", "in/", 1), rule("held", "held/", 7)],
    }
}
