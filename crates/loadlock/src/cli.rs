//! The command line: arguments in, exit code out.
use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::config::file::Faults;

mod audit;
mod config;
mod dev;
mod doctor;
mod embedded;
mod init;
mod key;
mod place;
mod policies;
mod provision;
mod put;
mod quarantine;
mod records;
mod recount;
mod report;
mod revoke;
mod rules;
mod serve;
mod session;
mod settings;
mod store;
mod table;
mod tasks;
mod user;

/// User uploads straight into S3: granted, inspected, promoted.
#[derive(Debug, Parser)]
#[command(name = "loadlock", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Args),
    Init(init::Args),
    Config(config::Args),
    Serve(serve::Args),
    Key(key::Args),
    User(user::Args),
    Provision(provision::Args),
    Doctor(doctor::Args),
    Audit(audit::Args),
    Revoke(revoke::Args),
    Put(put::Args),
    Quarantine(quarantine::Args),
    Recount(recount::Args),
    Store(store::Args),
}

/// Runs the command named by the process's arguments. 0: done; 1: failed, and said why; 2: the arguments make no sense.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    crate::telemetry::start();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.into()),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Dev(args) => dev::run(args).await,
            Command::Init(args) => init::run(args),
            Command::Config(args) => config::run(&args),
            Command::Serve(args) => serve::run(args).await,
            Command::Key(args) => key::run(args).await,
            Command::User(args) => user::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
            Command::Provision(args) => provision::run(args).await,
            Command::Audit(args) => audit::run(args).await,
            Command::Revoke(args) => revoke::run(args).await,
            Command::Put(args) => put::run(args).await,
            Command::Quarantine(args) => quarantine::run(args).await,
            Command::Recount(args) => recount::run(args).await,
            Command::Store(args) => store::run(args).await,
        }
    });
    // What still runs (a blocking read, a lookup) must not hold the process.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| complain(&error))
}

/// Says on standard error what went wrong, causes included.
fn complain(error: &anyhow::Error) -> ExitCode {
    let text = match error.downcast_ref::<Faults>() {
        Some(faults) if io::stderr().is_terminal() => coloured(faults),
        _ => format!("{error:#}"),
    };
    let _ = writeln!(io::stderr().lock(), "loadlock: {text}");
    ExitCode::FAILURE
}

/// Places in bold, what would be right in green.
fn coloured(faults: &Faults) -> String {
    let line = |line: &str| match (line.strip_prefix("    →"), line.split_once(": ")) {
        (Some(right), _) => format!("    \x1b[32m→{right}\x1b[0m"),
        (None, Some((place, says))) => format!("\x1b[1m{place}\x1b[0m: {says}"),
        (None, None) => line.to_owned(),
    };
    let lines: Vec<String> = faults.to_string().lines().map(line).collect();
    lines.join("\n")
}

/// Prints to standard output; a reader that has gone away is an error like any other.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Bold where a person reads, plain where a program does.
fn bold(text: &str) -> String {
    if io::stdout().is_terminal() {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
