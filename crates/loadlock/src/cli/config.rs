//! `loadlock config`: the settings as they hold.
use std::{io::IsTerminal as _, process::ExitCode};

use super::{say, settings::ConfigFile};
use crate::config::file::Effective;

/// A line longer than this has its place out of line.
const WIDE: usize = 56;

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
    let line =
        |setting: &Effective| Some(format!("{} = {}", setting.name, setting.value.as_ref()?));
    let widths = settings
        .iter()
        .filter_map(line)
        .map(|line| line.chars().count());
    let width = widths.filter(|width| *width <= WIDE).max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut section = "";
    for setting in settings {
        // Each entry of a list of sections begins with its name.
        let named = ["name", "issuer"].contains(&setting.name.as_str());
        let again = setting.section.starts_with('[') && named;
        let Some(line) = line(setting) else {
            lines.extend(chain(setting, settings));
            continue;
        };
        if setting.section != section || again {
            lines.push(format!("\n[{}]", setting.section));
            section = &setting.section;
        }
        let place = setting.place.as_ref();
        let place = place.map_or_else(|| "default".to_owned(), ToString::to_string);
        lines.push(format!("{line:width$}  {}", faint(&format!("# {place}"))));
    }
    lines.join("\n")
}

/// Of an identity that is told no keys: where it gets them.
fn chain(setting: &Effective, settings: &[Effective]) -> Option<String> {
    let told = |other: &Effective| other.section == setting.section && other.value.is_some();
    let silent = setting.name == "aws_profile" && !settings.iter().any(told);
    silent.then(|| {
        faint(&format!(
            "\n# [{}]: AWS's default credential chain",
            setting.section
        ))
    })
}

/// Less than the rest where a person reads.
fn faint(text: &str) -> String {
    if std::io::stdout().is_terminal() {
        format!("\x1b[2m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
