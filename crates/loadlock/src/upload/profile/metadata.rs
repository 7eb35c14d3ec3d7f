//! What a profile says of form data: which entries, how long, of what form.

use std::str::FromStr;

use regex::{Regex, RegexBuilder};

use super::Profile;
use crate::{
    error::{Error, Kind},
    upload::Metadata,
};

/// What an entry without a rule of its own may be.
const DEFAULT_BYTES: usize = 2048;
const MAX_ENTRIES: usize = 32;
const MAX_NAME_BYTES: usize = 64;
/// How long a pattern may be, and how large when it is compiled: it runs over what strangers send.
const MAX_PATTERN_BYTES: usize = 512;
const MAX_COMPILED_BYTES: usize = 256 << 10;

/// A rule for one entry of form data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataRule {
    pub required: bool,
    pub max_length_bytes: usize,
    /// None: any.
    pub values: Vec<String>,
    /// The whole value is of this form.
    pub pattern: Option<Pattern>,
}

/// What becomes of form data that has no rule of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherMetadata {
    Take,
    Refuse,
}

/// A regular expression that a whole value must match. It takes time in proportion to the value's length, whatever that is.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    whole: Regex,
}

/// Why text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAPattern {
    #[error("a pattern is {MAX_PATTERN_BYTES} bytes long at most")]
    Length,
    #[error("{0}")]
    Syntax(String),
}

impl Pattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(NotAPattern::Length);
        }
        let compiled = |text: &str| {
            let regex = RegexBuilder::new(text)
                .size_limit(MAX_COMPILED_BYTES)
                .build();
            // The error is a drawing of several lines; the last one says what is wrong.
            let last = |error: regex::Error| {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                NotAPattern::Syntax(last.trim_start_matches("error: ").to_owned())
            };
            regex.map_err(last)
        };
        // By itself first: `a)|(b` would otherwise get out of the group.
        compiled(text)?;
        Ok(Self {
            text: text.to_owned(),
            whole: compiled(&format!(r"\A(?:{text})\z"))?,
        })
    }
}

impl MetadataRule {
    fn check(&self, name: &str, value: &str) -> Result<(), Error> {
        // What is left empty is missing rather than wrong.
        if value.is_empty() {
            return Ok(());
        }
        if !self.values.is_empty() && !self.values.iter().any(|one| one == value) {
            let values = self.values.join(", ");
            return Err(refused(format!("`metadata.{name}` is one of {values}")));
        }
        match &self.pattern {
            Some(pattern) if !pattern.whole.is_match(value) => Err(refused(format!(
                "`metadata.{name}` is not of the form {}",
                pattern.text
            ))),
            _ => Ok(()),
        }
    }
}

impl Profile {
    /// Holds every entry of form data against its rule.
    pub fn check_metadata(&self, metadata: &Metadata) -> Result<(), Error> {
        check_entries(metadata)?;
        for (name, value) in metadata {
            let rule = self.metadata.get(name);
            if rule.is_none() && self.other_metadata == OtherMetadata::Refuse {
                return Err(refused(format!(
                    "`metadata.{name}` is none that profile `{}` takes",
                    self.name
                )));
            }
            let most = rule.map_or(DEFAULT_BYTES, |rule| rule.max_length_bytes);
            if value.len() > most {
                return Err(refused(format!(
                    "`metadata.{name}` is longer than {most} bytes"
                )));
            }
            rule.map_or(Ok(()), |rule| rule.check(name, value))?;
        }
        Ok(())
    }

    /// Checks that all required entries are there: at the last moment they can come, the begin or the claim.
    pub fn check_required(&self, metadata: &Metadata) -> Result<(), Error> {
        let missing = |(name, rule): &(&String, &MetadataRule)| {
            rule.required && metadata.get(*name).is_none_or(String::is_empty)
        };
        match self.metadata.iter().find(missing) {
            Some((name, _)) => Err(refused(format!("`metadata.{name}` is required"))),
            None => Ok(()),
        }
    }
}

/// Bounds form data, whatever its rules: how many entries, and how long their names.
pub(crate) fn check_entries(metadata: &Metadata) -> Result<(), Error> {
    if metadata.len() > MAX_ENTRIES {
        return Err(refused(format!(
            "`metadata` has more than {MAX_ENTRIES} entries"
        )));
    }
    let sound = |name: &String| (1..=MAX_NAME_BYTES).contains(&name.len());
    if metadata.keys().all(sound) {
        Ok(())
    } else {
        Err(refused(format!(
            "a name in `metadata` is 1 to {MAX_NAME_BYTES} bytes long"
        )))
    }
}

fn refused(why: String) -> Error {
    Kind::MetadataRefused.because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(values: &[&str], pattern: Option<&str>) -> MetadataRule {
        MetadataRule {
            required: false,
            max_length_bytes: 100,
            values: values.iter().map(|&value| value.to_owned()).collect(),
            pattern: pattern.map(|pattern| pattern.parse().unwrap()),
        }
    }

    #[test]
    fn a_pattern_is_of_the_whole_value() {
        fn check(pattern: &str, value: &str, expected: bool) {
            let taken = rule(&[], Some(pattern)).check("x", value).is_ok();
            assert_eq!(taken, expected, "{pattern} {value:?}");
        }
        check("[a-z]+", "abc", true);
        check("[a-z]+", "abc1", false);
        check("[a-z]+", "abc\n", false);
        check("a|ab", "ab", true);
        check("a|b", "xb", false);
        check("", "a", false);
        check("[a-z]+", "", true);
    }

    #[test]
    fn patterns_that_break_out_or_grow_are_none() {
        fn check(text: &str, sound: bool) {
            assert_eq!(text.parse::<Pattern>().is_ok(), sound, "{text}");
        }
        check(r"\d{4}-\d{2}", true);
        check("a)|(b", false);
        check("(", false);
        check("(?x)a # b", false);
        check("(((a{100}){100}){100}){100}", false);
        check(&"a".repeat(MAX_PATTERN_BYTES + 1), false);
    }

    #[test]
    fn a_value_is_one_of_those_listed() {
        let sizes = rule(&["S", "M"], None);
        assert!(sizes.check("size", "S").is_ok());
        let error = sizes.check("size", "XL").unwrap_err();
        assert_eq!(error.message(), "`metadata.size` is one of S, M");
    }
}
