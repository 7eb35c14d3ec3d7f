//! CORS: a bucket's rules, which of them fits a request, and the headers a browser then needs.

use http::header::{self, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::error::{Code, S3Error, S3Result};

/// The most rules a bucket may have.
const MAX_RULES: usize = 100;

/// One rule: which pages may send which requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CorsRule {
    #[serde(rename = "ID", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Header names with at most one `*` each; compared without case.
    #[serde(rename = "AllowedHeader", default)]
    pub allowed_headers: Vec<String>,
    /// `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.
    #[serde(rename = "AllowedMethod", default)]
    pub allowed_methods: Vec<String>,
    /// Origins with at most one `*` each, such as `http://127.0.0.1:*`.
    #[serde(rename = "AllowedOrigin", default)]
    pub allowed_origins: Vec<String>,
    /// Answer headers that a page's script may read.
    #[serde(rename = "ExposeHeader", default)]
    pub expose_headers: Vec<String>,
    /// How long a browser may keep the answer to a preflight.
    #[serde(
        rename = "MaxAgeSeconds",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub max_age_seconds: Option<u32>,
}

/// The document of `PutBucketCors` and `GetBucketCors`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CorsConfiguration {
    #[serde(rename = "CORSRule", default)]
    pub(crate) rules: Vec<CorsRule>,
}

/// The rules of one bucket, checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors(Vec<CorsRule>);

impl Cors {
    pub(crate) fn new(rules: Vec<CorsRule>) -> S3Result<Self> {
        if rules.is_empty() || rules.len() > MAX_RULES || !rules.iter().all(CorsRule::is_whole) {
            return Err(Code::MalformedXML.into());
        }
        for rule in &rules {
            rule.check()?;
        }
        Ok(Self(rules))
    }

    pub(crate) fn rules(&self) -> &[CorsRule] {
        &self.0
    }

    /// The headers for an answer to a page's request; none without an `Origin` or a rule that fits.
    pub(crate) fn answer(&self, method: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = vary();
        let Some(origin) = origin else { return headers };
        // A POST of a form and a PUT of a file need no other rule than the one the preflight was answered by.
        if let Some((rule, pattern)) = self.find(origin, method, &[]) {
            rule.allow(&mut headers, pattern, origin);
        }
        headers
    }

    /// The answer to a preflight, or `AccessForbidden`.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> S3Result<HeaderMap> {
        let missing = |what| {
            S3Error::new(
                Code::BadRequest,
                format!("Insufficient information. {what} request header needed."),
            )
        };
        let origin = text(request, &header::ORIGIN).ok_or_else(|| missing("Origin"))?;
        let method = text(request, &header::ACCESS_CONTROL_REQUEST_METHOD)
            .ok_or_else(|| missing("Access-Control-Request-Method"))?;
        let asked: Vec<&str> = request
            .get_all(header::ACCESS_CONTROL_REQUEST_HEADERS)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let (rule, pattern) = self
            .find(origin, method, &asked)
            .ok_or(Code::AccessForbidden)?;
        let mut headers = vary();
        rule.allow(&mut headers, pattern, origin);
        if !asked.is_empty() {
            insert(
                &mut headers,
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                &asked.join(", ").to_ascii_lowercase(),
            );
        }
        if let Some(seconds) = rule.max_age_seconds {
            insert(
                &mut headers,
                header::ACCESS_CONTROL_MAX_AGE,
                &seconds.to_string(),
            );
        }
        Ok(headers)
    }

    fn find(&self, origin: &str, method: &str, asked: &[&str]) -> Option<(&CorsRule, &str)> {
        self.0.iter().find_map(|rule| {
            let pattern = rule
                .allowed_origins
                .iter()
                .find(|pattern| fits(pattern, origin))?;
            let fits = rule.allowed_methods.iter().any(|allowed| allowed == method)
                && asked.iter().all(|name| rule.allows_header(name));
            fits.then_some((rule, pattern.as_str()))
        })
    }
}

impl CorsRule {
    fn is_whole(&self) -> bool {
        !self.allowed_methods.is_empty() && !self.allowed_origins.is_empty()
    }

