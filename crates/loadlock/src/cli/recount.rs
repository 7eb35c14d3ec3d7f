//! `loadlock recount`: what quotas go by, counted anew from the records.
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{records::RecordsOf, say};
use crate::{
    records::Miscount,
    upload::quota::{Counter, Standing},
};

/// Count anew what quotas go by, and show what was counted wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    of: RecordsOf,
    /// Put it right, as the service does when it starts.
    #[arg(long)]
    repair: bool,
    /// Print one line of JSON for each.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let records = args.of.open().await?.records;
    let wrong = if args.repair {
        records.repair().await?
    } else {
        records.recount().await?
    };
    for miscount in &wrong {
        say(&if args.json {
            line(miscount).to_string()
        } else {
            sentence(miscount)
        })?;
    }
    if wrong.is_empty() && !args.json {
        say("everything is counted right")?;
    }
    Ok(if wrong.is_empty() || args.repair {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn line(miscount: &Miscount) -> Value {
    let Counter {
        profile,
        owner,
        address,
    } = &miscount.counter;
    let standing = |standing: &Standing| {
        json!({
            "stored_bytes": standing.usage.stored_bytes,
            "stored_files": standing.usage.stored_files,
            "open_bytes": standing.usage.open_bytes,
            "open_files": standing.usage.open_files,
            "day": standing.day,
            "begun": standing.begun,
        })
    };
    json!({
        "profile": profile,
        "owner": owner,
        "address": address,
        "kept": standing(&miscount.kept),
        "counted": standing(&miscount.counted),
    })
}

fn sentence(miscount: &Miscount) -> String {
    let Counter {
        profile,
        owner,
        address,
    } = &miscount.counter;
    let of = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!("{name} `{text}` "),
    };
    let whose = [
        of("profile", profile),
        of("owner", owner),
        of("at", address),
    ]
    .concat();
    let (kept, counted) = (words(&miscount.kept), words(&miscount.counted));
    let text = format!("{}: {counted}; kept was {kept}", whose.trim_end());
    // An owner's name is whatever the application says it is.
    text.chars().filter(|c| !c.is_control()).collect()
}

fn words(standing: &Standing) -> String {
    let Standing { usage, begun, .. } = standing;
    format!(
        "stored {} ({} bytes), under way {} ({} bytes), begun {begun}",
        usage.stored_files, usage.stored_bytes, usage.open_files, usage.open_bytes
    )
}
