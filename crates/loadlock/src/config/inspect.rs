//! The sections `[profiles.NAME.inspect]`.

use super::{
    forms::{
        COUNT,
        inspect::{MISMATCH, PIXELS},
    },
    section::Section,
};
use crate::upload::Checks;

pub(super) fn checks(section: Section<'_>) -> Option<Checks> {
    let mismatch = section.or("mismatch", "refuse", &MISMATCH);
    let max_width = section.optional("max_width", &COUNT);
    let max_height = section.optional("max_height", &COUNT);
    let max_pixels = section.or("max_pixels", "100 MP", &PIXELS);
    section.close();
    Some(Checks {
        mismatch: mismatch?,
        max_width: max_width?,
        max_height: max_height?,
        max_pixels: max_pixels?,
    })
}
