//! How the settings of inspection are written.

use super::{Form, Secrecy, Type, Wrong, measures::measure, name, one_of, text};
use crate::{
    scan::Address,
    upload::{Mismatch, WhenUnscanned},
};

pub(crate) const MISMATCH: Form<Mismatch> = text("\"refuse\" or \"correct\"", |text| {
    let all = [("refuse", Mismatch::Refuse), ("correct", Mismatch::Correct)];
    one_of(text, &all)
});

pub(crate) const HOOK: Form<String> = text("\"pictures\"", name);

pub(crate) const UNSCANNED: Form<WhenUnscanned> = text("\"reject\" or \"hold\"", |text| {
    let all = [
        ("reject", WhenUnscanned::Reject),
        ("hold", WhenUnscanned::Hold),
    ];
    one_of(text, &all)
});

pub(crate) const CLAMD: Form<Address> = text(
    "\"tcp://127.0.0.1:3310\" or \"unix:///run/clamav/clamd.ctl\"",
    |text| {
        let tcp = text.strip_prefix("tcp://");
        let tcp = tcp.and_then(|address| address.rsplit_once(':'));
        match (tcp, text.strip_prefix("unix://")) {
            (Some((host, port)), _) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Address::Tcp(format!("{host}:{port}")))
            }
            (_, Some(path)) if path.starts_with('/') => Ok(Address::Unix(path.into())),
            _ => Err(Wrong::new("is no such address")),
        }
    },
);

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
