//! `loadlock key`: API keys for an application's servers.
use std::{fmt::Write as _, process::ExitCode, time::Duration};

use anyhow::bail;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    bold,
    records::{Opened, RecordsOf},
    say, table,
};
use crate::{
    auth::{self, Scope, Secret, TokenHash},
    clock::{Clock, Ids, after},
    config::{file::quoted, forms},
    records::{Act, Actor, ApiKey, Entry, Outcome, Subject},
};

/// Make and look through the API keys of an application's servers.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
    Print(Print),
}

/// Make an API key, known to the service at once. It is shown this once; the records keep its SHA-256.
#[derive(Debug, clap::Args)]
struct Create {
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    of: RecordsOf,
}

/// List the API keys of records and configuration.
#[derive(Debug, clap::Args)]
struct List {
    /// Print one line of JSON for each.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    of: RecordsOf,
}

/// Take an API key back: it is void at once, and what was begun with it is not promoted.
#[derive(Debug, clap::Args)]
struct Revoke {
    /// The key's name.
    #[arg(value_parser = name)]
    name: String,
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    of: RecordsOf,
}

/// Print a new API key and the lines that make it known to loadlock.toml; the records learn nothing of it.
#[derive(Debug, clap::Args)]
struct Print {
    #[command(flatten)]
    wish: Wish,
}

/// What a key is to be.
#[derive(Debug, clap::Args)]
struct Wish {
    /// What logs call whoever uses it.
    #[arg(value_parser = name)]
    name: String,
    /// What it is good for, if not for every profile; may be repeated.
    #[arg(long = "profile", value_name = "PROFILE", value_parser = name)]
    profiles: Vec<String>,
    /// How long it is good, as "90 days"; without it, until it is revoked.
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<Duration>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// A sound name for an API key.
pub(super) fn name(text: &str) -> Result<String, String> {
    forms::name(text).map_err(|wrong| format!("it {}", wrong.says))
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let right = forms::LIFETIME.right;
    (forms::LIFETIME.parse)(text).map_err(|wrong| format!("it {}: write it as {right}", wrong.says))
}

/// A key nobody else has seen, and what is kept of it.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) key: Secret,
    hash: TokenHash,
    profiles: Vec<String>,
    expires_at: Option<Timestamp>,
}

impl Made {
    /// For every profile, without an end.
    pub(super) fn new(name: &str, ids: &Ids) -> anyhow::Result<Self> {
        let key = auth::api_key(&ids.secret()?);
        Ok(Self {
            name: name.to_owned(),
            hash: auth::hash(key.expose()),
            key,
            profiles: Vec::new(),
            expires_at: None,
        })
    }

    fn wished(wish: &Wish, now: Timestamp) -> anyhow::Result<Self> {
        Ok(Self {
            profiles: wish.profiles.clone(),
            expires_at: wish.expires.map(|lifetime| after(now, lifetime)),
            ..Self::new(&wish.name, &Ids::random())?
        })
    }

    /// For the configuration.
    pub(super) fn section(&self) -> String {
        let (name, sha256) = (quoted(&self.name), self.sha256());
        let mut text = format!("[[api_keys]]\nname = {name}\nsha256 = \"{sha256}\"");
        if !self.profiles.is_empty() {
            let names: Vec<String> = self.profiles.iter().map(|name| quoted(name)).collect();
            let _ = write!(text, "\nprofiles = [{}]", names.join(", "));
        }
        if let Some(end) = self.expires_at {
            let _ = write!(text, "\nexpires_at = {end:.0}");
        }
        text
    }

    /// For whom it is made.
    pub(super) fn text(&self) -> String {
        let key = bold(self.key.expose());
        format!(
            "  The API key of `{}`, shown this once:\n\n    {key}",
            self.name
        )
    }

    fn json(&self) -> Value {
        let mut value =
            json!({"name": self.name, "key": self.key.expose(), "sha256": self.sha256()});
        if !self.profiles.is_empty() {
            value["profiles"] = json!(self.profiles);
        }
        if let Some(end) = self.expires_at {
            value["expires_at"] = json!(end.to_string());
        }
        value
    }

