//! What is written down of begins that are refused: what was wished for, and why it is not to be.

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

    /// Notes a wish that was refused as a whole, or nothing.
    pub(super) fn note(&self, app: &App, caller: &Caller, begun: Result<&[Named<Begun>], &Error>) {
        match begun {
            Err(error) => audit::refused(app, error, self.entry(app, caller, 0)),
            Ok(files) => {
                for (n, file) in files.iter().enumerate() {
                    if let Err(error) = &file.file {
                        audit::refused(app, error, self.entry(app, caller, n));
                    }
                }
            }
        }
    }

    fn entry(&self, app: &App, caller: &Caller, file: usize) -> Entry {
        let owner = match &caller.who {
            Who::User { owner, .. } => Some(owner.to_string()),
            _ => self.owner.clone(),
        };
        Entry {
            owner,
            profile: Some(self.profile.clone()),
            size_bytes: self.sizes.get(file).copied().flatten(),
            ..Entry::new(Act::Begin, Some(caller), app.clock.now())
        }
    }
}
