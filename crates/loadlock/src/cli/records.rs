//! The records that a command works on: those of a configuration, or of a `loadlock dev`.
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::settings::ConfigFile;
use crate::{
    auth::Token,
    config::{Config, dev_profiles},
    records::Records,
    upload::Profile,
};

/// Whose records.
#[derive(Debug, clap::Args)]
pub(super) struct RecordsOf {
    #[command(flatten)]
    config: ConfigFile,
    /// In place of a configuration's, the records of the `loadlock dev` that keeps its data there.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,
}

/// Open records, and what is configured around them.
pub(super) struct Opened {
    pub(super) records: Records,
    pub(super) profiles: Vec<Profile>,
    /// The configuration's own.
    pub(super) tokens: Vec<Token>,
}

impl RecordsOf {
    /// Opens them; a service may be at work on them.
    pub(super) async fn open(&self) -> anyhow::Result<Opened> {
        if let Some(data) = &self.data {
            return of_dev(data).await;
        }
        let config = self.config.load()?.config;
        let records = Records::open(&config.records).await?;
        Ok(opened(records, config))
    }

    /// The same, of records that are there.
    pub(super) async fn there(&self) -> anyhow::Result<Opened> {
        if let Some(data) = &self.data {
            return of_dev(data).await;
        }
        let config = self.config.load()?.config;
        let records = Records::there(&config.records).await?;
        Ok(opened(records, config))
    }
}

fn opened(records: Records, config: Config) -> Opened {
    Opened {
        records,
        profiles: config.profiles,
        tokens: config.tokens,
    }
}

async fn of_dev(data: &Path) -> anyhow::Result<Opened> {
    let records = data.join("records.db");
    if !records.try_exists()? {
        bail!("no `loadlock dev` has its data in {}", data.display());
    }
    Ok(Opened {
        records: Records::open(&records).await?,
        profiles: dev_profiles()?,
        tokens: Vec::new(),
    })
}
