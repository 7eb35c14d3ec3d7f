//! What is written down of begins that are refused: what was wished for, and why it is not to be.

use std::collections::BTreeMap;

use super::{Announced, Begin, BeginMany, Begun, Named};
use crate::{
    app::App,
    auth::{Caller, Who},
    error::Error,
    flow::audit,
    records::{Act, Entry},
};

/// What was wished for, as far as it is written down.
pub(super) struct Wish {
    profile: String,
    owner: Option<String>,
    sizes: Vec<Option<u64>>,
}

impl Wish {
    pub(super) fn one(begin: &Begin) -> Self {
        Self {
            profile: begin.profile.clone(),
            owner: begin.owner.clone(),
            sizes: vec![begin.size_bytes],
        }
    }

    pub(super) fn many(many: &BeginMany) -> Self {
        let size = |file: &Named<Announced>| file.file.as_ref().ok().map(|file| file.size_bytes);
        Self {
            profile: many.profile.clone(),
            owner: many.owner.clone(),
            sizes: many.files.iter().map(size).collect(),
        }
    }

    /// Notes a wish that was refused as a whole, or those files of it that were: all that have the same outcome together, so
    /// that one request does not fill the log.
    pub(super) fn note(&self, app: &App, caller: &Caller, begun: Result<&[Named<Begun>], &Error>) {
        match begun {
            Err(error) => self.note_together(app, caller, error, &self.sizes),
            Ok(files) => {
                let mut refusals = BTreeMap::new();
                for (file, size) in files.iter().zip(&self.sizes) {
                    if let Err(error) = &file.file {
                        let code = error.kind().code();
                        let (_, sizes) = refusals.entry(code).or_insert((error, Vec::new()));
                        sizes.push(*size);
                    }
                }
                for (error, sizes) in refusals.values() {
                    self.note_together(app, caller, error, sizes);
                }
            }
        }
    }

    fn note_together(&self, app: &App, caller: &Caller, error: &Error, sizes: &[Option<u64>]) {
        let owner = match &caller.who {
            Who::User { owner, .. } => Some(owner.to_string()),
            _ => self.owner.clone(),
        };
        let known = sizes.iter().copied().flatten();
        let entry = Entry {
            owner,
            profile: Some(self.profile.clone()),
            size_bytes: known.reduce(u64::saturating_add),
            ..Entry::new(Act::Begin, Some(caller), app.clock.now())
        };
        audit::refused_files(app, error, entry, sizes.len());
    }
}
