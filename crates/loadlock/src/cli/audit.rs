//! `loadlock audit`: who did what, from the records themselves.
use std::process::ExitCode;

use jiff::Timestamp;

use super::{bold, records::RecordsOf, say};
use crate::{
    clock::{Clock, from_millis},
    config::forms,
    flow::AuditQuery,
    http::message::AuditEntry,
    records::{Entry, Filter},
    upload::profile::in_words,
};

/// How many entries are read at a time.
const PAGE: u32 = 500;
/// The widest that a column becomes.
const WIDEST: usize = 40;

/// Show who did what, when, from where, and what came of it, the newest first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    of: RecordsOf,
    /// Of this owner's uploads.
    #[arg(long)]
    owner: Option<String>,
    /// Of one act: begin, promote, revoke …
    #[arg(long)]
    act: Option<String>,
    /// With this outcome: ok, an error's or a rejection's code, or `not_ok` for all of these.
    #[arg(long)]
    outcome: Option<String>,
    /// Of one upload, by its id.
    #[arg(long, value_name = "ID")]
    upload: Option<String>,
    /// Of one profile.
    #[arg(long)]
    profile: Option<String>,
    /// By whom, as the entries have it: "key shop", "user u17", "service".
    #[arg(long)]
    actor: Option<String>,
    /// From then on: a time, a day, or a length of time ago ("24 hours").
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Before then.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// At most so many.
    #[arg(long, default_value = "50", value_name = "N")]
    limit: u32,
    /// Print one line of JSON for each.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    let filter = filter(&args, now)?;
    let records = args.of.there().await?.records;
    let (mut before, mut left, mut head) = (None, args.limit, true);
    while left > 0 {
        let found = records.audit(&filter, before, left.min(PAGE)).await?;
        left = left.saturating_sub(PAGE);
        let Some((place, _)) = found.last() else {
            break;
        };
        before = Some(*place);
        let entries = found.into_iter().map(|(_, entry)| entry);
        if args.json {
            for entry in entries {
                say(&serde_json::to_string(&AuditEntry::from(entry))?)?;
            }
        } else {
            let entries: Vec<Entry> = entries.collect();
            say(&table(&entries, head))?;
        }
        head = false;
    }
    if head && !args.json {
        say("nothing of that kind is written down")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn filter(args: &Args, now: Timestamp) -> anyhow::Result<Filter> {
    let when = |text: &Option<String>| text.as_ref().map(|text| time(text, now));
    let query = AuditQuery {
        owner: args.owner.clone(),
        act: args.act.clone(),
        outcome: args.outcome.clone(),
        upload: args.upload.clone(),
        profile: args.profile.clone(),
        actor: args.actor.clone(),
        since: when(&args.since),
        until: when(&args.until),
        ..AuditQuery::default()
    };
    Ok(query.filter()?)
}

/// A length of time is meant back from now; all else as it is.
fn time(text: &str, now: Timestamp) -> String {
    match (forms::LIFETIME.parse)(text) {
        Ok(ago) => {
            let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            from_millis(now.as_millisecond().saturating_sub(ago)).to_string()
        }
        Err(_) => text.to_owned(),
    }
}

type Row = [String; 9];

fn table(entries: &[Entry], head: bool) -> String {
    let titles = [
        "time", "act", "outcome", "actor", "owner", "profile", "size", "address", "upload",
    ];
    let rows: Vec<(Row, String)> = entries.iter().map(row).collect();
    let width = |n: usize| {
        let cells = rows.iter().map(|(row, _)| row[n].chars().count());
        cells.chain([titles[n].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 9] = std::array::from_fn(width);
    let line = |cells: &Row, rest: &str| {
        let cells = cells.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}  {rest}", cells.join("  "))
            .trim_end()
            .to_owned()
    };
    let mut lines = Vec::with_capacity(rows.len() + 1);
    if head {
        lines.push(bold(&line(&titles.map(str::to_owned), "")));
    }
    lines.extend(rows.iter().map(|(row, rest)| line(row, rest)));
    lines.join("\n")
}

/// One entry's cells, and what stands behind them.
fn row(entry: &Entry) -> (Row, String) {
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), cell);
    let told = |found: Option<String>| found.unwrap_or_else(|| "–".to_owned());
    let cells = [
        format!("{:.0}", entry.at),
        entry.act.name().to_owned(),
        cell(&entry.outcome),
        cell(entry.actor.as_str()),
        text(&entry.owner),
        text(&entry.profile),
        told(entry.size_bytes.map(in_words)),
        told(entry.address.map(|address| address.to_string())),
        told(entry.upload.map(|id| id.to_string())),
    ];
    let rest = entry.detail.as_ref().or(entry.key.as_ref());
    (cells, rest.map(|text| plain(text)).unwrap_or_default())
}

fn cell(text: &str) -> String {
    let text = plain(text);
    if text.chars().count() <= WIDEST {
        return text;
    }
    let cut: String = text.chars().take(WIDEST - 1).collect();
    format!("{cut}…")
}

/// What strangers wrote does not steer the terminal.
pub(super) fn plain(text: &str) -> String {
    let safe = |c: char| {
        if c.is_control() || is_turning(c) {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(safe).collect()
}

/// Marks that change the direction of what follows (Unicode Standard Annex 9).
fn is_turning(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Act;

    #[test]
    fn what_strangers_wrote_does_not_steer_the_terminal() {
        let at = from_millis(0);
        let entry = Entry {
            owner: Some("me\u{1b}[2J\u{202e}x".to_owned()),
            detail: Some("a\r\nb".to_owned()),
            ..Entry::new(Act::Begin, None, at)
        };
        let shown = table(&[entry], true);
        assert_eq!(shown.lines().count(), 2);
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']), "{shown:?}");
    }

    #[test]
    fn a_length_of_time_is_meant_back_from_now() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(time("24 hours", now), "2026-11-21T12:00:00Z");
        assert_eq!(time("2026-11-20", now), "2026-11-20");
    }
}
