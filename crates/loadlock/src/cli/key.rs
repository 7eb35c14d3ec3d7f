//! `loadlock key`: an API key for an application's server.
use std::{fmt::Write as _, process::ExitCode};

use serde_json::json;

use super::{bold, say};
use crate::{
    auth::{self, Secret},
    clock::Ids,
    config::forms,
};

/// Make an API key for an application's server. It is shown once; the configuration keeps its SHA-256.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What logs call whoever uses it.
    #[arg(default_value = "app", value_parser = name)]
    name: String,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// A sound name for an API key.
pub(super) fn name(text: &str) -> Result<String, String> {
    forms::name(text).map_err(|wrong| format!("it {}", wrong.says))
}

/// A key nobody else has seen, and what is kept of it.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) key: Secret,
    sha256: String,
}

impl Made {
    pub(super) fn new(name: &str, ids: &Ids) -> anyhow::Result<Self> {
        let key = auth::api_key(&ids.secret()?);
        let mut sha256 = String::with_capacity(64);
        for byte in auth::hash(key.expose()) {
            write!(sha256, "{byte:02x}")?;
        }
        let name = name.to_owned();
        Ok(Self { name, key, sha256 })
    }

    /// For the configuration.
    pub(super) fn section(&self) -> String {
        let Self { name, sha256, .. } = self;
        format!("[[api_keys]]\nname = \"{name}\"\nsha256 = \"{sha256}\"")
    }

    /// For whom it is made.
    pub(super) fn text(&self) -> String {
        let key = bold(self.key.expose());
        format!(
            "  The API key of `{}`, shown this once:\n\n    {key}",
            self.name
        )
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let made = Made::new(&args.name, &Ids::random())?;
    let text = if args.json {
        json!({"name": made.name, "key": made.key.expose(), "sha256": made.sha256}).to_string()
    } else {
        let (text, section) = (made.text(), made.section());
        format!("\n{text}\n\n  What loadlock.toml is told of it:\n\n{section}\n")
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}
