//! The built program, run as a person would run it.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

#[path = "cli_program/answers.rs"]
mod answers;
#[path = "cli_program/demo.rs"]
mod demo;
#[path = "cli_program/doctor.rs"]
mod doctor;
#[path = "cli_program/help.rs"]
mod help;
#[path = "cli_program/identities.rs"]
mod identities;
#[path = "cli_program/keys.rs"]
mod keys;
#[path = "cli_program/kill.rs"]
mod kill;
#[path = "cli_program/ledger.rs"]
mod ledger;
#[path = "cli_program/media.rs"]
mod media;
#[path = "cli_program/program.rs"]
mod program;
#[path = "flow/provider.rs"]
#[expect(dead_code, reason = "the flow tests need more of it")]
mod provider;
#[path = "cli_program/provision.rs"]
mod provision;
#[path = "cli_program/provisioned.rs"]
mod provisioned;
#[path = "cli_program/put.rs"]
mod put;
#[path = "cli_program/schema.rs"]
mod schema;
#[path = "cli_program/serve.rs"]
mod serve;
#[path = "cli_program/store.rs"]
mod store;
#[path = "cli_program/users.rs"]
mod users;
