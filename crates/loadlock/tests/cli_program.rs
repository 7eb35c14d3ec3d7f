//! The built program, run as a person would run it.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

#[path = "cli_program/help.rs"]
mod help;
#[path = "cli_program/media.rs"]
mod media;
#[path = "cli_program/program.rs"]
mod program;
#[path = "cli_program/put.rs"]
mod put;
