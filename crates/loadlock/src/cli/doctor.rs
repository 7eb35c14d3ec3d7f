//! `loadlock doctor`: every promise a grant makes, tried on the configured store with the configured identities.
use std::{io, process::ExitCode};

use anyhow::Context as _;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use self::chart::{Chart, Outcome};
use super::{
    report::{self, Mark, Row},
    say,
    settings::ConfigFile,
};
use crate::{
    bucket::StoreSettings,
    clock::{Clock, Ids},
    config::{Config, Origins, file::Settings},
    upload::{Method, Profile},
};
use wire::Wire;

mod added;
mod chart;
mod credentials;
mod grants;
mod identities;
mod issuers;
mod pages;
mod server;
mod storage;
mod wire;

/// Try on the live store, breach by breach, what grants promise.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one object of JSON.
    #[arg(long)]
    json: bool,
}

/// Who tries, and where.
struct Doctor<'a> {
    wire: Wire,
    store: &'a StoreSettings,
    origins: &'a Origins,
    profiles: &'a [Profile],
    /// What the profiles let clients send by.
    methods: Vec<Method>,
    clock: Clock,
    /// Under which all its keys lie.
    room: String,
}

impl Doctor<'_> {
    /// A key that the uploader may write.
    fn sent(&self, name: &str) -> String {
        format!("in/{}/{name}", self.room)
    }

    /// A key of staging that it may not.
    fn held(&self, name: &str) -> String {
        format!("held/{}/{name}", self.room)
    }

    /// A key that only temporary credentials may write.
    fn lent(&self, name: &str) -> String {
        format!("cred/{}/{name}", self.room)
    }

    /// A key of the final bucket.
    fn stored(&self, name: &str) -> String {
        format!("{}/{name}", self.room)
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Settings { config, .. } = args.config.load()?;
    let clock = Clock::system();
    let room = format!("loadlock-doctor/{}", Ids::random().upload_id(clock.now())?);
    let doctor = Doctor {
        wire: Wire::open(&config.store, clock.clone()).await?,
        store: &config.store,
        origins: &config.origins,
        profiles: &config.profiles,
        methods: config
            .profiles
            .iter()
            .flat_map(|profile| profile.methods.clone())
            .collect(),
        clock,
        room,
    };
    let mut chart = Chart::default();
    let interrupted = tokio::select! {
        // Listened for before anything is written.
        biased;
        code = asked_to_stop() => Some(code.context("cannot listen for signals")?),
        () = examine(&doctor, &config, &mut chart) => None,
    };
    // Whatever has happened.
    chart.group("afterwards");
    chart.check("cleared", server::clear(&doctor)).await;
    report(&args, &config, &chart)?;
    Ok(match (interrupted, chart.is_well()) {
        (Some(code), _) => ExitCode::from(code),
        (None, true) => ExitCode::SUCCESS,
        (None, false) => ExitCode::FAILURE,
    })
}

/// Waits for Ctrl-C, SIGTERM or SIGHUP; the exit code that says which it was.
async fn asked_to_stop() -> io::Result<u8> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
        _ = hangup.recv() => 129,
    })
}

async fn examine(doctor: &Doctor<'_>, config: &Config, chart: &mut Chart) {
    server::examine(doctor, chart).await;
    storage::examine(doctor, chart).await;
    pages::examine(doctor, chart).await;
    grants::examine(doctor, chart).await;
    added::examine(doctor, chart).await;
    identities::examine(doctor, chart).await;
    Box::pin(credentials::examine(doctor, config, chart)).await;
    issuers::examine(&config.issuers, &doctor.clock, chart).await;
}

fn report(args: &Args, config: &Config, chart: &Chart) -> anyhow::Result<()> {
    if args.json {
        let endpoint = &config.store.endpoint;
        let checks: Vec<_> = chart.checks().collect();
        return say(&json!({"endpoint": endpoint, "checks": checks}).to_string());
    }
    say(&text(chart))
}

fn text(chart: &Chart) -> String {
    let width = report::width(chart.checks().map(|check| check.name));
    let mut parts: Vec<_> = chart
        .groups
        .iter()
        .filter(|group| !group.checks.is_empty())
        .map(|group| {
            let rows = group.checks.iter().map(|check| Row {
                mark: match check.outcome {
                    Outcome::Holds => Mark::Good,
                    Outcome::Breached | Outcome::Unreachable => Mark::Bad,
                    Outcome::Lacking | Outcome::Skipped => Mark::Aside,
                },
                name: check.name,
                says: &check.says,
            });
            report::group(group.title, &rows.collect::<Vec<_>>(), width)
        })
        .collect();
    parts.push(chart.summary());
    parts.join("\n")
}
