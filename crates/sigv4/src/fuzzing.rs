//! What holds for whatever is presented: tried by `script/fuzz` on inputs of its own making, and by the tests on those it starts from.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::verify::policy::Policy;
use crate::{Credentials, Presented, RequestParts, Rules};

/// Of AWS's published examples, which are among the inputs: signed on 24 May 2013, at midnight.
const NOW: Duration = Duration::from_hours(380_376);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A request: its method, path, query, and headers, each on a line of its own.
///
/// # Panics
/// If a signature holds that leaves out what it must cover.
pub fn verifier(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut text = || str::from_utf8(lines.next()?).ok();
    let (Some(method), Some(path), Some(query)) = (text(), text(), text()) else {
        return;
    };
    let headers: Vec<(&str, &[u8])> = lines.filter_map(header).collect();
    let parts = RequestParts {
        method,
        path,
        query,
        headers: &headers,
    };
    let Ok(Some(presented)) = Presented::parse(&parts) else {
        return;
    };
    let mut credentials = Credentials::new(presented.access_key(), SECRET);
    if let Some(token) = presented.session_token() {
        credentials = credentials.with_session_token(token.expose());
    }
    let rules = Rules::new("us-east-1", SystemTime::UNIX_EPOCH + NOW);
    let Ok(verified) = presented.verify(&credentials, &rules) else {
        return;
    };
    let is_signed = |name: &str| {
        verified
            .signed_headers()
            .any(|signed| signed == name.to_ascii_lowercase())
    };
    assert!(is_signed("host"));
    for (name, _) in &headers {
        let ours = name.to_ascii_lowercase().starts_with("x-amz-");
        assert!(!ours || is_signed(name), "`{name}` is not signed");
    }
}

fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    let at = line.iter().position(|byte| *byte == b':')?;
    Some((str::from_utf8(&line[..at]).ok()?, &line[at + 1..]))
}

/// A POST policy, and after a NUL a form's fields, `name=value`, each on a line of its own.
///
/// # Panics
/// If a form passes with a field that its policy does not know.
pub fn post_policy(data: &[u8]) {
    const UNKNOWN: &str = "x-amz-unforeseen";
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let (document, form) = (
        halves.next().unwrap_or_default(),
        halves.next().unwrap_or_default(),
    );
    if let Ok(text) = str::from_utf8(document) {
        // What a client sends need not even be base64.
        drop(Policy::parse(text));
    }
    let Ok(policy) = Policy::parse(&STANDARD.encode(document)) else {
        return;
    };
    let form = String::from_utf8_lossy(form);
    let mut fields: Vec<(&str, &str)> = form.lines().filter_map(|l| l.split_once('=')).collect();
    let passes = policy.check("examplebucket", &fields).is_ok();
    let (_, _) = (policy.size(), policy.expires_at());
    let named = String::from_utf8_lossy(document).to_ascii_lowercase();
    if passes && !named.contains("unforeseen") && !named.contains('\\') {
        fields.push((UNKNOWN, ""));
        assert!(policy.check("examplebucket", &fields).is_err());
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn what_the_fuzzer_starts_from_and_found_holds() {
        for (name, target) in [
            ("verifier", super::verifier as fn(&[u8])),
            ("post_policy", super::post_policy),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/inputs");
            let inputs: Vec<_> = fs::read_dir(folder.join(name)).unwrap().collect();
            assert!(!inputs.is_empty(), "{name}");
            for input in inputs {
                target(&fs::read(input.unwrap().path()).unwrap());
            }
        }
    }
}
