//! What a profile asks of inspection beyond size, headers and checksum.

use std::time::Duration;

/// What a profile asks of inspection beyond size, headers and checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    pub mismatch: Mismatch,
    /// Limits for images, in pixels. While there is one, an image that does not tell its size is refused.
    pub max_width: Option<u32>,
    pub max_height: Option<u32>,
    pub max_pixels: Option<u64>,
    /// Whether a malware scanner looks at all of it.
    pub clamav: bool,
    /// The names of hooks that are asked.
    pub hooks: Vec<String>,
    pub unscanned: WhenUnscanned,
    /// How long an upload waits for a scanner that does not answer, before it is rejected …
    pub patience: Duration,
    /// … or held, and rejected after this.
    pub hold_for: Duration,
    /// How long rejected content is kept; else it is deleted at once.
    pub quarantine: Option<Duration>,
}

/// A photo of 100 megapixels takes 400 MB once it is decoded.
const MAX_PIXELS: u64 = 100_000_000;

impl Checks {
    /// Whether somebody is asked about the content.
    pub fn is_scanned(&self) -> bool {
        self.clamav || !self.hooks.is_empty()
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            mismatch: Mismatch::Refuse,
            max_width: None,
            max_height: None,
            max_pixels: Some(MAX_PIXELS),
            clamav: false,
            hooks: Vec::new(),
            unscanned: WhenUnscanned::Reject,
            patience: Duration::from_mins(15),
            hold_for: Duration::from_hours(6 * 24),
            quarantine: None,
        }
    }
}

/// What becomes of an upload that no scanner could look at. It is never let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenUnscanned {
    Reject,
    Hold,
}

/// What becomes of content that is not what it was announced as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    Refuse,
    /// Taken for what it is, if the profile takes that.
    Correct,
}
