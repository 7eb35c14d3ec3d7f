//! Roles: who may assume one, what a session may do, and how it ends.

use std::time::Duration;

use loadlock_sigv4::{
    Bucket, Condition, FormBuffer, Payload, PostPolicy, Presign, Request, Signer, Style,
};
use loadlock_store::Credentials;

use crate::world::{Answer, REGION, World, credentials_of};

const ARN: &str = "arn:aws:iam::000000000000:role/uploads";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

fn encode(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| {
            if plain(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

impl World {
    /// Sends a form to the service, signed by whom and for which service one likes.
    async fn sts_as(
        &self,
        credentials: Credentials,
        service: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        let body: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let body = body.join("&");
        // A host of its own, so that the path is `/`.
        let port = self.address.rsplit(':').next().unwrap();
        let endpoint = format!("http://local:{port}");
        let bucket = Bucket::new(&endpoint, "sts", Style::VirtualHost).unwrap();
        let signer = Signer::with_service(credentials, REGION, service);
        let request = Request {
            method: "POST",
            bucket: &bucket,
            key: None,
            query: &[],
            headers: &[("content-type", FORM)],
            payload: Payload::of(body.as_bytes()),
        };
        let authorized = signer.authorize(self.now(), &request).unwrap();
        let mut headers: Vec<(String, String)> = authorized
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        headers.push(("content-type".to_owned(), FORM.to_owned()));
        headers.push(("host".to_owned(), bucket.host().to_owned()));
        self.send("POST", "/", &headers, body.as_bytes()).await
    }

    async fn sts(&self, parameters: &[(&str, &str)]) -> Answer {
        self.sts_as(credentials_of("admin"), "sts", parameters)
            .await
    }

    async fn assume(&self, more: &[(&str, &str)]) -> Answer {
        self.sts(&[&ASSUME[..], more].concat()).await
    }

    async fn put_as(&self, credentials: Credentials, bucket: &str, key: &str) -> Answer {
        self.ask_as(credentials, "PUT", bucket, key).await
    }

    async fn ask_as(
        &self,
        credentials: Credentials,
        method: &str,
        bucket: &str,
        key: &str,
    ) -> Answer {
        let bucket = Bucket::new(&format!("http://{}", self.address), bucket, Style::Path).unwrap();
        let request = Request {
            method,
            bucket: &bucket,
            key: Some(key),
            query: &[],
            headers: &[],
            payload: Payload::of(b""),
        };
        let signed = Signer::new(credentials, REGION)
            .authorize(self.now(), &request)
            .unwrap();
        let headers: Vec<(String, String)> = signed
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let path = format!("/{}/{key}", bucket.name());
        self.send(method, &path, &headers, b"").await
    }
}

const ASSUME: [(&str, &str); 4] = [
    ("Action", "AssumeRole"),
    ("Version", "2011-06-15"),
    ("RoleArn", ARN),
    ("RoleSessionName", "ann@example"),
];

fn element(text: &str, name: &str) -> String {
    let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
    rest.split('<').next().unwrap().to_owned()
}

fn keys(answer: &Answer) -> Credentials {
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    Credentials::new(
        element(&text, "AccessKeyId"),
        element(&text, "SecretAccessKey"),
    )
    .with_session_token(element(&text, "SessionToken"))
}

fn said(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_session_puts_where_its_role_may_and_nowhere_else() {
    let world = World::new().await;
    world.store.ensure_bucket("final").await.unwrap();
    let session = keys(&world.assume(&[]).await);
    let table = [
        ("PUT", "staging", "cred/a", 200),
        ("PUT", "staging", "cred/closed/a", 403),
        ("PUT", "staging", "in/a", 403),
        ("PUT", "staging", "credit", 403),
        ("PUT", "final", "cred/a", 403),
        ("GET", "staging", "cred/a", 403),
        ("DELETE", "staging", "cred/a", 403),
    ];
    for (method, bucket, key, status) in table {
        let answer = world.ask_as(session.clone(), method, bucket, key).await;
        assert_eq!(answer.status, status, "{method} {bucket}/{key}");
    }
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let world = World::new().await;
    let answer = world.assume(&[("DurationSeconds", "900")]).await;
    assert_eq!(
        element(&answer.text(), "Expiration"),
        "2026-07-01T12:15:00.000Z"
    );
    let session = keys(&answer);
    world.clock.advance(Duration::from_secs(899));
    let last = world.put_as(session.clone(), "staging", "cred/a").await;
    assert_eq!(last.status, 200);
    world.clock.advance(Duration::from_secs(1));
    let late = world.put_as(session, "staging", "cred/a").await;
    assert_eq!(said(&late), refused(400, "ExpiredToken"));
}

#[tokio::test]
async fn what_a_session_has_signed_ends_with_it() {
    let world = World::new().await;
    let session = keys(&world.assume(&[("DurationSeconds", "900")]).await);
    let signer = Signer::new(session, REGION);
    let mut url = String::new();
    let wish = Presign::new("PUT", &world.bucket, "cred/a", Duration::from_hours(10));
    signer.presign(&mut url, world.now(), &wish).unwrap();
    let path = url
        .strip_prefix(&format!("http://{}", world.address))
        .unwrap();
    let mut buffer = FormBuffer::default();
    let conditions = [Condition::Equals("key", "cred/b")];
    let policy = PostPolicy {
        bucket: &world.bucket,
        conditions: &conditions,
        expires: Duration::from_hours(10),
    };
    let form = signer.post_form(&mut buffer, world.now(), &policy).unwrap();
    let fields = form.fields().map(|(name, value)| {
        format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    let mut body: String = fields.collect();
    body += "--B\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nhello\r\n--B--\r\n";
    let kind = [(
        "content-type".to_owned(),
        "multipart/form-data; boundary=B".to_owned(),
    )];

    let post = async || world.send("POST", "/staging", &kind, body.as_bytes()).await;
    assert_eq!(world.send("PUT", path, &[], b"x").await.status, 200);
    assert_eq!(post().await.status, 204);
    world.clock.advance(Duration::from_mins(15));
    let late = refused(400, "ExpiredToken");
    assert_eq!(said(&world.send("PUT", path, &[], b"x").await), late);
    assert_eq!(said(&post().await), late);
}

#[tokio::test]
async fn a_session_policy_narrows_and_never_widens() {
    let world = World::new().await;
    let narrow = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::staging/cred/ann/*"},
        {"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::staging/cred/ann/no"}]}"#;
    let wide =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let table = [
        (narrow, "PUT", "cred/ann/a", 200),
        (narrow, "PUT", "cred/ann/no", 403),
        (narrow, "PUT", "cred/bob/a", 403),
        (narrow, "GET", "cred/ann/a", 403),
        (wide, "PUT", "cred/a", 200),
        (wide, "PUT", "cred/closed/a", 403),
        (wide, "PUT", "in/a", 403),
        (wide, "GET", "cred/a", 403),
        (wide, "DELETE", "cred/a", 403),
    ];
    for (policy, method, key, status) in table {
        let session = keys(&world.assume(&[("Policy", policy)]).await);
        let answer = world.ask_as(session, method, "staging", key).await;
        assert_eq!(answer.status, status, "{method} {key} by {policy}");
    }
}

#[tokio::test]
async fn a_token_is_good_as_it_was_given_and_with_its_own_key_only() {
    let world = World::new().await;
    let (one, other) = (
        keys(&world.assume(&[]).await),
        keys(&world.assume(&[]).await),
    );
    let pair = |keys: &Credentials| Credentials::new(keys.access_key(), keys.secret().expose());
    let token = |keys: &Credentials| keys.session_token().unwrap().expose().to_owned();
    let admin = credentials_of("admin");
    let mut bent = token(&one).into_bytes();
    bent[20] ^= 1;
    let bent = String::from_utf8(bent).unwrap();
    let shorter = token(&one)[..40].to_owned();
    let table = [
        (pair(&one), 403, "InvalidAccessKeyId"),
        (pair(&one).with_session_token(bent), 400, "InvalidToken"),
        (pair(&one).with_session_token(shorter), 400, "InvalidToken"),
        (
            pair(&one).with_session_token("A".repeat(40_000)),
            400,
            "InvalidToken",
        ),
        (
            pair(&one).with_session_token(token(&other)),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            Credentials::new(one.access_key(), "guessed").with_session_token(token(&one)),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            pair(&admin).with_session_token(token(&one)),
            400,
            "InvalidToken",
        ),
    ];
    for (credentials, status, code) in table {
        let answer = world.put_as(credentials, "staging", "cred/a").await;
        assert_eq!(said(&answer), refused(status, code));
    }
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_a_policy_lets_and_by_no_session() {
    let world = World::new().await;
    let nobody = world.sts_as(credentials_of("nobody"), "sts", &ASSUME).await;
    assert_eq!(said(&nobody), refused(403, "AccessDenied"));
    let session = keys(&world.assume(&[]).await);
    let chained = world.sts_as(session.clone(), "sts", &ASSUME).await;
    assert_eq!(said(&chained), refused(403, "AccessDenied"));
    let other = world.sts_as(credentials_of("admin"), "s3", &ASSUME).await;
    assert_eq!(said(&other), refused(400, "AuthorizationHeaderMalformed"));
    let stranger = world.sts_as(credentials_of("who"), "sts", &ASSUME).await;
    assert_eq!(said(&stranger), refused(403, "InvalidClientTokenId"));

    let who = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let me = world.sts_as(session, "sts", &who).await;
    assert_eq!(
        element(&me.text(), "Arn"),
        "arn:aws:sts::000000000000:assumed-role/uploads/ann@example"
    );
}

#[tokio::test]
async fn a_request_that_is_not_understood_begins_no_session() {
    let world = World::new().await;
    let long = format!(
        r#"{{"Version":"2012-10-17","Statement":[],"Id":"{}"}}"#,
        "x".repeat(2048)
    );
    let with = |name: &'static str, value: &str| -> Vec<(&'static str, String)> {
        let mut parameters: Vec<_> = ASSUME
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .filter(|(known, _)| *known != name)
            .collect();
        parameters.push((name, value.to_owned()));
        parameters
    };
    let table = [
        (with("Action", "GetSessionToken"), 400, "InvalidAction"),
        (with("Version", "2011-06-16"), 400, "InvalidAction"),
        (with("DurationSeconds", "899"), 400, "ValidationError"),
        (with("DurationSeconds", "43201"), 400, "ValidationError"),
        (with("DurationSeconds", "-1"), 400, "ValidationError"),
        (with("RoleSessionName", "a"), 400, "ValidationError"),
        (with("RoleSessionName", "a/b"), 400, "ValidationError"),
        (with("Policy", "{}"), 400, "MalformedPolicyDocument"),
        (with("Policy", &long), 400, "ValidationError"),
        (with("PolicyArns.member.1.arn", ARN), 400, "ValidationError"),
        (with("ExternalId", "x"), 400, "ValidationError"),
        (
            with("RoleArn", "arn:aws:iam::000000000000:role/other"),
            403,
            "AccessDenied",
        ),
        (
            with("RoleArn", "arn:aws:iam::000000000001:role/uploads"),
            403,
            "AccessDenied",
        ),
        (with("RoleArn", "uploads"), 403, "AccessDenied"),
    ];
    for (parameters, status, code) in table {
        let parameters: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = world.sts(&parameters).await;
        assert_eq!(said(&answer), refused(status, code), "{parameters:?}");
    }
    let twice = world.assume(&[("RoleArn", ARN)]).await;
    assert_eq!(said(&twice), refused(400, "ValidationError"));
    let huge = world.assume(&[("Policy", &"x".repeat(20_000))]).await;
    assert_eq!(said(&huge), refused(400, "MaxMessageLengthExceeded"));
}
