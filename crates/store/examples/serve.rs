//! A store on a free port of this machine, for tests by foreign clients: `serve DIRECTORY CONFIGURATION`.
//!
//! The configuration is a JSON file: `{"region", "identities": [{"name", "access_key", "secret", "policy"}],
//! "roles": [{"name", "policy"}], "buckets": [{"name", "cors": […]}]}`. When the store is ready, one line of JSON on standard output names its port.
//! It stops on SIGINT or SIGTERM.

use std::error::Error;
use std::io::Write as _;

use loadlock_store::{Clock, Config, CorsRule, Credentials, Identity, Policy, Role, Store};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Deserialize)]
struct Settings {
    region: String,
    identities: Vec<Person>,
    #[serde(default)]
    roles: Vec<Part>,
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Person {
    name: String,
    access_key: String,
    secret: String,
    policy: serde_json::Value,
}

#[derive(Deserialize)]
struct Part {
    name: String,
    policy: serde_json::Value,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
    #[serde(default)]
    cors: Vec<CorsRule>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, settings] = arguments.as_slice() else {
        return Err("usage: serve DIRECTORY CONFIGURATION".into());
    };
    let settings: Settings = serde_json::from_slice(&std::fs::read(settings)?)?;
    let mut identities = Vec::new();
    for person in settings.identities {
        identities.push(Identity {
            name: person.name,
            credentials: Credentials::new(person.access_key, person.secret),
            policy: Policy::from_json(&person.policy.to_string())?,
        });
    }
    let mut roles = Vec::new();
    for part in settings.roles {
        roles.push(Role {
            name: part.name,
            policy: Policy::from_json(&part.policy.to_string())?,
        });
    }
    let config = Config {
        dir: dir.into(),
        region: settings.region,
        clock: Clock::system(),
        identities,
        roles,
        domain: None,
    };
    let store = Store::open(config)?;
    for bucket in settings.buckets {
        store.ensure_bucket(&bucket.name).await?;
        if !bucket.cors.is_empty() {
            store.put_cors(&bucket.name, bucket.cors).await?;
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let port = listener.local_addr()?.port();
    writeln!(std::io::stdout(), "{}", serde_json::json!({ "port": port }))?;
    let stop = async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    };
    Ok(store.serve(listener, stop).await?)
}
