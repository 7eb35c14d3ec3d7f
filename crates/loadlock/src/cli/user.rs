//! `loadlock user`: those who sign in here, with a name and a password.
use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    process::ExitCode,
};

use anyhow::bail;
use console::Term;
use serde_json::{Map, Value, json};

use super::{records::RecordsOf, say, table};
use crate::{
    auth::{Claims, MAX_PASSWORD_BYTES, Passwords, Secret},
    clock::{Clock, Ids},
    records::{Act, Entry, Outcome, Records, User},
    upload::Owner,
};

/// What can be guessed at the rate that sign-in allows, and what cannot.
const MIN_PASSWORD_CHARS: usize = 12;
const MAX_NAME: usize = 64;
const MAX_CLAIM: usize = 255;

/// Keep local users: for a site that has no identity provider.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a user; the password is asked for.
    Add {
        #[command(flatten)]
        named: Named,
        /// What their profiles may demand; may be repeated, also for several values of one name.
        #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
        claims: Vec<(String, String)>,
        /// Read the password from standard input, one line.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the users.
    List {
        /// Print one line of JSON for each.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: RecordsOf,
    },
    /// Give a user another password; they are signed out.
    Password {
        #[command(flatten)]
        named: Named,
        /// Read the password from standard input, one line.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Keep a user out, and sign them out.
    Disable {
        #[command(flatten)]
        named: Named,
    },
    /// Let a disabled user in again.
    Enable {
        #[command(flatten)]
        named: Named,
    },
    /// Remove a user, and sign them out; their files stay.
    Remove {
        #[command(flatten)]
        named: Named,
    },
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The user's name; what they upload belongs to the owner of this name.
    #[arg(value_parser = name)]
    name: Owner,
    #[command(flatten)]
    of: RecordsOf,
}

fn name(text: &str) -> Result<Owner, String> {
    let plain = |c: char| c.is_alphanumeric() || "-_.@+".contains(c);
    if !(1..=MAX_NAME).contains(&text.len()) || !text.chars().all(plain) {
        let right = "letters, digits and any of - _ . @ +";
        return Err(format!("a name is 1 to {MAX_NAME} bytes of {right}"));
    }
    let name = text.parse::<Owner>().map_err(|error| error.to_string())?;
    if name.is_anonymous() {
        return Err(format!("`{name}` stands for whoever does not sign in"));
    }
    Ok(name)
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give it as NAME=VALUE")?;
    let sound = |text: &str, most| (1..=most).contains(&text.len());
    if sound(name, MAX_NAME) && sound(value, MAX_CLAIM) {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err(format!(
            "a name is 1 to {MAX_NAME} bytes long, a value 1 to {MAX_CLAIM}"
        ))
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Add {
            named,
            claims,
            password_stdin,
        } => add(named, claims, password_stdin.into()).await?,
        Command::List { json, of } => list(&of.open().await?.records, json).await?,
        Command::Password {
            named,
            password_stdin,
        } => password(named, password_stdin.into()).await?,
        Command::Disable { named } => disable(&named).await?,
        Command::Enable { named } => enable(&named).await?,
        Command::Remove { named } => remove(&named).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(
    Named { name, of }: Named,
    claims: Vec<(String, String)>,
    source: Source,
) -> anyhow::Result<()> {
    let records = of.open().await?.records;
    let taken = || format!("there is a user `{name}` already");
    // Asked before the password is, and again where it counts.
    if records.user(name.as_str()).await?.is_some() {
        bail!(taken());
    }
    let user = User {
        password: hashed(source).await?,
        claims: claims_of(claims),
        created_at: Clock::system().now(),
        disabled_at: None,
        name: name.clone(),
    };
    let (text, entry) = told(&name, "can sign in");
    match records.add_user(&user, entry).await? {
        Outcome::Done => say(&text),
        Outcome::Lost => bail!(taken()),
    }
}

/// A claim that is there once is a text, and a list if it is there several times.
fn claims_of(given: Vec<(String, String)>) -> Claims {
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in given {
        all.entry(name).or_default().push(value);
    }
    let value = |values: Vec<String>| match values.as_slice() {
        [one] => json!(one),
        several => json!(several),
    };
    let claims: Map<String, Value> = all
        .into_iter()
        .map(|(name, values)| (name, value(values)))
        .collect();
    Claims::new(claims)
}

async fn password(Named { name, of }: Named, source: Source) -> anyhow::Result<()> {
    let records = of.open().await?.records;
    if records.user(name.as_str()).await?.is_none() {
        bail!(unknown(&name));
    }
    let password = hashed(source).await?;
    let (text, entry) = told(&name, "has another password, and is signed out");
    let set = records.set_password(name.as_str(), &password, entry);
    done(&name, set.await?, &text)
}

async fn disable(Named { name, of }: &Named) -> anyhow::Result<()> {
    let (records, now) = (of.open().await?.records, Clock::system().now());
    let (text, entry) = told(name, "is disabled, and signed out");
    let disable = records.disable_user(name.as_str(), Some(now), entry);
    done(name, disable.await?, &text)
}

async fn enable(Named { name, of }: &Named) -> anyhow::Result<()> {
    let records = of.open().await?.records;
    let (text, entry) = told(name, "can sign in");
    let enable = records.disable_user(name.as_str(), None, entry);
    done(name, enable.await?, &text)
}

async fn remove(Named { name, of }: &Named) -> anyhow::Result<()> {
    let records = of.open().await?.records;
    let (text, entry) = told(name, "is removed; their files stay");
    let remove = records.remove_user(name.as_str(), entry);
    done(name, remove.await?, &text)
}

/// What is said of a change, here and in the audit log.
fn told(name: &Owner, what: &str) -> (String, Entry) {
    let text = format!("user `{name}` {what}");
    let entry = Entry {
        owner: Some(name.to_string()),
        detail: Some(text.clone()),
        ..Entry::by_operator(Act::User, Clock::system().now())
    };
    (text, entry)
}

fn done(name: &Owner, outcome: Outcome, text: &str) -> anyhow::Result<()> {
    match outcome {
        Outcome::Done => say(text),
        Outcome::Lost => bail!(unknown(name)),
    }
}

fn unknown(name: &Owner) -> String {
    format!("there is no user `{name}`")
}

async fn list(records: &Records, json: bool) -> anyhow::Result<()> {
    let users = records.users().await?;
    if json {
        for User {
            name,
            claims,
            created_at,
            disabled_at,
            ..
        } in &users
        {
            let disabled_at = disabled_at.map(|at| at.to_string());
            let line = json!({"name": name.as_str(), "claims": claims.as_map(), "created_at": created_at.to_string(), "disabled_at": disabled_at});
            say(&line.to_string())?;
        }
        return Ok(());
    }
    let mut rows = vec![["name", "claims", "made", "state"].map(str::to_owned)];
    rows.extend(users.iter().map(|user| {
        let claims = user.claims.as_map().iter();
        let claims: Vec<String> = claims
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let state = match user.disabled_at {
            None => "can sign in".to_owned(),
            Some(at) => format!("disabled at {at:.0}"),
        };
        let (name, made) = (user.name.to_string(), format!("{:.0}", user.created_at));
        [name, claims.join(" "), made, state]
    }));
    say(&table::text(&rows))
}

/// Where a password comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Terminal,
    StandardInput,
}

impl From<bool> for Source {
    fn from(standard_input: bool) -> Self {
        if standard_input {
            Self::StandardInput
        } else {
            Self::Terminal
        }
    }
}

/// What is kept of a password that is asked for now.
async fn hashed(source: Source) -> anyhow::Result<Secret> {
    let password = match source {
        Source::Terminal => asked()?,
        Source::StandardInput => read()?,
    };
    let text = password.expose();
    if text.chars().count() < MIN_PASSWORD_CHARS || text.len() > MAX_PASSWORD_BYTES {
        bail!(
            "a password has at least {MIN_PASSWORD_CHARS} characters, and at most {MAX_PASSWORD_BYTES} bytes"
        );
    }
    let random = Ids::random().secret()?;
    Ok(Passwords::default().hash(password, random).await?)
}

/// Twice, and never shown.
fn asked() -> anyhow::Result<Secret> {
    let terminal = Term::stderr();
    if !terminal.is_term() || !io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the password on: give it with --password-stdin");
    }
    let ask = |prompt: &str| -> anyhow::Result<Secret> {
        terminal.write_str(prompt)?;
        Ok(Secret::new(terminal.read_secure_line()?))
    };
    let password = ask("Password: ")?;
    if password != ask("Once more: ")? {
        bail!("these are two different passwords");
    }
    Ok(password)
}

fn read() -> anyhow::Result<Secret> {
    let most = u64::try_from(MAX_PASSWORD_BYTES + 3)?;
    let mut line = String::new();
    io::stdin().lock().take(most).read_line(&mut line)?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}
