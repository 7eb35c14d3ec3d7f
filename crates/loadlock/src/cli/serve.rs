//! `loadlock serve`: the service on a store that is not ours.
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use tokio::net::TcpListener;

use super::{bold, embedded, say, settings::ConfigFile, tasks::Tasks};
use crate::{
    app::App,
    bucket::{ReaderIdentity, ServerIdentity, UploaderIdentity},
    clock::{Clock, Ids},
    config::{Config, file::Settings},
    http,
};

/// Run the service, as loadlock.toml and the environment say.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Leave the background work to other processes on the same records.
    #[arg(long)]
    no_workers: bool,
    /// Print one line of JSON with the addresses, once ready.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = args.config.load()?;
    embedded::check(&settings).await?;
    let Settings { listen, config, .. } = settings;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let listen = format!("http://{}", listener.local_addr()?);
    // Other processes may be at work on the same records: leases keep them apart, and none is freed here.
    let app = App::open(config, Clock::system(), Ids::random()).await?;
    let ready = if args.json {
        json!({"api": app.config.api_url, "listen": listen}).to_string()
    } else {
        text(&app.config, &listen)
    };

    warn_of_shared_keys(&app.config);
    let mut tasks = Tasks::default();
    if !args.no_workers {
        tasks.jobs(app.clone());
    }
    let records = app.records.clone();
    tasks.api(http::router(app), listener);
    say(&ready)?;
    let ended = tasks.until_asked().await;
    records.flush_notes().await;
    ended
}

/// A store that lets a stranger add to a signed request lets them do whatever its signer may.
fn warn_of_shared_keys(config: &Config) {
    let UploaderIdentity(uploader) = &config.store.uploader;
    let ServerIdentity(server) = &config.store.server;
    let ReaderIdentity(reader) = &config.store.reader;
    if uploader == server || reader == server {
        tracing::warn!(
            "what clients are handed is signed with the server's own keys: give each identity its own"
        );
    }
}

/// A few lines for people.
fn text(config: &Config, listen: &str) -> String {
    let profiles: Vec<&str> = config.profiles.iter().map(|p| p.name.as_str()).collect();
    let store = &config.store;
    [
        String::new(),
        format!("  {} is ready.", bold("Loadlock")),
        String::new(),
        format!("  API       {}", bold(&config.api_url)),
        format!("  Listens   {listen}"),
        format!("  Store     {}", store.endpoint),
        format!(
            "  Buckets   {} → {}",
            store.staging_bucket, store.final_bucket
        ),
        format!("  Profiles  {}", profiles.join(", ")),
        format!("  Records   {}", config.records.display()),
        String::new(),
        "  Ctrl-C stops it; what has begun is finished.".to_owned(),
    ]
    .join("\n")
}
