//! `loadlock revoke`: takes permissions back, and gives them again, in the records themselves.
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{
    records::{Opened, RecordsOf},
    say,
};
use crate::{
    clock::Clock,
    records::{Act, Entry, Outcome, Records, Revocation, Subject},
};

/// How many revocations are read at a time.
const PAGE: u32 = 500;

/// Take back the permissions of an owner, an API key, an upload or a profile.
///
/// Nothing new is granted from then on, and what was granted before is not promoted. What is stored stays.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Whatever belongs to an owner.
    Owner(Target),
    /// An API key, by its name, and what was begun with it.
    Key(Target),
    /// One upload, by its id.
    Upload(Target),
    /// Whatever is sent under a profile.
    Profile(Target),
    /// Show what is revoked.
    List(List),
}

#[derive(Debug, clap::Args)]
struct Target {
    /// Whose permissions.
    #[arg(value_name = "NAME")]
    name: String,
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT", conflicts_with = "restore")]
    reason: Option<String>,
    /// Give the permissions again. What was rejected meanwhile stays so.
    #[arg(long)]
    restore: bool,
    /// Say how many open uploads hang on it, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    of: RecordsOf,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    of: RecordsOf,
    /// Print one line of JSON for each.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (kind, target) = match args.what {
        What::Owner(target) => ("owner", target),
        What::Key(target) => ("api_key", target),
        What::Upload(target) => ("upload", target),
        What::Profile(target) => ("profile", target),
        What::List(args) => return list(args).await,
    };
    let subject = Subject::new(kind, &target.name)?;
    let opened = target.of.there().await?;
    let records = &opened.records;
    if let Subject::Upload(id) = subject
        && records.upload(id).await?.is_none()
    {
        anyhow::bail!("there is no upload `{id}`");
    }
    let done = carry_out(records, &subject, &target).await?;
    let open = records.open_uploads(&subject).await?;
    say(&if target.json {
        let (kind, name) = (subject.kind(), subject.name());
        json!({"kind": kind, "subject": name, "outcome": done.code(), "open_uploads": open})
            .to_string()
    } else {
        text(&subject, done, open) + unknown(&opened, &subject)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Revoked,
    Before,
    Restored,
    Never,
    Nothing,
}

impl Done {
    fn code(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Before => "already_revoked",
            Self::Restored => "restored",
            Self::Never => "not_revoked",
            Self::Nothing => "dry_run",
        }
    }
}

async fn carry_out(records: &Records, subject: &Subject, target: &Target) -> anyhow::Result<Done> {
    if target.dry_run {
        return Ok(Done::Nothing);
    }
    let now = Clock::system().now();
    if target.restore {
        let entry = Entry::by_operator(Act::Restore, now);
        return Ok(match records.restore(subject, entry).await? {
            Outcome::Done => Done::Restored,
            Outcome::Lost => Done::Never,
        });
    }
    let entry = Entry::by_operator(Act::Revoke, now);
    let reason = target.reason.as_deref();
    Ok(match records.revoke(subject, reason, entry).await? {
        Outcome::Done => Done::Revoked,
        Outcome::Lost => Done::Before,
    })
}

fn text(subject: &Subject, done: Done, open: u64) -> String {
    let uploads = match open {
        0 => "no open upload".to_owned(),
        1 => "one open upload".to_owned(),
        more => format!("{more} open uploads"),
    };
    match done {
        Done::Revoked => {
            format!("the {subject} is revoked, which stops {uploads}; what is stored stays")
        }
        Done::Before => format!("the {subject} was revoked before, which stops {uploads}"),
        Done::Restored if open == 0 => format!("the {subject} has its permissions again"),
        Done::Restored => format!("the {subject} has its permissions again: {uploads} may go on"),
        Done::Never => format!("the {subject} was not revoked"),
        Done::Nothing => format!("to revoke the {subject} would stop {uploads}"),
    }
}

/// A slip of the pen revokes nobody.
fn unknown(opened: &Opened, subject: &Subject) -> &'static str {
    match subject {
        Subject::Profile(name) if opened.profiles.iter().all(|it| it.name != *name) => {
            "\nthe configuration has no profile of this name"
        }
        _ => "",
    }
}

async fn list(args: List) -> anyhow::Result<ExitCode> {
    let records = args.of.there().await?.records;
    let mut after = None;
    loop {
        let found = records.revocations(after.as_ref(), PAGE).await?;
        for revocation in &found {
            say(&if args.json {
                line(revocation)
            } else {
                sentence(revocation)
            })?;
        }
        match found.into_iter().last() {
            Some(last) => after = Some(last.subject),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn line(revocation: &Revocation) -> String {
    let Revocation {
        subject,
        at,
        by,
        reason,
    } = revocation;
    let (kind, name, at) = (subject.kind(), subject.name(), format!("{at:.3}"));
    json!({"kind": kind, "subject": name, "at": at, "by": by, "reason": reason}).to_string()
}

fn sentence(revocation: &Revocation) -> String {
    let Revocation {
        subject,
        at,
        by,
        reason,
    } = revocation;
    let reason = reason.as_ref().map(|text| format!(": {text}"));
    let text = format!("{at:.0}  {subject}, by {by}{}", reason.unwrap_or_default());
    super::audit::plain(&text)
}
