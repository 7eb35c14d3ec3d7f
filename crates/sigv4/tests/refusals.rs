//! What a server refuses, each with its own reason and S3's code.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadlock_sigv4::{
    Bucket, Condition, Credentials, FormBuffer, Payload, Place, PostPolicy, Presented,
    PresentedForm, Presign, Refusal, Request, RequestParts, Rules, Signer, Style,
};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret")
}

fn signer() -> Signer {
    Signer::new(credentials(), "eu-central-1")
}

fn bucket() -> Bucket {
    Bucket::new("http://127.0.0.1:9000", "staging", Style::Path).unwrap()
}

/// A request as it arrives, to be spoiled.
#[derive(Clone)]
struct Arrived {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl Arrived {
    fn of(method: &str, url: &str, headers: &[(&str, &str)]) -> Self {
        let target = url.strip_prefix("http://127.0.0.1:9000").unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut all = vec![("Host".to_owned(), "127.0.0.1:9000".to_owned())];
        all.extend(
            headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: all,
        }
    }

    fn presigned() -> Self {
        let mut url = String::new();
        let bucket = bucket();
        let headers = [("content-type", "image/jpeg")];
        let request = Presign {
            headers: &headers,
            ..Presign::new("PUT", &bucket, "a b", MINUTE)
        };
        signer().presign(&mut url, now(), &request).unwrap();
        Self::of("PUT", &url, &headers)
    }

    fn authorized(payload: Payload) -> Self {
        let bucket = bucket();
        let request = Request {
            method: "PUT",
            bucket: &bucket,
            key: Some("k"),
            query: &[],
            headers: &[],
            payload,
        };
        let signed = signer().authorize(now(), &request).unwrap();
        let headers: Vec<_> = signed
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Self::of("PUT", &signed.url, &headers)
    }

    fn with(mut self, spoil: impl FnOnce(&mut Self)) -> Self {
        spoil(&mut self);
        self
    }

    /// In the query.
    fn replacing(self, old: &str, new: &str) -> Self {
        assert!(self.query.contains(old), "{old}");
        self.with(|arrived| arrived.query = arrived.query.replace(old, new))
    }

    fn header(&mut self, name: &str) -> &mut String {
        &mut self
            .headers
            .iter_mut()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .unwrap()
            .1
    }

    fn verify_with(
        &self,
        credentials: &Credentials,
        rules: &Rules<'_>,
    ) -> Result<Option<Payload>, Refusal> {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let parts = RequestParts {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
        };
        let Some(presented) = Presented::parse(&parts)? else {
            return Ok(None);
        };
        presented
            .verify(credentials, rules)
            .map(|verified| Some(verified.payload))
    }

