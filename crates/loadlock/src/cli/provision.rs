//! `loadlock provision`: the two buckets as Loadlock needs them, on any S3.
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use self::steps::{Bucket, Mode, Outcome, Step};
use super::{
    policies::{self, Buckets},
    report::{self, Mark, Row},
    rules, say,
    settings::ConfigFile,
};
use crate::{
    bucket::{self, Source, StoreSettings, Way},
    clock::Clock,
    config::{Config, file::Settings},
};

mod steps;

/// Make the two buckets as they should be, on any S3; run twice, it changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// The profile of the AWS configuration whose credentials do it; without it, those of the environment.
    #[arg(long, value_name = "NAME")]
    aws_profile: Option<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one identity's IAM policy, and do nothing.
    #[arg(long, value_name = "IDENTITY", conflicts_with = "dry_run")]
    policy: Option<Identity>,
    /// Print one object of JSON.
    #[arg(long)]
    json: bool,
}

/// Whose policy.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Identity {
    Uploader,
    Server,
    Reader,
    // The role whose temporary credentials are handed out.
    Session,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Settings { config, .. } = args.config.load()?;
    let store = &config.store;
    if let Some(identity) = args.policy {
        say(&policy(identity, &config)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mode = if args.dry_run {
        Mode::Plan
    } else {
        Mode::Apply
    };
    // None of the configured identities may change a bucket.
    let operator = args.aws_profile.map_or(Source::Chain, Source::Profile);
    // Said once and here, not as every step's failure.
    operator.credentials(&store.region).await.context(
        "no credentials to provision with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --aws-profile",
    )?;
    let client = bucket::client(store, &operator, Clock::system()).await;
    let steps = provision(&config, &client, mode).await?;
    say(&if args.json {
        json!({"endpoint": store.endpoint, "dry_run": args.dry_run, "steps": steps}).to_string()
    } else {
        text(store, mode, &steps)
    })?;
    let failed = steps.iter().any(|step| step.outcome == Outcome::Failed);
    Ok(ExitCode::from(u8::from(failed)))
}

fn policy(identity: Identity, config: &Config) -> anyhow::Result<String> {
    let store = &config.store;
    let buckets = Buckets {
        staging: &store.staging_bucket,
        finals: &store.final_bucket,
    };
    let policy = match identity {
        Identity::Uploader => match config.credentials.as_ref().map(|vending| &vending.way) {
            Some(Way::Sts { role_arn }) => policies::vending_uploader(buckets, role_arn),
            _ => policies::uploader(buckets),
        },
        Identity::Session => policies::session(buckets),
        Identity::Server => policies::server(buckets, policies::for_profiles(&config.profiles)),
        Identity::Reader => policies::reader(buckets),
    };
    Ok(serde_json::to_string_pretty(&policy)?)
}

async fn provision(
    config: &Config,
    client: &aws_sdk_s3::Client,
    mode: Mode,
) -> anyhow::Result<Vec<Step>> {
    let StoreSettings {
        staging_bucket,
        final_bucket,
        region,
        ..
    } = &config.store;
    let mut staging = Bucket::new(client, staging_bucket, mode);
    if staging.exist(region).await {
        staging.close().await;
        staging.open_to(&rules::pages(config)?).await;
        staging.forget(rules::staged_expiry()?).await;
    }
    let mut finals = Bucket::new(client, final_bucket, mode);
    if finals.exist(region).await {
        finals.close().await;
        finals.open_to(&[]).await;
        finals.forget(rules::final_expiry()?).await;
    }
    Ok([staging.steps, finals.steps].concat())
}

fn text(store: &StoreSettings, mode: Mode, steps: &[Step]) -> String {
    let width = report::width(steps.iter().map(|step| step.what));
    let groups = [&store.staging_bucket, &store.final_bucket].map(|bucket| {
        let rows: Vec<_> = steps
            .iter()
            .filter(|step| step.bucket == *bucket)
            .map(row)
            .collect();
        report::group(bucket, &rows, width)
    });
    let last = match mode {
        Mode::Plan => "Nothing has been changed.",
        Mode::Apply if steps.iter().any(|step| step.outcome == Outcome::Failed) => {
            "Not everything is as it should be."
        }
        Mode::Apply => "Prove it with `loadlock doctor`.",
    };
    format!("{}\n{last}", groups.join("\n"))
}

fn row(step: &Step) -> Row<'_> {
    Row {
        mark: match step.outcome {
            Outcome::Kept | Outcome::Made | Outcome::Changed => Mark::Good,
            Outcome::Failed => Mark::Bad,
            Outcome::Left | Outcome::Lacking => Mark::Aside,
        },
        name: step.what,
        says: &step.says,
    }
}
