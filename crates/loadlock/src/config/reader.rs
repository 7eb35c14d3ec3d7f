//! The sources of one configuration, and what is noticed while they are read.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use super::faults::{Fault, Faults, Place};

/// The environment's variables, or a test's own.
pub type Environment = BTreeMap<String, String>;

/// A setting as it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// `store`; empty for the settings above all sections.
    pub section: String,
    pub name: String,
    /// As TOML writes it; of secrets only that they are there. None for what may be left out, and is.
    pub value: Option<String>,
    /// None for a default.
    pub place: Option<Place>,
}

/// The sources of one configuration, and what has been noticed in them.
pub(super) struct Reader<'a> {
    /// The file as it was called; none where all comes from the environment.
    pub(super) file: Option<String>,
    pub(super) text: &'a str,
    pub(super) environment: &'a Environment,
    pub(super) notes: RefCell<Notes>,
}

#[derive(Default)]
pub(super) struct Notes {
    /// The variables that would have been taken.
    asked: BTreeSet<String>,
    faults: Vec<Fault>,
    effective: Vec<Effective>,
}

impl<'r> Reader<'r> {
    /// The line of a byte of the text.
    pub(super) fn place(&self, offset: Option<usize>) -> Place {
        let Some(name) = &self.file else {
            return Place::Variable("LOADLOCK_*".to_owned());
        };
        let before = offset.and_then(|offset| self.text.get(..offset));
        Place::File {
            name: name.clone(),
            line: before.map(|before| before.matches('\n').count() + 1),
        }
    }

    /// What the environment says for a variable, which is from now on known to be one of ours.
    pub(super) fn variable(&self, name: &str) -> Option<&'r str> {
        self.notes.borrow_mut().asked.insert(name.to_owned());
        self.environment.get(name).map(String::as_str)
    }

    pub(super) fn effective(&self, effective: Effective) {
        self.notes.borrow_mut().effective.push(effective);
    }

    pub(super) fn fault(&self, place: Place, says: String, right: String) {
        let fault = Fault { place, says, right };
        self.notes.borrow_mut().faults.push(fault);
    }

    /// A variable that nobody asked for, and that is near to one that somebody did, is a slip of the pen. Others are another
    /// program's.
    pub(super) fn note_strays(&self) {
        let asked = self.notes.borrow().asked.clone();
        for name in self.environment.keys() {
            let ours = name.starts_with("LOADLOCK_") && !OTHERS.contains(&name.as_str());
            if !ours || asked.contains(name) {
                continue;
            }
            if let Some(nearest) = nearest(name, asked.iter().map(String::as_str)) {
                let says = "there is no such setting".to_owned();
                self.fault(Place::Variable(name.clone()), says, nearest.to_owned());
            }
        }
    }

    pub(super) fn finish(self) -> (Vec<Effective>, Option<Faults>) {
        let Notes {
            faults, effective, ..
        } = self.notes.into_inner();
        let faults = (!faults.is_empty()).then(|| Faults::new(faults));
        (effective, faults)
    }
}

/// Variables that others read: clients, the log, and what people call the key they hand to their application.
const OTHERS: [&str; 4] = [
    "LOADLOCK_API",
    "LOADLOCK_API_KEY",
    "LOADLOCK_LOG",
    "LOADLOCK_TOKEN",
];

/// What somebody may have meant.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = known.map(|known| (strsim::osa_distance(name, known), known));
    let (distance, known) = near.min()?;
    (distance <= 2.max(name.len() / 5)).then_some(known)
}
