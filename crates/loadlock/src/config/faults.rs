//! What is wrong with a configuration: all of it, each with its place and what would be right.

use std::fmt;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    File {
        name: String,
        /// Counted from 1; none where something is missing from the file as a whole.
        line: Option<usize>,
    },
    /// A variable of the environment.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line: None } | Self::Variable(name) => f.write_str(name),
            Self::File {
                name,
                line: Some(line),
            } => write!(f, "{name}:{line}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    /// What is wrong; no secret stands in it.
    pub says: String,
    /// What would be right.
    pub right: String,
}

/// All that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// In the order in which they stand in the file, and then those of the environment.
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| a.place.cmp(&b.place));
        Self(faults)
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a fault:")?,
            count => write!(f, "the configuration has {count} faults:")?,
        }
        for Fault { place, says, right } in &self.0 {
            write!(f, "\n\n  {place}: {says}\n    → {right}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
