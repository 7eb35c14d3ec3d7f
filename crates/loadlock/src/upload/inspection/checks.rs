//! What a profile asks of inspection beyond size, headers and checksum.

/// What a profile asks of inspection beyond size, headers and checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    pub mismatch: Mismatch,
    /// Limits for images, in pixels. While there is one, an image that does not tell its size is refused.
    pub max_width: Option<u32>,
    pub max_height: Option<u32>,
    pub max_pixels: Option<u64>,
}

/// A photo of 100 megapixels takes 400 MB once it is decoded.
const MAX_PIXELS: u64 = 100_000_000;

impl Default for Checks {
    fn default() -> Self {
        Self {
            mismatch: Mismatch::Refuse,
            max_width: None,
            max_height: None,
            max_pixels: Some(MAX_PIXELS),
        }
    }
}

/// What becomes of content that is not what it was announced as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    Refuse,
    /// Taken for what it is, if the profile takes that.
    Correct,
}