    fn verify(&self) -> Result<Option<Payload>, Refusal> {
        self.verify_with(&credentials(), &Rules::new("eu-central-1", now()))
    }
}

#[track_caller]
fn check(arrived: &Arrived, refusal: &Refusal, code: &str) {
    assert_eq!(arrived.verify().as_ref(), Err(refusal));
    assert_eq!(refusal.code(), code);
}

#[test]
fn what_is_in_order_is_accepted_and_what_is_unsigned_is_anonymous() {
    assert_eq!(Arrived::presigned().verify(), Ok(Some(Payload::Unsigned)));
    let payload = Payload::of(b"body");
    assert_eq!(Arrived::authorized(payload).verify(), Ok(Some(payload)));
    assert_eq!(
        Arrived::of("GET", "http://127.0.0.1:9000/staging?uploads", &[]).verify(),
        Ok(None)
    );
}

#[test]
fn version_two_is_refused_in_both_forms() {
    let query = Arrived::of(
        "GET",
        "http://127.0.0.1:9000/b/k?AWSAccessKeyId=A&Expires=1&Signature=x",
        &[],
    );
    check(&query, &Refusal::SignatureV2, "InvalidRequest");
    let header = Arrived::of(
        "GET",
        "http://127.0.0.1:9000/b/k",
        &[("Authorization", "AWS A:x")],
    );
    check(&header, &Refusal::SignatureV2, "InvalidRequest");
    let other = Arrived::of(
        "GET",
        "http://127.0.0.1:9000/b/k",
        &[("Authorization", "Bearer x")],
    );
    check(&other, &Refusal::UnknownScheme, "InvalidArgument");
}

#[test]
fn a_presigned_url_lives_from_its_date_to_its_end() {
    let presigned = Arrived::presigned();
    let at = |now| presigned.verify_with(&credentials(), &Rules::new("eu-central-1", now));
    assert!(at(now() + MINUTE).is_ok());
    let late = at(now() + MINUTE + Duration::from_secs(1)).unwrap_err();
    assert_eq!(
        (late.code(), late.to_string().as_str()),
        ("AccessDenied", "Request has expired")
    );
    assert!(at(now() - 15 * MINUTE).is_ok());
    let early = at(now() - 15 * MINUTE - Duration::from_secs(1)).unwrap_err();
    assert_eq!(early, Refusal::NotYetValid { from: now() });
}

#[test]
fn a_signed_header_is_about_now() {
    let authorized = Arrived::authorized(Payload::Unsigned);
    let at = |now| authorized.verify_with(&credentials(), &Rules::new("eu-central-1", now));
    for time in [now() - 15 * MINUTE, now() + 15 * MINUTE] {
        assert!(at(time).is_ok());
    }
    for time in [now() - 16 * MINUTE, now() + 16 * MINUTE] {
        assert_eq!(at(time).unwrap_err().code(), "RequestTimeTooSkewed");
    }
}

#[test]
fn a_lifetime_is_one_second_to_seven_days() {
    for expires in ["0", "604801", "99999999999999999999999"] {
        let spoilt = Arrived::presigned().replacing("Expires=60", &format!("Expires={expires}"));
        check(
            &spoilt,
            &Refusal::Lifetime,
            "AuthorizationQueryParametersError",
        );
    }
    for expires in ["", "-1", "+60", "6e1"] {
        let spoilt = Arrived::presigned().replacing(
            "Expires=60",
            &format!("Expires={}", expires.replace('+', "%2B")),
        );
        let refusal = Refusal::Malformed {
            place: Place::Query,
            name: "X-Amz-Expires",
        };
        check(&spoilt, &refusal, "AuthorizationQueryParametersError");
    }
}

#[test]
fn another_region_service_or_date_is_refused() {
    let arrived = Arrived::presigned();
    let region = arrived
        .verify_with(&credentials(), &Rules::new("us-east-1", now()))
        .unwrap_err();
    assert!(matches!(
        region,
        Refusal::Region {
            place: Place::Query,
            ..
        }
    ));
    let rules = Rules {
        service: "sts",
        ..Rules::new("eu-central-1", now())
    };
    assert!(matches!(
        arrived.verify_with(&credentials(), &rules).unwrap_err(),
        Refusal::Service { .. }
    ));
    let day = Arrived::presigned().replacing("%2F20260921%2F", "%2F20260920%2F");
    check(
        &day,
        &Refusal::ScopeDate {
            place: Place::Query,
        },
        "AuthorizationQueryParametersError",
    );
    let header = Arrived::authorized(Payload::Unsigned);
    let region = header
        .verify_with(&credentials(), &Rules::new("us-east-1", now()))
        .unwrap_err();
    assert_eq!(region.code(), "AuthorizationHeaderMalformed");
}

#[test]
fn what_was_not_signed_may_not_be_added() {
    for name in ["x-amz-copy-source", "X-Amz-Acl", "x-amz-meta-a"] {
        let spoilt = Arrived::presigned()
            .with(|arrived| arrived.headers.push((name.to_owned(), "/b/k".to_owned())));
        check(
            &spoilt,
            &Refusal::HeaderNotSigned(name.to_lowercase()),
            "AccessDenied",
        );
    }
    let harmless = Arrived::presigned().with(|arrived| {
        arrived
            .headers
            .push(("user-agent".to_owned(), "x".to_owned()));
    });
    assert!(harmless.verify().is_ok());
    let hostless = Arrived::presigned().replacing("content-type%3Bhost", "content-type");
    check(&hostless, &Refusal::HostNotSigned, "AccessDenied");
    let absent = Arrived::presigned()
        .with(|arrived| arrived.headers.retain(|(name, _)| name != "content-type"));
    check(
        &absent,
        &Refusal::SignedHeaderAbsent("content-type".to_owned()),
        "SignatureDoesNotMatch",
    );
    let twice = Arrived::presigned().with(|arrived| {
        arrived
            .headers
            .push(("content-type".to_owned(), "x".to_owned()));
    });
    check(&twice, &Refusal::SignatureMismatch, "SignatureDoesNotMatch");
}

#[test]
fn one_request_has_one_signature() {
    let both = Arrived::presigned().with(|arrived| {
        let authorization = Arrived::authorized(Payload::Unsigned)
            .header("authorization")
            .clone();
        arrived
            .headers
            .push(("Authorization".to_owned(), authorization));
    });
    check(&both, &Refusal::TwoWays, "InvalidRequest");
    let doubled = Arrived::presigned()
        .with(|arrived| arrived.query.push_str("&X%2DAmz-Date=20260921T000000Z"));
    let refusal = Refusal::Duplicate {
        place: Place::Query,
        name: "X-Amz-Date".to_owned(),
    };
    check(&doubled, &refusal, "AuthorizationQueryParametersError");
    let two = Arrived::authorized(Payload::Unsigned).with(|arrived| {
        let date = (
            "X-Amz-Date".to_owned(),
            arrived.header("x-amz-date").clone(),
        );
        arrived.headers.push(date);
    });
    assert!(matches!(
        two.verify().unwrap_err(),
        Refusal::Duplicate {
            place: Place::Header,
            ..
        }
    ));
}

#[test]
fn malformed_parameters_are_named() {
    for (old, new, name) in [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", "X-Amz-Algorithm"),
        ("aws4_request", "aws5_request", "X-Amz-Credential"),
        ("AKIDEXAMPLE%2F", "", "X-Amz-Credential"),
        ("Date=2026", "Date=202X", "X-Amz-Date"),
        (
            "content-type%3Bhost",
            "host%3Bcontent-type",
            "X-Amz-SignedHeaders",
        ),
        (
            "content-type%3Bhost",
            "Content-Type%3Bhost",
            "X-Amz-SignedHeaders",
        ),
        ("content-type%3Bhost", "", "X-Amz-SignedHeaders"),
    ] {
        let refusal = Refusal::Malformed {
            place: Place::Query,
            name,
        };
        check(
            &Arrived::presigned().replacing(old, new),
            &refusal,
            "AuthorizationQueryParametersError",
        );
    }
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ] {
        let refusal = Refusal::Missing {
            place: Place::Query,
            name,
        };
        check(
            &Arrived::presigned().replacing(name, "Other"),
            &refusal,
            "AuthorizationQueryParametersError",
        );
    }
    let bad = Arrived::presigned().with(|arrived| arrived.path.push('%'));
    check(&bad, &Refusal::Uri, "InvalidURI");
}

