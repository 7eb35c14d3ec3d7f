//! `loadlock quarantine`: rejected content that is kept for a while, shown and deleted by hand.
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{records::RecordsOf, say};
use crate::{
    clock::Clock,
    records::{Act, Entry, Outcome},
    upload::{Quarantined, Rejection, State, Upload, UploadId},
};

/// How many uploads are read at a time.
const PAGE: u32 = 500;

/// Show rejected content that is kept, and delete it before its time.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what is kept: where it lies in the staging bucket, until when, and why it was rejected.
    List(List),
    /// Delete what is kept of an upload.
    Delete(Delete),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    of: RecordsOf,
    /// Print one line of JSON for each.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Delete {
    /// The upload.
    #[arg(value_name = "ID")]
    id: UploadId,
    #[command(flatten)]
    of: RecordsOf,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::List(args) => list(args).await?,
        What::Delete(args) => delete(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: List) -> anyhow::Result<()> {
    let records = args.of.open().await?.records;
    let mut after = None;
    loop {
        let found = records.quarantined(after, PAGE).await?;
        for upload in &found {
            if let Some((kept, reason)) = kept(upload) {
                say(&if args.json {
                    line(upload, kept, reason)
                } else {
                    sentence(upload, kept, reason)
                })?;
            }
        }
        match found.last() {
            Some(last) => after = Some(last.id),
            None => return Ok(()),
        }
    }
}

fn kept(upload: &Upload) -> Option<(&Quarantined, &Rejection)> {
    match &upload.state {
        State::Rejected {
            quarantined: Some(kept),
            reason,
            ..
        } => Some((kept, reason)),
        _ => None,
    }
}

fn line(upload: &Upload, kept: &Quarantined, reason: &Rejection) -> String {
    json!({
        "id": upload.id.to_string(),
        "key": kept.key.as_str(),
        "until": format!("{:.3}", kept.until),
        "reason": reason.code(),
        "message": reason.to_string(),
        "profile": upload.profile,
        "owner": upload.owner.as_str(),
        "filename": upload.filename,
    })
    .to_string()
}

fn sentence(upload: &Upload, kept: &Quarantined, reason: &Rejection) -> String {
    let Upload { id, owner, .. } = upload;
    let text = format!("{id}  until {:.0}  {owner}: {reason}", kept.until);
    // An owner's name is whatever the application says it is.
    text.chars().filter(|c| !c.is_control()).collect()
}

async fn delete(args: Delete) -> anyhow::Result<()> {
    let records = args.of.open().await?.records;
    let now = Clock::system().now();
    let id = args.id;
    let found = records.upload(id).await?;
    let Some(upload) = found.filter(|upload| kept(upload).is_some()) else {
        anyhow::bail!("nothing is kept of an upload `{id}`");
    };
    let discarded = upload.clone().discard(now)?;
    let by = Entry::by_operator(Act::Delete, now);
    match records.discard(&upload, &discarded, by).await? {
        Outcome::Done => say(&format!("what was kept of `{id}` is being deleted")),
        Outcome::Lost => anyhow::bail!("upload `{id}` is changing: try again"),
    }
}
