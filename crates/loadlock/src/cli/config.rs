//! `loadlock config`: the settings as they hold.
use std::{io::IsTerminal as _, process::ExitCode};

use super::{say, settings::ConfigFile};
use crate::config::file::Effective;

/// Show the settings that hold, and where each comes from; secrets stay hidden.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = args.config.load()?;
    say(&text(&settings.effective))?;
    Ok(ExitCode::SUCCESS)
}

/// As the file has them, each with its place behind it.
fn text(settings: &[Effective]) -> String {
    let line = |setting: &Effective| format!("{} = {}", setting.name, setting.value);
    let widths = settings.iter().map(|setting| line(setting).chars().count());
    let width = widths.filter(|width| *width <= 56).max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut section = "";
    for setting in settings {
        let again = setting.section.starts_with('[') && setting.name == "name";
        if setting.section != section || again {
            lines.push(format!("\n[{}]", setting.section));
            section = &setting.section;
        }
        let place = setting.place.as_ref();
        let place = place.map_or_else(|| "default".to_owned(), ToString::to_string);
        lines.push(format!(
            "{:width$}  {}",
            line(setting),
            faint(&format!("# {place}"))
        ));
    }
    lines.join("\n")
}

/// Less than the rest where a person reads.
fn faint(text: &str) -> String {
    if std::io::stdout().is_terminal() {
        format!("\x1b[2m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
