//! `loadlock dev`: the store, the service and the demo on this machine, with nothing else installed.
use std::{net::Ipv4Addr, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use loadlock_sigv4::Bucket;
use tokio::net::TcpListener;

use super::{
    place::Place,
    say,
    session::{DEFAULT_DATA, Session},
    settings,
    tasks::Tasks,
};
use crate::{
    app::App,
    auth::{KeyRing, Token},
    bucket::{CopyPin, ReaderIdentity, ServerIdentity, StoreSettings, Style, UploaderIdentity},
    clock::Ids,
    config::{Audit, Config, Origins, dev_profiles},
    demo,
    http::{self, message::Sealed},
    limits::Limits,
    scan::Scanning,
    upload::{Method, Profile, Quota},
};
use announce::Announcement;
use keys::Keys;

mod announce;
pub(super) mod keys;
mod staging;
mod user;

const REGION: &str = "us-east-1";
const STAGING: &str = "staging";
const FINAL: &str = "final";

/// Run everything on this machine: an S3-compatible store, the service, and a page to try it on.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where everything lies.
    #[arg(long, default_value = DEFAULT_DATA, value_name = "DIR")]
    data: PathBuf,
    /// The port of the page and the API; 0 for any free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port of the store; 0 for any free one.
    #[arg(long, default_value_t = 9000)]
    s3_port: u16,
    /// Use the store of this configuration in place of the embedded one.
    #[arg(long, value_name = "FILE", conflicts_with = "s3_port")]
    config: Option<PathBuf>,
    /// Print one line of JSON with the addresses and keys, once ready.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let place = Place::open(&args.data)?;
    let (clock, ids) = (loadlock_store::Clock::system(), Ids::random());
    let keys = Keys::of(place.path(), &ids)?;
    let (api_listener, api) = listen(args.port, "--port").await?;
    let mut tasks = Tasks::default();
    let (store, credentials) = if let Some(file) = &args.config {
        let config = settings::load(Some(file))?.config;
        (config.store, config.credentials)
    } else {
        let (s3_listener, s3) = listen(args.s3_port, "--s3-port").await?;
        let store = staging::open_store(place.path(), &keys, clock.clone()).await?;
        tasks.store(store, s3_listener);
        (embedded(&keys, &s3), Some(staging::vending(&s3)))
    };
    let config = Config {
        credentials,
        ..config(&place, &keys, &api, store.clone())?
    };
    let app = App::open(config, clock.into(), ids)
        .await
        .context("cannot open the records")?;
    // The directory is locked, so nobody else is at work on it: a lease is a killed process's.
    app.records.free_leases().await?;
    let signed_in = user::sign_in(&app, &keys.password).await;
    let signed_in = signed_in.context("cannot sign the demo's user in")?;
    let demo = demo::router(demo::Settings {
        database: place.path().join("demo.db"),
        api: api.clone(),
        s3: origins(&store)?,
        password: keys.password.expose().to_owned(),
        api_key: keys.api_key.expose().to_owned(),
    });
    let demo = demo.await.context("cannot open the demo's database")?;
    let routes = http::router(app.clone()).merge(demo);

    tasks.jobs(app);
    tasks.api(routes, api_listener);

    Session {
        api: api.clone(),
        name: demo::USER.to_owned(),
        password: Sealed(keys.password.expose().to_owned()),
    }
    .write(place.path())?;
    let ready = Announcement {
        api: &api,
        store: &store,
        data: place.path(),
        keys: &keys,
        token: &signed_in.token,
    };
    say(&if args.json {
        ready.json()
    } else {
        ready.text()
    })?;
    tasks.until_asked().await
}

/// A listener on the loopback interface, and its address as a URL.
pub(super) async fn listen(port: u16, option: &str) -> anyhow::Result<(TcpListener, String)> {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!(
                "port {port} is in use: choose another with {option}, or {option} 0 for any free one"
            )
        }
        Err(error) => return Err(error).with_context(|| format!("cannot listen on port {port}")),
    };
    let address = format!("http://{}", listener.local_addr()?);
    Ok((listener, address))
}

/// The embedded store, as the service sees it.
fn embedded(keys: &Keys, s3: &str) -> StoreSettings {
    StoreSettings {
        endpoint: s3.to_owned(),
        public_endpoint: s3.to_owned(),
        region: REGION.to_owned(),
        style: Style::Path,
        staging_bucket: STAGING.to_owned(),
        final_bucket: FINAL.to_owned(),
        conditional_writes: true,
        copy_pin: CopyPin::S3,
        uploader: UploaderIdentity(keys.uploader.clone().into()),
        server: ServerIdentity(keys.server.clone().into()),
        reader: ReaderIdentity(keys.reader.clone().into()),
    }
}

/// Where a page's uploads and media go: one origin, or each bucket's own.
fn origins(store: &StoreSettings) -> anyhow::Result<String> {
    let mut origins = Vec::new();
    for bucket in [&store.staging_bucket, &store.final_bucket] {
        let bucket = Bucket::new(&store.public_endpoint, bucket, store.style)?;
        let url: reqwest::Url = bucket.url().parse()?;
        origins.push(url.origin().ascii_serialization());
    }
    origins.dedup();
    Ok(origins.join(" "))
}

fn config(place: &Place, keys: &Keys, api: &str, store: StoreSettings) -> anyhow::Result<Config> {
    Ok(Config {
        api_url: api.to_owned(),
        records: place.path().join("records.db"),
        store,
        profiles: dev_profiles()?.into_iter().map(open_to_sessions).collect(),
        origins: Origins::Loopback,
        tokens: vec![Token::server(&keys.api_key, "demo")],
        secrets: KeyRing::new(keys.secret.clone(), Vec::new()),
        user_secrets: Vec::new(),
        issuers: Vec::new(),
        authorizer: None,
        upload_url: Some("image".to_owned()),
        audit: Audit::default(),
        scanning: Scanning::default(),
        credentials: None,
        quotas: Quota::default(),
        limits: Limits::default(),
    })
}

/// The profile, for clients with temporary credentials too.
fn open_to_sessions(mut profile: Profile) -> Profile {
    profile.methods.push(Method::Credentials);
    profile
}
