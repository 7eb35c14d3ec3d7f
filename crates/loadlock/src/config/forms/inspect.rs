//! How the settings of inspection are written.

use super::{Form, Secrecy, Type, Wrong, measure, one_of, text};
use crate::upload::Mismatch;

pub(crate) const MISMATCH: Form<Mismatch> = text("\"refuse\" or \"correct\"", |text| {
    let all = [("refuse", Mismatch::Refuse), ("correct", Mismatch::Correct)];
    one_of(text, &all)
});

/// How many pixels; none for any number.
pub(crate) const PIXELS: Form<Option<u64>> = Form {
    takes: &[Type::Text, Type::Number],
    secrecy: Secrecy::Open,
    right: "\"100 MP\", a number of pixels, or \"any\"",
    parse: |text| match (text, measure(text)) {
        ("any", _) => Ok(None),
        (_, Some((count @ 1.., "", ""))) => Ok(Some(count)),
        (_, Some((count @ 1..=1_000_000, "MP", ""))) => Ok(Some(count * 1_000_000)),
        _ => Err(Wrong::new("is no number of pixels")),
    },
};
