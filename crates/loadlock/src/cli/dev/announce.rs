//! What `loadlock dev` says once it is ready.
use std::path::Path;

use serde_json::json;

use super::keys::Keys;
use crate::{
    auth::Secret,
    bucket::StoreSettings,
    cli::{bold, session::DEFAULT_DATA},
    demo,
};

pub(super) struct Announcement<'a> {
    pub(super) api: &'a str,
    pub(super) store: &'a StoreSettings,
    pub(super) data: &'a Path,
    pub(super) keys: &'a Keys,
    /// The demo's user's, good for an hour.
    pub(super) token: &'a Secret,
}

impl Announcement<'_> {
    /// One line for programs, the demo's user, a token of theirs and the demo's API key in it.
    pub(super) fn json(&self) -> String {
        json!({
            "api": self.api,
            "s3": self.store.public_endpoint,
            "page": format!("{}/", self.api),
            "data": self.data.display().to_string(),
            "staging_bucket": self.store.staging_bucket,
            "final_bucket": self.store.final_bucket,
            "user": demo::USER,
            "password": self.keys.password.expose(),
            "token": self.token.expose(),
            "api_key": self.keys.api_key.expose(),
        })
        .to_string()
    }

    /// A few lines for people.
    pub(super) fn text(&self) -> String {
        let Self { api, store, .. } = self;
        let data = self.data.display();
        let usual = Path::new(DEFAULT_DATA)
            .canonicalize()
            .is_ok_and(|usual| usual == self.data);
        // As it was called, so that the line works where it is read.
        let program = std::env::args()
            .next()
            .unwrap_or_else(|| "loadlock".to_owned());
        let option = if usual {
            String::new()
        } else {
            format!("--data {data} ")
        };
        [
            String::new(),
            format!("  {} is ready.", bold("Loadlock")),
            String::new(),
            format!("  Page   {}", bold(&format!("{api}/"))),
            format!("  API    {api}/docs"),
            format!("  Store  {}", store.public_endpoint),
            format!("  Data   {data}"),
            String::new(),
            "  Drop a photo on the page, or upload one from another terminal:".to_owned(),
            format!("    {program} put {option}photo.jpg"),
            String::new(),
            "  Ctrl-C stops it; everything stays where it is.".to_owned(),
        ]
        .join("\n")
    }
}
