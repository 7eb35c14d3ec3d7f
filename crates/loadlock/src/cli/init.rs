//! `loadlock init`: asks a few questions and writes a commented configuration.
use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::{bold, key::Made, say, settings::ConfigFile};
use crate::{clock::Ids, config::file};
use answers::{Answers, Keys};

mod answers;
mod template;

/// Ask a few questions and write a commented loadlock.toml.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Ask nothing: take the options below, and what is usual for the rest.
    #[arg(long, short)]
    yes: bool,
    /// Print one line of JSON with the file and the API key; asks nothing.
    #[arg(long)]
    json: bool,
    /// Where browsers reach Loadlock.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Where the application's pages are.
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    /// The store's region.
    #[arg(long)]
    region: Option<String>,
    /// The store.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// How requests name a bucket: path or virtual.
    #[arg(long)]
    style: Option<String>,
    /// Where clients write.
    #[arg(long, value_name = "NAME")]
    staging_bucket: Option<String>,
    /// Where promoted files live.
    #[arg(long, value_name = "NAME")]
    final_bucket: Option<String>,
    /// Where the keys of the store's three identities come from.
    #[arg(long)]
    keys: Option<Keys>,
    /// What logs call whoever uses the API key.
    #[arg(long, default_value = "app", value_name = "NAME", value_parser = super::key::name)]
    key_name: String,
}

pub(super) fn run(mut args: Args) -> anyhow::Result<ExitCode> {
    let path = args.config.path();
    if path
        .try_exists()
        .with_context(|| path.display().to_string())?
    {
        bail!(
            "{} is there already, and is never overwritten",
            path.display()
        );
    }
    args.yes |= args.json;
    let answers = Answers::collect(&args)?;
    let ids = Ids::random();
    let made = Made::new(&args.key_name, &ids)?;
    let text = template::text(&answers, &made, &ids)?;
    file::check(&path, &text)?;
    write_new(&path, &text)?;
    say(&if args.json {
        json!({"file": path.display().to_string(), "name": made.name, "key": made.key.expose()})
            .to_string()
    } else {
        done(&path, &made)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Made for its owner's eyes only; another process's file is left alone.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let write = || -> io::Result<()> {
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn done(path: &Path, made: &Made) -> String {
    let option = if path == Path::new(file::USUAL) {
        String::new()
    } else {
        format!(" --config {}", path.display())
    };
    let next = [
        ("provision", "make the buckets and their rules"),
        ("doctor", "prove that the store holds what is promised"),
        ("serve", "run the service"),
    ];
    let next = next.map(|(command, does)| {
        let command = format!("loadlock {command}{option}");
        format!("    {command:width$}   {does}", width = 18 + option.len())
    });
    format!(
        "\n  {} is written, for your eyes only.\n\n{}\n\n  It belongs in the application's own settings. Then:\n\n{}\n",
        bold(&path.display().to_string()),
        made.text(),
        next.join("\n")
    )
}
