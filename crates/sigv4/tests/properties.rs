//! What was signed is verified, and nothing else: on random requests, each spoiled in one byte.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadlock_sigv4::{
    Bucket, Condition, Credentials, FormBuffer, Payload, PostPolicy, Presented, PresentedForm,
    Presign, Refusal, Request, RequestParts, Rules, Signer, Style,
};
use proptest::prelude::*;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret").with_session_token("ticket")
}

fn bucket() -> Bucket {
    Bucket::new("https://s3.example", "staging", Style::Path).unwrap()
}

/// A request in flight: method, URL behind the host, and the headers but `host`.
#[derive(Clone, Debug)]
struct Flying {
    method: Vec<u8>,
    target: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Flying {
    fn verify(&self) -> Result<Option<Payload>, Refusal> {
        let Ok(target) = std::str::from_utf8(&self.target) else {
            return Ok(None);
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = vec![("host", b"s3.example".as_slice())];
        headers.extend(
            self.headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_slice())),
        );
        let method = std::str::from_utf8(&self.method).unwrap();
        let parts = RequestParts {
            method,
            path,
            query,
            headers: &headers,
        };
        let Some(presented) = Presented::parse(&parts)? else {
            return Ok(None);
        };
        presented
            .verify(&credentials(), &Rules::new("eu-central-1", now()))
            .map(|verified| Some(verified.payload))
    }

    /// One byte, a letter or digit, becomes another: no escape, blank or letter case can make them equal.
    fn spoil(&mut self, choice: usize, step: u8) {
        let mut bytes: Vec<&mut u8> = self
            .method
            .iter_mut()
            .chain(&mut self.target[1..])
            .collect();
        bytes.extend(
            self.headers
                .iter_mut()
                .flat_map(|(_, value)| value.iter_mut()),
        );
        bytes.retain(|byte| byte.is_ascii_alphanumeric());
        let at = choice % bytes.len();
        let old = *bytes[at];
        let others: Vec<u8> = (b'0'..=b'9')
            .chain(b'g'..=b'z')
            .filter(|new| *new != old.to_ascii_lowercase())
            .collect();
        *bytes[at] = others[usize::from(step) % others.len()];
    }
}

fn pairs(most: usize) -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[a-wyz][a-zA-Z ü+]{0,5}", ".{0,8}"), 0..most)
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(
        (
            "(x-amz-meta-|X-)?[b-gi-zA-GI-Z][a-z+!-]{0,3}",
            "[ -~é]{0,12}",
        ),
        0..5,
    )
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn presigned_urls_hold_and_break(
        key in "\\PC{1,20}", query in pairs(5), headers in headers(), seconds in 1u64..=604_800,
        choice: usize, step: u8,
    ) {
        let (bucket, mut url) = (bucket(), String::from("before "));
        let expires = Duration::from_secs(seconds);
        let query = borrowed(&query);
        let given = borrowed(&headers);
        let request = Presign { query: &query, headers: &given, ..Presign::new("PUT", &bucket, &key, expires) };
        Signer::new(credentials(), "eu-central-1").presign(&mut url, now(), &request).unwrap();
        let target = url.strip_prefix("before https://s3.example").unwrap();
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.as_bytes().to_vec())).collect();
        let mut flying = Flying { method: b"PUT".to_vec(), target: target.as_bytes().to_vec(), headers };
        let payload = flying.verify().unwrap();
        prop_assert_eq!(payload, Some(Payload::Unsigned));
        flying.spoil(choice, step);
        prop_assert!(flying.verify().is_err(), "{:?}", flying);
    }

    #[test]
    fn signed_headers_hold_and_break(
        key in "\\PC{1,20}", query in pairs(5), headers in headers(), body: Vec<u8>, choice: usize, step: u8,
    ) {
        let bucket = bucket();
        let (query, given, payload) = (borrowed(&query), borrowed(&headers), Payload::of(&body));
        let request = Request { method: "PUT", bucket: &bucket, key: Some(&key), query: &query, headers: &given, payload };
        let signed = Signer::new(credentials(), "eu-central-1").authorize(now(), &request).unwrap();
        let target = signed.url.strip_prefix("https://s3.example").unwrap().as_bytes().to_vec();
        let mut headers: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), value.as_bytes().to_vec())).collect();
        headers.extend(signed.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())));
        let mut flying = Flying { method: b"PUT".to_vec(), target, headers };
        prop_assert_eq!(flying.verify().unwrap(), Some(payload));
        flying.spoil(choice, step);
        prop_assert!(flying.verify().is_err(), "{:?}", flying);
    }

    #[test]
    fn forms_hold_and_break(values in prop::collection::vec("\\PC{0,12}", 1..5), choice: usize, flip in 1u8..128) {
        let names: Vec<String> = (0..values.len()).map(|number| format!("x-amz-meta-{number}")).collect();
        prop_assume!(!values.iter().any(|value| value.contains("${filename}")));
        let conditions: Vec<_> = names.iter().zip(&values).map(|(name, value)| Condition::Equals(name, value)).collect();
        let (bucket, mut buffer) = (bucket(), FormBuffer::default());
        let policy = PostPolicy { bucket: &bucket, conditions: &conditions, expires: Duration::from_mins(1) };
        let signer = Signer::new(credentials(), "eu-central-1");
        let form = signer.post_form(&mut buffer, now(), &policy).unwrap();
        let mut fields: Vec<(&str, &str)> = form.fields().collect();
        let verify = |fields: &[(&str, &str)]| {
            let form = PresentedForm::parse(fields)?.unwrap();
            form.verify(&credentials(), &Rules::new("eu-central-1", now()))?.check("staging", fields)
        };
        prop_assert_eq!(verify(&fields), Ok(()));
        let field = choice % fields.len();
        let mut spoilt = fields[field].1.as_bytes().to_vec();
        prop_assume!(!spoilt.is_empty());
        let at = choice / fields.len() % spoilt.len();
        spoilt[at] ^= flip;
        prop_assume!(std::str::from_utf8(&spoilt).is_ok());
        fields[field].1 = std::str::from_utf8(&spoilt).unwrap();
        prop_assert!(verify(&fields).is_err());
    }

    #[test]
    fn nothing_that_arrives_makes_the_verifier_panic(
        path in "\\PC{0,20}", query in "(X-Amz-[A-Za-z0-9]{4,13}=[ -~]{0,20}&){0,8}\\PC{0,10}", authorization in ".{0,60}",
    ) {
        let authorization = format!("AWS4-HMAC-SHA256 {authorization}");
        for headers in [vec![], vec![("authorization", authorization.as_bytes())]] {
            let parts = RequestParts { method: "GET", path: &path, query: &query, headers: &headers };
            let verified = Presented::parse(&parts).and_then(|presented| {
                presented.map(|presented| presented.verify(&credentials(), &Rules::new("eu-central-1", now()))).transpose()
            });
            prop_assert!(!matches!(verified, Ok(Some(_))));
        }
    }
}
