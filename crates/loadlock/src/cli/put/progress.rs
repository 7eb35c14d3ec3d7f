//! A progress bar on standard error; nothing where that is no terminal.
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::source::Source;

const TEMPLATE: &str =
    "{prefix}  {bar:28.cyan/dim}  {bytes}/{total_bytes}  {bytes_per_sec}  {msg}{eta}";

/// One file's progress.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(source: &Source) -> Self {
        let bar = ProgressBar::with_draw_target(Some(source.size), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("━━─"));
        }
        Self(bar.with_prefix(source.filename.clone()))
    }

    /// Counts what one attempt sends.
    pub(super) fn attempt(&self) -> Attempt {
        Attempt {
            bar: self.0.clone(),
            counted: Arc::new(AtomicU64::new(0)),
        }
    }

    /// All bytes are with the store.
    pub(super) fn sent(&self) {
        self.0.set_position(self.0.length().unwrap_or_default());
        self.0.set_message("inspecting ");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// One attempt at sending some bytes; if it fails, they are taken back.
#[derive(Clone)]
pub(super) struct Attempt {
    bar: ProgressBar,
    counted: Arc<AtomicU64>,
}

impl Attempt {
    pub(super) fn add(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.counted.fetch_add(bytes, Ordering::Relaxed);
        self.bar.inc(bytes);
    }

    pub(super) fn take_back(&self) {
        self.bar.dec(self.counted.swap(0, Ordering::Relaxed));
    }
}