    fn check(&self) -> S3Result<()> {
        let invalid = |message: String| Err(S3Error::new(Code::InvalidRequest, message));
        for method in &self.allowed_methods {
            if !matches!(method.as_str(), "GET" | "PUT" | "POST" | "DELETE" | "HEAD") {
                return invalid(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                ));
            }
        }
        for pattern in self.allowed_origins.iter().chain(&self.allowed_headers) {
            if pattern.matches('*').count() > 1 {
                return invalid(format!("`{pattern}` can not have more than one wildcard."));
            }
        }
        let names = self.expose_headers.iter().chain(&self.allowed_headers);
        if let Some(name) = names
            .into_iter()
            .find(|name| HeaderValue::from_str(name).is_err())
        {
            return invalid(format!("`{}` is not a header name", name.escape_debug()));
        }
        if let Some(name) = self.expose_headers.iter().find(|name| name.contains('*')) {
            return invalid(format!(
                "ExposeHeader \"{name}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            ));
        }
        Ok(())
    }

    fn allows_header(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.allowed_headers
            .iter()
            .any(|pattern| fits(&pattern.to_ascii_lowercase(), &name))
    }

    fn allow(&self, headers: &mut HeaderMap, pattern: &str, origin: &str) {
        if pattern == "*" {
            insert(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        } else {
            insert(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            insert(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        insert(
            headers,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            &self.allowed_methods.join(", "),
        );
        if !self.expose_headers.is_empty() {
            insert(
                headers,
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                &self.expose_headers.join(", "),
            );
        }
    }
}

/// Only `*` is a wildcard here; a `?` is a character like any other.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            text.len() >= before.len() + after.len()
                && text.starts_with(before)
                && text.ends_with(after)
        }
        None => pattern == text,
    }
}

/// Said even to requests without an `Origin`: a cache must not give their answers to a page.
fn vary() -> HeaderMap {
    let mut headers = HeaderMap::new();
    insert(
        &mut headers,
        header::VARY,
        "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    );
    headers
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{Cors, CorsRule};

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    fn staging() -> Cors {
        let loopback = CorsRule {
            allowed_headers: strings(&["content-type", "x-amz-*"]),
            allowed_methods: strings(&["PUT", "POST"]),
            allowed_origins: strings(&["http://127.0.0.1:*", "http://localhost:*"]),
            expose_headers: strings(&["ETag"]),
            max_age_seconds: Some(600),
            ..CorsRule::default()
        };
        let anyone = CorsRule {
            allowed_methods: strings(&["GET"]),
            allowed_origins: strings(&["*"]),
            ..CorsRule::default()
        };
        Cors::new(vec![loopback, anyone]).unwrap()
    }

    fn request(headers: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        };
        headers.iter().map(pair).collect()
    }

    fn allowed_origin(headers: &[(&str, &str)]) -> Option<String> {
        let answer = staging().preflight(&request(headers)).ok()?;
        Some(
            answer["access-control-allow-origin"]
                .to_str()
                .unwrap()
                .to_owned(),
        )
    }

    const METHOD: &str = "access-control-request-method";
    const HEADERS: &str = "access-control-request-headers";

    #[test]
    fn a_preflight_is_allowed_by_origin_method_and_every_header() {
        let loopback = ("origin", "http://127.0.0.1:5173");
        let headers = (HEADERS, "Content-Type, x-amz-checksum-sha256");
        assert_eq!(
            allowed_origin(&[loopback, (METHOD, "PUT"), headers]).as_deref(),
            Some(loopback.1)
        );
        assert_eq!(
            allowed_origin(&[loopback, (METHOD, "PUT")]).as_deref(),
            Some(loopback.1)
        );
        assert_eq!(
            allowed_origin(&[loopback, (METHOD, "GET")]).as_deref(),
            Some("*")
        );
        assert_eq!(allowed_origin(&[loopback, (METHOD, "DELETE")]), None);
        assert_eq!(
            allowed_origin(&[loopback, (METHOD, "PUT"), (HEADERS, "x-other")]),
            None
        );
        assert_eq!(
            allowed_origin(&[("origin", "http://evil.example"), (METHOD, "PUT")]),
            None
        );
        assert_eq!(
            allowed_origin(&[("origin", "http://127.0.0.1.evil.example"), (METHOD, "PUT")]),
            None
        );
        assert_eq!(allowed_origin(&[(METHOD, "PUT")]), None);
    }

    #[test]
    fn an_answer_to_a_page_exposes_what_the_rule_says_and_varies_by_origin() {
        let answer = staging().answer("PUT", Some("http://localhost:3000"));
        assert_eq!(
            answer["access-control-allow-origin"],
            "http://localhost:3000"
        );
        assert_eq!(answer["access-control-expose-headers"], "ETag");
        assert_eq!(answer["access-control-allow-credentials"], "true");
        assert!(answer.contains_key("vary"));
        let anyone = staging().answer("GET", Some("http://x.example"));
        assert_eq!(anyone["access-control-allow-origin"], "*");
        assert!(!anyone.contains_key("access-control-allow-credentials"));
        let silent = staging().answer("GET", None);
        assert_eq!((silent.len(), silent.contains_key("vary")), (1, true));
    }

    #[test]
    fn rules_that_mean_nothing_are_refused() {
        let rule = |methods: &[&str], origins: &[&str], headers: &[&str]| CorsRule {
            allowed_methods: strings(methods),
            allowed_origins: strings(origins),
            allowed_headers: strings(headers),
            ..CorsRule::default()
        };
        let table = [
            rule(&[], &["*"], &[]),
            rule(&["PUT"], &[], &[]),
            rule(&["PATCH"], &["*"], &[]),
            rule(&["PUT"], &["http://*.*"], &[]),
            rule(&["PUT"], &["*"], &["x-*-*"]),
            rule(&["PUT"], &["*"], &["x\r\ny"]),
        ];
        for rule in table {
            assert!(Cors::new(vec![rule.clone()]).is_err(), "{rule:?}");
        }
        assert!(Cors::new(Vec::new()).is_err());
    }
}
