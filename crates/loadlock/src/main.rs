//! The `loadlock` program.
use std::process::ExitCode;

fn main() -> ExitCode {
    loadlock::cli::main()
}
