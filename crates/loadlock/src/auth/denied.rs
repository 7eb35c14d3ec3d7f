//! Why somebody is not let in, and what becomes of that: guesses are counted, and refusals of API keys and disabled users written down.

use std::net::IpAddr;

use super::{Caller, Who};
use crate::{
    app::App,
    error::{Error, Kind},
    limits::Standing,
    records::{Act, Entry},
};

/// Why a token lets nobody in.
#[derive(Debug)]
pub(super) enum Denied {
    /// It is nobody's: a guess.
    Unknown,
    /// It was somebody's, and is over. Whoever has it guesses nothing: a phone, perhaps, that was asleep.
    Ended(&'static str),
    /// An API key that has ended or is revoked.
    Key(Caller, &'static str),
    /// A local user who is disabled.
    Disabled(Caller),
    /// It cannot be told, or not now.
    Failed(Error),
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Denied {
    /// What a caller at this address is told, who may be barred from guessing.
    pub(super) fn told(
        self,
        app: &App,
        address: Option<IpAddr>,
        barred: Option<Standing>,
    ) -> Error {
        match self {
            Self::Unknown => {
                if let Some(barred) = barred {
                    return barred.refusal();
                }
                if let Some(address) = address {
                    app.limits.failed(address);
                }
                Kind::Unauthenticated.into()
            }
            Self::Ended(why) => Kind::Unauthenticated.because(why),
            Self::Key(caller, why) => {
                let error = Kind::Unauthenticated.because(why);
                note(app, &caller.at(address), &error, why);
                error
            }
            Self::Disabled(caller) => {
                let error = Kind::Unauthenticated.into();
                note_disabled(app, &caller.at(address), &error);
                error
            }
            Self::Failed(error) => error,
        }
    }
}

/// Writes down that a local user is disabled who proved to be the one; they are not told.
pub(crate) fn note_disabled(app: &App, caller: &Caller, error: &Error) {
    note(app, caller, error, "this user is disabled");
}

/// Writes down that somebody known was refused, and why; not each time, where somebody goes on trying.
fn note(app: &App, caller: &Caller, error: &Error, why: &str) {
    let owner = match &caller.who {
        Who::User { owner, .. } => Some(owner.to_string()),
        _ => None,
    };
    let entry = Entry::new(Act::Authenticate, Some(caller), app.clock.now());
    if app.limits.is_worth_noting(entry.actor.as_str()) {
        app.records.note(Entry {
            owner,
            detail: Some(why.to_owned()),
            ..entry.refused(error)
        });
    }
}
