//! `loadlock store`: the embedded store alone.
use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use loadlock_store::{Clock, Config, Identity, Policy, Role, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    dev::listen,
    place::Place,
    say,
    session::{read_json, write_private},
    tasks::Tasks,
};
use crate::{bucket::Credentials, clock::Ids, http::message::Sealed};

/// Run the embedded S3-compatible store alone.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where everything lies.
    #[arg(long, default_value = "./loadlock-store", value_name = "DIR")]
    data: PathBuf,
    /// The port to listen on; 0 for any free one.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// A name by which it is reached, as in `localhost`: then requests to BUCKET.NAME are for that bucket.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// Identities and buckets, as JSON; without it one identity that may do everything.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one line of JSON with the address and keys, once ready.
    #[arg(long)]
    json: bool,
}

/// What the configuration file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default = "usual_region")]
    region: String,
    identities: Vec<Person>,
    /// What identities can be for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Part>,
    /// Made if they are not there.
    #[serde(default)]
    buckets: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    access_key_id: String,
    secret_access_key: Sealed,
    /// An IAM policy document; without one, everything is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<Value>,
}

/// A role, `arn:aws:iam::000000000000:role/NAME`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
    /// An IAM policy document.
    policy: Value,
}

fn usual_region() -> String {
    "us-east-1".to_owned()
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let place = Place::open(&args.data)?;
    let settings = match &args.config {
        Some(path) => {
            read_json(path)?.with_context(|| format!("there is no {}", path.display()))?
        }
        None => one_for_all(&place)?,
    };
    let (listener, address) = listen(args.port, "--port").await?;
    let config = Config {
        dir: place.path().join("store"),
        region: settings.region.clone(),
        clock: Clock::system(),
        identities: settings
            .identities
            .iter()
            .map(identity)
            .collect::<Result<_, _>>()?,
        roles: settings.roles.iter().map(role).collect::<Result<_, _>>()?,
        domain: args.domain.clone(),
    };
    let store = tokio::task::spawn_blocking(|| Store::open(config))
        .await?
        .context("cannot open the store")?;
    for bucket in &settings.buckets {
        store
            .ensure_bucket(bucket)
            .await
            .with_context(|| format!("cannot make the bucket `{bucket}`"))?;
    }
    let mut tasks = Tasks::default();
    tasks.store(store, listener);
    say(&if args.json {
        json_line(&address, &settings)
    } else {
        text(&address, &settings)
    })?;
    tasks.until_asked().await
}

/// The data directory's own identity, made at the first start.
fn one_for_all(place: &Place) -> anyhow::Result<Settings> {
    let path = place.path().join("keys.json");
    if let Some(settings) = read_json(&path)? {
        return Ok(settings);
    }
    let (access_key_id, secret_access_key) = super::dev::keys::pair(&Ids::random(), "STORE")?;
    let owner = Person {
        name: "owner".to_owned(),
        access_key_id,
        secret_access_key,
        policy: None,
    };
    let settings = Settings {
        region: usual_region(),
        identities: vec![owner],
        roles: vec![uploads()],
        buckets: Vec::new(),
    };
    write_private(&path, &settings)?;
    Ok(settings)
}

/// A role for uploads into any bucket, to be narrowed by whoever hands out its keys.
fn uploads() -> Part {
    let may = ["s3:AbortMultipartUpload", "s3:PutObject"];
    let statement = json!({"Effect": "Allow", "Action": may, "Resource": "arn:aws:s3:::*"});
    Part {
        name: "uploads".to_owned(),
        policy: json!({"Version": "2012-10-17", "Statement": statement}),
    }
}

fn role(part: &Part) -> anyhow::Result<Role> {
    Ok(Role {
        name: part.name.clone(),
        policy: policy(&part.name, &part.policy)?,
    })
}

fn policy(owner: &str, document: &Value) -> anyhow::Result<Policy> {
    Policy::from_json(&document.to_string()).with_context(|| format!("the policy of `{owner}`"))
}

fn identity(person: &Person) -> anyhow::Result<Identity> {
    let everything = || json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let document = person.policy.clone().unwrap_or_else(everything);
    Ok(Identity {
        name: person.name.clone(),
        credentials: Credentials::new(&person.access_key_id, &person.secret_access_key.0),
        policy: policy(&person.name, &document)?,
    })
}

fn json_line(address: &str, settings: &Settings) -> String {
    json!({
        "s3": address,
        "region": settings.region,
        "buckets": settings.buckets,
        "identities": settings.identities,
    })
    .to_string()
}

fn text(address: &str, settings: &Settings) -> String {
    let mut lines = vec![format!(
        "The store listens on {address}, region {}.",
        settings.region
    )];
    lines.extend(settings.identities.iter().map(|person| {
        format!(
            "  {}: access key {}, its secret as configured",
            person.name, person.access_key_id
        )
    }));
    lines.join("\n")
}
