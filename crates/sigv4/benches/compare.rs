//! Hands over to the bench crate, which alone builds the other signers.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let status = Command::new(env!("CARGO"))
        .args(["bench", "-p", "loadlock-bench-signer"])
        .status();
    if status.is_ok_and(|status| status.success()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