#[test]
fn a_malformed_authorization_header_is_named() {
    for spoil in [
        "Credential=A",
        "Credential",
        "Signature=x,Signature=x",
        "Other=1",
        "",
    ] {
        let spoilt = Arrived::authorized(Payload::Unsigned)
            .with(|arrived| *arrived.header("authorization") = format!("AWS4-HMAC-SHA256 {spoil}"));
        assert_eq!(
            spoilt.verify().unwrap_err().code(),
            "AuthorizationHeaderMalformed",
            "{spoil}"
        );
    }
    let without = |name: &'static str| {
        Arrived::authorized(Payload::Unsigned)
            .with(|arrived| arrived.headers.retain(|(given, _)| given != name))
    };
    for name in ["x-amz-date", "x-amz-content-sha256"] {
        check(
            &without(name),
            &Refusal::Missing {
                place: Place::Header,
                name,
            },
            "AuthorizationHeaderMalformed",
        );
    }
    let payload = Arrived::authorized(Payload::Unsigned)
        .with(|arrived| *arrived.header("x-amz-content-sha256") = "E3".to_owned());
    check(&payload, &Refusal::ContentSha256, "InvalidArgument");
}

#[test]
fn a_session_token_belongs_to_its_key() {
    let temporary = credentials().with_session_token("ticket");
    let rules = Rules::new("eu-central-1", now());
    assert_eq!(
        Arrived::presigned().verify_with(&temporary, &rules),
        Err(Refusal::SessionToken)
    );
    let mut url = String::new();
    let bucket = bucket();
    let request = Presign::new("GET", &bucket, "k", MINUTE);
    Signer::new(temporary.clone(), "eu-central-1")
        .presign(&mut url, now(), &request)
        .unwrap();
    let arrived = Arrived::of("GET", &url, &[]);
    assert!(arrived.verify_with(&temporary, &rules).is_ok());
    assert_eq!(arrived.verify(), Err(Refusal::SessionToken));
    let other = Credentials::new("AKIDOTHER", "secret");
    assert_eq!(
        Arrived::presigned().verify_with(&other, &rules),
        Err(Refusal::SignatureMismatch)
    );
}

