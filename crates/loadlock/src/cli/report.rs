//! Lists of what was found, for people: grouped, aligned, coloured on a terminal.
use std::{
    error::Error,
    fmt::Write as _,
    io::{self, IsTerminal as _},
};

use super::bold;

/// How a line is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    Bad,
    /// Neither: told for completeness.
    Aside,
}

/// One line: what it is about, and what there is to say.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) mark: Mark,
    pub(super) name: &'a str,
    pub(super) says: &'a str,
}

/// The rows under a title, the sentences one below the other.
pub(super) fn group(title: &str, rows: &[Row<'_>], width: usize) -> String {
    let mut text = format!("{}\n", bold(title));
    for Row { mark, name, says } in rows {
        let mark = mark.sign();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {mark} {name:width$}  {says}");
    }
    text
}

/// How wide the names' column is.
pub(super) fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(str::len).max().unwrap_or_default()
}

/// What an error comes down to.
pub(super) fn cause(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}

impl Mark {
    fn sign(self) -> String {
        let (sign, colour) = match self {
            Self::Good => ("✓", 32),
            Self::Bad => ("✗", 31),
            Self::Aside => ("–", 33),
        };
        if io::stdout().is_terminal() {
            format!("\x1b[{colour}m{sign}\x1b[0m")
        } else {
            sign.to_owned()
        }
    }
}
