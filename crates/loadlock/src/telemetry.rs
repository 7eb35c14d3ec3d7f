//! Log lines on standard error; `LOADLOCK_LOG` says which (`info`, `loadlock=debug,warn` …).
use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// AWS's SDK prints its requests below this, and with them staged keys, which are secrets.
const SDK: &str = "aws_=warn";

/// Starts logging for the process. A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .with_env_var("LOADLOCK_LOG")
        .from_env_lossy();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(reticent(filter))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}

/// The same, but for what the SDK says: that must be asked for by its name (`debug,aws_smithy_runtime=debug`).
fn reticent(filter: EnvFilter) -> EnvFilter {
    let talkative = filter.max_level_hint() > Some(LevelFilter::WARN);
    match SDK.parse() {
        Ok(sdk) if talkative => filter.add_directive(sdk),
        _ => filter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_silent_unless_it_is_named() {
        fn check(asked: &str, expected: &str) {
            let filter = reticent(EnvFilter::new(asked));
            assert_eq!(filter.to_string(), expected, "{asked}");
        }
        check("warn", "warn");
        check("error", "error");
        check("trace", "aws_=warn,trace");
        check("loadlock=debug,warn", "loadlock=debug,aws_=warn,warn");
        check("debug,aws_sdk_s3=trace", "aws_sdk_s3=trace,aws_=warn,debug");
    }
}
