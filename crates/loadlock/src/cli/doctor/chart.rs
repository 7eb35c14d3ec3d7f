//! What was found: check by check, in groups.
use std::fmt::Write as _;

use serde::Serialize;

use super::wire::Unreachable;

/// What a check came to, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Holds,
    /// The store, or how it is set up, lets through what must not be, or refuses what must be.
    Breached,
    /// The store has no such thing, and Loadlock does without it.
    Lacking,
    /// No answer that says anything.
    Unreachable,
    /// Not tried: what it needs is not there.
    Skipped,
}

/// An outcome, with a sentence, and what to do about it.
#[derive(Debug)]
pub(super) struct Finding {
    outcome: Outcome,
    says: String,
    advice: Option<&'static str>,
}

/// What a check comes to.
pub(super) type Found = Result<Finding, Unreachable>;

pub(super) fn holds(says: impl Into<String>) -> Finding {
    found(Outcome::Holds, says, None)
}

pub(super) fn breached(says: impl Into<String>, advice: &'static str) -> Finding {
    found(Outcome::Breached, says, Some(advice))
}

pub(super) fn lacking(says: impl Into<String>) -> Finding {
    found(Outcome::Lacking, says, None)
}

pub(super) fn skipped(says: impl Into<String>) -> Finding {
    found(Outcome::Skipped, says, None)
}

fn found(outcome: Outcome, says: impl Into<String>, advice: Option<&'static str>) -> Finding {
    Finding {
        outcome,
        says: says.into(),
        advice,
    }
}

/// One check, made.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    pub(super) says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) checks: Vec<Check>,
}

#[derive(Debug, Default)]
pub(super) struct Chart {
    pub(super) groups: Vec<Group>,
}

impl Chart {
    /// Begins a group; what is checked from now on is part of it.
    pub(super) fn group(&mut self, title: &'static str) {
        self.groups.push(Group {
            title,
            checks: Vec::new(),
        });
    }

    /// Makes a check; tells whether it holds.
    pub(super) async fn check(
        &mut self,
        name: &'static str,
        finding: impl Future<Output = Found>,
    ) -> bool {
        let finding = finding
            .await
            .unwrap_or_else(|Unreachable(why)| found(Outcome::Unreachable, why, None));
        let holds = finding.outcome == Outcome::Holds;
        self.note(name, finding);
        holds
    }

    /// Makes a check that says something only where these hold.
    pub(super) async fn check_after(
        &mut self,
        needed: &[&str],
        name: &'static str,
        finding: impl Future<Output = Found>,
    ) -> bool {
        if let Some(missing) = needed.iter().find(|needed| !self.holds(needed)) {
            self.skip(&[name], missing);
            return false;
        }
        self.check(name, finding).await
    }

    /// Leaves checks out that say nothing without another.
    pub(super) fn skip(&mut self, names: &[&'static str], needed: &str) {
        for name in names {
            self.note(
                name,
                skipped(format!("says nothing while `{needed}` does not hold")),
            );
        }
    }

    fn note(&mut self, name: &'static str, finding: Finding) {
        let Finding {
            outcome,
            says,
            advice,
        } = finding;
        if let Some(group) = self.groups.last_mut() {
            group.checks.push(Check {
                name,
                outcome,
                says,
                advice,
            });
        }
    }

    pub(super) fn checks(&self) -> impl Iterator<Item = &Check> {
        self.groups.iter().flat_map(|group| &group.checks)
    }

    /// Whether nothing is breached, and the store answered throughout.
    pub(super) fn is_well(&self) -> bool {
        self.count(Outcome::Breached) + self.count(Outcome::Unreachable) == 0
    }

    /// Whether the check of this name holds.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.checks()
            .any(|check| check.name == name && check.outcome == Outcome::Holds)
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.checks()
            .filter(|check| check.outcome == outcome)
            .count()
    }

    /// How many of which, and what to do.
    pub(super) fn summary(&self) -> String {
        let counts = [
            (Outcome::Holds, "hold"),
            (Outcome::Breached, "breached"),
            (Outcome::Unreachable, "unreachable"),
            (Outcome::Lacking, "lacking"),
            (Outcome::Skipped, "skipped"),
        ];
        let counts: Vec<_> = counts
            .iter()
            .map(|(outcome, word)| (self.count(*outcome), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let mut text = format!("{} checks: {}.", self.checks().count(), counts.join(", "));
        for check in self.checks() {
            if let Some(advice) = check.advice {
                // Writing into a string cannot fail.
                let _ = write!(text, "\n  {}: {advice}", check.name);
            }
        }
        text
    }
}
