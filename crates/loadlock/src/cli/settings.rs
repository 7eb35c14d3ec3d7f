//! `--config FILE`, and the settings it leads to.
use std::path::{Path, PathBuf};

use crate::config::file::{self, Environment, Faults, Settings};

/// Where the configuration is.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigFile {
    /// The configuration; without it loadlock.toml in this directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The settings of the file and of this process's environment, or all that is wrong with them.
    pub(super) fn load(&self) -> Result<Settings, Faults> {
        load(self.config.as_deref())
    }

    /// Where a new file would be.
    pub(super) fn path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| file::USUAL.into())
    }
}

/// The settings of a file, or of the usual one, and of this process's environment.
pub(super) fn load(file: Option<&Path>) -> Result<Settings, Faults> {
    file::load(file, &environment())
}

/// An empty variable says nothing: that is how it is left out where it cannot be removed.
fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| name.starts_with("LOADLOCK_") && !value.is_empty())
        .collect()
}