    fn sha256(&self) -> String {
        let digits = self.hash.iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    match args.command {
        Command::Create(args) => create(&args, now).await?,
        Command::List(args) => list(&args, now).await?,
        Command::Revoke(args) => revoke(&args, now).await?,
        Command::Print(args) => print(&args, now)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print(Print { wish }: &Print, now: Timestamp) -> anyhow::Result<()> {
    let made = Made::wished(wish, now)?;
    if wish.json {
        return say(&made.json().to_string());
    }
    let (text, section) = (made.text(), made.section());
    say(&format!(
        "\n{text}\n\n  What loadlock.toml is told of it:\n\n{section}\n"
    ))
}

async fn create(Create { wish, of }: &Create, now: Timestamp) -> anyhow::Result<()> {
    let opened = of.open().await?;
    let known: Vec<&str> = opened.profiles.iter().map(|p| p.name.as_str()).collect();
    if let Some(name) = wish
        .profiles
        .iter()
        .find(|name| !known.contains(&name.as_str()))
    {
        bail!(
            "there is no profile `{name}`: give one of {}",
            known.join(", ")
        );
    }
    let taken = || bail_taken(&wish.name);
    if opened
        .tokens
        .iter()
        .any(|token| token.name() == Some(&wish.name))
    {
        return taken();
    }
    let subject = Subject::ApiKey(wish.name.clone());
    if opened.records.revoked(&[subject]).await?.is_some() {
        bail!("API key `{}` is revoked: give another name", wish.name);
    }
    let made = Made::wished(wish, now)?;
    let key = ApiKey {
        name: made.name.clone(),
        sha256: made.hash,
        scope: match made.profiles.as_slice() {
            [] => Scope::AllProfiles,
            names => Scope::Profiles(names.into()),
        },
        expires_at: made.expires_at,
        created_at: now,
        created_by: Actor::OPERATOR.to_string(),
    };
    let entry = Entry {
        detail: Some(format!("API key `{}` made", wish.name)),
        ..Entry::by_operator(Act::Key, now)
    };
    if opened.records.add_key(&key, entry).await? == Outcome::Lost {
        return taken();
    }
    say(&if wish.json {
        made.json().to_string()
    } else {
        format!("\n{}\n", made.text())
    })
}

async fn revoke(Revoke { name, reason, of }: &Revoke, now: Timestamp) -> anyhow::Result<()> {
    let opened = of.open().await?;
    if known(&opened).await?.iter().all(|key| key.name != *name) {
        bail!("there is no API key `{name}`");
    }
    let subject = Subject::ApiKey(name.clone());
    let entry = Entry::by_operator(Act::Revoke, now);
    let revoked = opened.records.revoke(&subject, reason.as_deref(), entry);
    say(&match revoked.await? {
        Outcome::Done => format!("API key `{name}` is revoked"),
        Outcome::Lost => format!("API key `{name}` was revoked before"),
    })
}

fn bail_taken(name: &str) -> anyhow::Result<()> {
    bail!("there is an API key `{name}` already: each has a name of its own")
}

async fn list(List { json, of }: &List, now: Timestamp) -> anyhow::Result<()> {
    let keys = known(&of.open().await?).await?;
    if *json {
        for key in &keys {
            say(&key.json(now).to_string())?;
        }
        return Ok(());
    }
    let mut rows = vec![["name", "profiles", "state", "made", "by"].map(str::to_owned)];
    rows.extend(keys.iter().map(|key| key.row(now)));
    say(&table::text(&rows))
}

/// A key as it is listed.
struct Known {
    name: String,
    scope: Scope,
    expires_at: Option<Timestamp>,
    revoked: bool,
    /// When and by whom, where the records keep it.
    made: Option<(Timestamp, String)>,
}

async fn known(opened: &Opened) -> anyhow::Result<Vec<Known>> {
    let configured = opened.tokens.iter().filter_map(|token| {
        Some(Known {
            name: token.name()?.to_owned(),
            scope: token.scope()?.clone(),
            expires_at: token.expires_at(),
            revoked: false,
            made: None,
        })
    });
    let mut all: Vec<Known> = configured.collect();
    let kept = opened.records.keys().await?.into_iter().map(|key| Known {
        name: key.name,
        scope: key.scope,
        expires_at: key.expires_at,
        revoked: false,
        made: Some((key.created_at, key.created_by)),
    });
    all.extend(kept);
    for key in &mut all {
        let subject = Subject::ApiKey(key.name.clone());
        key.revoked = opened.records.revoked(&[subject]).await?.is_some();
    }
    Ok(all)
}

impl Known {
    fn profiles(&self) -> &[String] {
        match &self.scope {
            Scope::AllProfiles => &[],
            Scope::Profiles(names) => names,
        }
    }

    fn state(&self, now: Timestamp) -> &'static str {
        match self.expires_at {
            _ if self.revoked => "revoked",
            Some(end) if end <= now => "expired",
            _ => "good",
        }
    }

    fn row(&self, now: Timestamp) -> [String; 5] {
        let profiles = match self.profiles() {
            [] => "all".to_owned(),
            names => names.join(", "),
        };
        let state = match (self.state(now), self.expires_at) {
            ("good", Some(end)) => format!("good until {end:.0}"),
            (state, _) => state.to_owned(),
        };
        let (made, by) = match &self.made {
            Some((at, by)) => (format!("{at:.0}"), by.clone()),
            None => ("–".to_owned(), "configuration".to_owned()),
        };
        [self.name.clone(), profiles, state, made, by]
    }

    fn json(&self, now: Timestamp) -> Value {
        let made = self.made.as_ref();
        json!({
            "name": self.name,
            "profiles": match self.profiles() { [] => None, names => Some(names) },
            "state": self.state(now),
            "expires_at": self.expires_at.map(|at| at.to_string()),
            "created_at": made.map(|(at, _)| at.to_string()),
            "created_by": made.map(|(_, by)| by),
        })
    }
}
