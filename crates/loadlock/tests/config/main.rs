//! `loadlock.toml` and the environment, read into settings; and every fault told at once.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod documents;
mod faults;
mod sources;

use std::fs;

use loadlock::config::file::{Environment, Faults, Settings, load};

/// The least that is a configuration, from the sections a test may change.
pub(crate) const TOP: &str = r#"public_url = "https://uploads.example.com"
secrets = ["0123456789abcdef0123456789abcdef"]
"#;
pub(crate) const STORE: &str = r#"[store]
endpoint = "https://s3.example.com"
region = "eu-central-1"
staging_bucket = "example-staging"
final_bucket = "example-files"
"#;
pub(crate) const IMAGE: &str = r#"[profiles.image]
types = ["image/*"]
max_size = "25 MiB"
"#;

pub(crate) fn environment(variables: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect()
}

/// Loads a file with this text.
pub(crate) fn loaded(text: &str, variables: &[(&str, &str)]) -> Result<Settings, Faults> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loadlock.toml");
    fs::write(&path, text).unwrap();
    load(Some(&path), &environment(variables))
}

/// What is said of a file that will not do; without the directory it is in.
pub(crate) fn faults(text: &str, variables: &[(&str, &str)]) -> String {
    let faults = loaded(text, variables).unwrap_err();
    let told: Vec<String> = faults
        .iter()
        .map(|fault| {
            let place = fault.place.to_string();
            let place = place.rsplit('/').next().unwrap();
            format!("{place}: {}\n  → {}", fault.says, fault.right)
        })
        .collect();
    told.join("\n")
}
