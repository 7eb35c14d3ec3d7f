//! An upload for which a quota leaves no room, and what its caller is told.

use std::fmt;

use serde_json::json;

use super::{Measure, Reach};
use crate::{
    error::{Error, Kind},
    upload::profile::in_words,
};

/// An upload that no longer fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    pub reach: Reach,
    pub measure: Measure,
    pub profile: String,
    pub limit: u64,
    /// None where it is not for whoever asked to know.
    pub used: Option<u64>,
    pub asked: u64,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        let size = in_words(limit);
        let sum = |used: u64| in_words(used.saturating_add(self.asked));
        let sum = self
            .used
            .map(|used| format!(", and {} would be", sum(used)));
        let sum = sum.unwrap_or_default();
        let here = match self.reach {
            Reach::Owner => "here",
            Reach::Total => "in all",
            Reach::All => return self.full(f),
        };
        match self.measure {
            Measure::StoredBytes => {
                write!(f, "you may store at most {size} {here}{sum}")
            }
            Measure::StoredFiles => write!(f, "you may store at most {limit} files {here}"),
            Measure::OpenBytes => write!(
                f,
                "you may have at most {size} under way {here}{sum}: finish what has begun, or abort it"
            ),
            Measure::OpenFiles => write!(
                f,
                "you may have at most {limit} uploads under way {here}: finish one, or abort it"
            ),
            Measure::UploadsPerDay => write!(
                f,
                "you may begin at most {limit} uploads a day {here}: the next day begins at 00:00 UTC"
            ),
        }
    }
}

impl Exceeded {
    /// What others have stored is nobody's business.
    fn full(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = &self.profile;
        match self.measure {
            Measure::StoredBytes | Measure::StoredFiles => {
                write!(f, "there is no room left in `{profile}`")
            }
            Measure::OpenBytes | Measure::OpenFiles => write!(
                f,
                "as many uploads of `{profile}` as there may be are under way: try again later"
            ),
            Measure::UploadsPerDay => write!(
                f,
                "no more uploads of `{profile}` begin today: the next day begins at 00:00 UTC"
            ),
        }
    }
}

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        let Exceeded {
            reach,
            measure,
            limit,
            used,
            asked,
            ..
        } = &exceeded;
        let quota = format!("{}.{}", reach.as_str(), measure.as_str());
        let mut details = json!({ "quota": quota, "asked": asked });
        if *reach != Reach::All {
            details["limit"] = (*limit).into();
        }
        if let Some(used) = used {
            details["used"] = (*used).into();
        }
        let error = Kind::QuotaExceeded.because(exceeded.to_string());
        error.with_details(details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_sentences() {
        let says = |reach, measure| {
            let exceeded = Exceeded {
                reach,
                measure,
                profile: "image".to_owned(),
                limit: 1 << 30,
                used: Some(1 << 30),
                asked: 1,
            };
            exceeded.to_string()
        };
        assert_eq!(
            says(Reach::Owner, Measure::StoredBytes),
            "you may store at most 1 GiB here, and 1.1 GiB would be"
        );
        assert_eq!(
            says(Reach::All, Measure::StoredBytes),
            "there is no room left in `image`"
        );
    }
}
