//! The store of `loadlock dev`: three identities, the staging bucket with its rules, the final bucket with none.
use std::{path::Path, time::Duration};

use anyhow::Context as _;
use loadlock_store::{
    Clock, Config, CorsRule, Identity, Policy, Role, Store,
    lifecycle::{Expiration, Lifecycle, Rule, Status},
};
use serde_json::Value;

use super::{FINAL, REGION, STAGING, keys::Keys};
use crate::{
    bucket::{Credentials, Vending, Way},
    cli::{
        policies::{self, Buckets},
        rules,
    },
    config::Origins,
};

/// The role that the uploader identity assumes for those who are given temporary credentials.
const ROLE: &str = "arn:aws:iam::000000000000:role/uploads";

/// Opens the store in the data directory and sees to its buckets.
pub(super) async fn open_store(data: &Path, keys: &Keys, clock: Clock) -> anyhow::Result<Store> {
    let buckets = Buckets {
        staging: STAGING,
        finals: FINAL,
    };
    let identities = vec![
        identity(
            "uploader",
            &keys.uploader,
            &policies::vending_uploader(buckets, ROLE),
        )?,
        identity("server", &keys.server, &policies::server(buckets, &[]))?,
        identity("reader", &keys.reader, &policies::reader(buckets))?,
    ];
    let config = Config {
        dir: data.join("store"),
        region: REGION.to_owned(),
        clock,
        identities,
        roles: vec![role(&policies::session(buckets))?],
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

/// What temporary credentials are of.
fn role(policy: &Value) -> anyhow::Result<Role> {
    Ok(Role {
        name: "uploads".to_owned(),
        policy: Policy::from_json(&policy.to_string()).context("the role's policy")?,
    })
}

/// Credentials from the store itself.
pub(super) fn vending(s3: &str) -> Vending {
    Vending {
        way: Way::Sts {
            role_arn: ROLE.to_owned(),
        },
        endpoint: Some(s3.to_owned()),
        lifetime: Duration::from_hours(1),
        per_owner: 32,
    }
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
        allowed_methods: list(&[&rules::METHODS[..], &rules::SESSION_METHODS].concat()),
        allowed_headers: list(&[&rules::HEADERS[..], &rules::SESSION_HEADERS].concat()),
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
