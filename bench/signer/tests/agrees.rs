//! The signer signs what the crate `aws-sigv4` signs, on thousands of random requests.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sigv4::http_request as sdk;
use loadlock_sigv4::{Bucket, Credentials, Payload, Presign, Request, Signer, Style};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

type Pairs = Vec<(String, String)>;

/// Everything that is signed, except how.
#[derive(Clone, Debug)]
struct Case {
    seconds: u64,
    secret: String,
    token: Option<String>,
    port: Option<u16>,
    method: &'static str,
    key: String,
    query: Pairs,
    headers: Pairs,
}

impl Case {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.seconds)
    }

    fn signer(&self) -> Signer {
        let credentials = Credentials::new("AKIDEXAMPLE", self.secret.clone());
        Signer::new(
            match &self.token {
                Some(token) => credentials.with_session_token(token.clone()),
                None => credentials,
            },
            "eu-central-1",
        )
    }

    fn endpoint(&self) -> String {
        self.port.map_or("http://store.example".to_owned(), |port| {
            format!("http://store.example:{port}")
        })
    }

    fn bucket(&self) -> Bucket {
        Bucket::new(&self.endpoint(), "staging", Style::Path).unwrap()
    }

    /// As another hand writes it.
    fn url(&self) -> String {
        let mut url = format!(
            "{}/staging/{}",
            self.endpoint(),
            utf8_percent_encode(&self.key, PATH)
        );
        for (index, (name, value)) in self.query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.extend(utf8_percent_encode(name, QUERY));
            url.push('=');
            url.extend(utf8_percent_encode(value, QUERY));
        }
        url
    }

    fn with_sdk(&self, settings: sdk::SigningSettings, body: sdk::SignableBody<'_>) -> String {
        let token = self.token.clone();
        let identity = aws_credential_types::Credentials::new(
            "AKIDEXAMPLE",
            &self.secret,
            token,
            None,
            "test",
        )
        .into();
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name("s3")
            .time(self.now())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let (url, headers) = (self.url(), borrowed(&self.headers));
        let request =
            sdk::SignableRequest::new(self.method, url.as_str(), headers.into_iter(), body)
                .unwrap();
        sdk::sign(request, &params).unwrap().signature().to_owned()
    }
}

fn settings() -> sdk::SigningSettings {
    let mut settings = sdk::SigningSettings::default();
    settings.percent_encoding_mode = sdk::PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = sdk::UriPathNormalizationMode::Disabled;
    settings
}

fn borrowed(pairs: &Pairs) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn case() -> impl Strategy<Value = Case> {
    let key = "(a b|[.]|[.][.]||x[+]y|\\PC{1,6})(/(a b|[.]|[.][.]||\\PC{0,6})){0,3}";
    let key = key.prop_filter("a key is not empty", |key: &String| !key.is_empty());
    let query = prop::collection::vec(("[a-zA-WYZ][a-zA-Z+ ü]{0,6}", "\\PC{0,8}"), 0..4);
    let name =
        "content-type|content-length|if-none-match|x-amz-(meta-[a-z]{1,4}|acl|tagging)|range";
    let headers = prop::collection::btree_map(name, "[!-~]([ -~]{0,20}[!-~])?", 0..5);
    let method = prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD"]);
    let port = prop::option::of(prop::sample::select(vec![9000u16, 8080, 443]));
    let signer = (
        0u64..4_000_000_000,
        "[ -~]{1,80}",
        prop::option::of("[!-~]{1,60}"),
    );
    (signer, port, method, key, query, headers).prop_map(
        |(signer, port, method, key, query, headers)| Case {
            seconds: signer.0,
            secret: signer.1,
            token: signer.2,
            port,
            method,
            key,
            query,
            headers: headers.into_iter().collect(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn presigned_urls(case in case(), seconds in 1u64..=604_800) {
        let expires = Duration::from_secs(seconds);
        let (mut url, bucket) = (String::new(), case.bucket());
        let (query, headers) = (borrowed(&case.query), borrowed(&case.headers));
        let request =
            Presign { query: &query, headers: &headers, ..Presign::new(case.method, &bucket, &case.key, expires) };
        case.signer().presign(&mut url, case.now(), &request).unwrap();
        let mut settings = settings();
        settings.signature_location = sdk::SignatureLocation::QueryParams;
        settings.expires_in = Some(expires);
        let theirs = case.with_sdk(settings, sdk::SignableBody::UnsignedPayload);
        let ours = url.rsplit_once("&X-Amz-Signature=").unwrap().1;
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn signed_headers(case in case(), body: Vec<u8>) {
        let (query, headers, bucket) = (borrowed(&case.query), borrowed(&case.headers), case.bucket());
        let request = Request {
            method: case.method,
            bucket: &bucket,
            key: Some(&case.key),
            query: &query,
            headers: &headers,
            payload: Payload::of(&body),
        };
        let signed = case.signer().authorize(case.now(), &request).unwrap();
        let mut settings = settings();
        settings.payload_checksum_kind = sdk::PayloadChecksumKind::XAmzSha256;
        let theirs = case.with_sdk(settings, sdk::SignableBody::Bytes(&body));
        let ours = signed.headers[0].1.rsplit_once("Signature=").unwrap().1.to_owned();
        prop_assert_eq!(ours, theirs);
    }
}