/// A form with its fields as a browser sends them, spoiled and checked an hour later.
fn checked(spoil: impl FnOnce(&mut Vec<(String, String)>), later: Duration) -> Result<(), Refusal> {
    let conditions = [
        Condition::Equals("key", "u/${filename}"),
        Condition::StartsWith("Content-Type", "image/"),
        Condition::Equals("x-amz-meta-a", "1"),
        Condition::Size { min: 1, max: 9 },
    ];
    let bucket = bucket();
    let policy = PostPolicy {
        bucket: &bucket,
        conditions: &conditions,
        expires: 7 * DAY,
    };
    let (signer, mut buffer) = (signer(), FormBuffer::default());
    let form = signer.post_form(&mut buffer, now(), &policy).unwrap();
    let mut fields: Vec<_> = form
        .fields()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    "u/photo.jpg".clone_into(&mut fields[0].1);
    fields.push((
        "content-type".to_owned(),
        "image/png, image/jpeg".to_owned(),
    ));
    spoil(&mut fields);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let rules = Rules::new("eu-central-1", now() + later);
    let policy = PresentedForm::parse(&fields)?
        .unwrap()
        .verify(&credentials(), &rules)?;
    assert_eq!(policy.size(), Some(1..=9));
    policy.check("staging", &fields)
}

fn set(fields: &mut Vec<(String, String)>, name: &str, value: &str) {
    fields.retain(|(given, _)| given != name);
    fields.push((name.to_owned(), value.to_owned()));
}

#[test]
fn a_form_holds_until_its_policy_expires_however_old_its_signature() {
    assert_eq!(checked(|_| {}, Duration::ZERO), Ok(()));
    assert_eq!(checked(|_| {}, 7 * DAY), Ok(()));
    let expired = checked(|_| {}, 7 * DAY + MINUTE).unwrap_err();
    assert_eq!(expired.code(), "AccessDenied");
}

#[test]
fn a_form_must_keep_to_its_conditions() {
    let failed =
        |name: &str, value: &str| checked(|fields| set(fields, name, value), MINUTE).unwrap_err();
    let condition = |text: &str| Refusal::PolicyCondition(text.to_owned());
    assert_eq!(
        failed("key", "v/photo.jpg"),
        condition("[\"starts-with\", \"$key\", \"u/\"]")
    );
    assert_eq!(
        failed("x-amz-meta-a", "2"),
        condition("[\"eq\", \"$x-amz-meta-a\", \"1\"]")
    );
    assert_eq!(
        failed("content-type", "image/png,text/html").code(),
        "AccessDenied"
    );
    assert_eq!(
        failed("bucket", "final"),
        condition("[\"eq\", \"$bucket\", \"staging\"]")
    );
    let missing = checked(
        |fields| fields.retain(|(name, _)| name != "x-amz-meta-a"),
        MINUTE,
    )
    .unwrap_err();
    assert_eq!(missing, condition("[\"eq\", \"$x-amz-meta-a\", \"1\"]"));
    assert_eq!(
        failed("acl", "public-read"),
        Refusal::ExtraField("acl".to_owned())
    );
    let twice = checked(
        |fields| fields.push(("KEY".to_owned(), "u/x".to_owned())),
        MINUTE,
    )
    .unwrap_err();
    assert_eq!(
        twice,
        Refusal::Duplicate {
            place: Place::Form,
            name: "KEY".to_owned()
        }
    );
    let exempt = checked(|fields| set(fields, "x-ignore-me", "1"), MINUTE);
    assert_eq!(exempt, Ok(()));
}

#[test]
fn a_form_is_signed_as_a_whole() {
    let failed =
        |name: &str, value: &str| checked(|fields| set(fields, name, value), MINUTE).unwrap_err();
    assert_eq!(failed("policy", "e30="), Refusal::SignatureMismatch);
    assert_eq!(failed("x-amz-signature", "00"), Refusal::SignatureMismatch);
    assert_eq!(failed("x-amz-algorithm", "x").code(), "InvalidArgument");
    assert_eq!(failed("AWSAccessKeyId", "x"), Refusal::SignatureV2);
    for name in [
        "policy",
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-algorithm",
    ] {
        let missing =
            checked(|fields| fields.retain(|(given, _)| given != name), MINUTE).unwrap_err();
        assert_eq!(
            missing,
            Refusal::Missing {
                place: Place::Form,
                name
            }
        );
    }
}

#[test]
fn debug_shows_neither_signatures_nor_session_tokens() {
    let bucket = bucket();
    let request = Request {
        method: "GET",
        bucket: &bucket,
        key: Some("k"),
        query: &[],
        headers: &[],
        payload: Payload::Unsigned,
    };
    let temporary = credentials().with_session_token("ticket");
    let signed = Signer::new(temporary, "eu-central-1")
        .authorize(now(), &request)
        .unwrap();
    let headers: Vec<_> = signed
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let parts = RequestParts {
        method: "GET",
        path: "/staging/k",
        query: "X-Amz-Signature=abc",
        headers: &headers,
    };
    for shown in [format!("{signed:?}"), format!("{parts:?}")] {
        assert!(!shown.contains("ticket") && !shown.contains("Signature="));
    }
}
