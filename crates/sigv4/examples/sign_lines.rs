//! Signs and verifies what it reads, one JSON object a line, and answers in kind: the other half of `e2e/sigv4`.

#![expect(clippy::print_stdout, reason = "it answers on standard output")]

use std::error::Error;
use std::io::BufRead as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadlock_sigv4::{
    Bucket, Condition, Credentials, FormBuffer, Payload, PostPolicy, Presented, PresentedForm,
    Presign, Refusal, Request, RequestParts, Rules, Signer, Style,
};
use serde_json::{Value, json};

type Outcome = Result<Value, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let case = Case(&case);
        let answer = match case.text("do")? {
            "presign" => case.presign()?,
            "authorize" => case.authorize()?,
            "form" => case.form()?,
            "verify" => case.verify()?,
            "verify_form" => case.verify_form()?,
            other => return Err(format!("cannot do `{other}`").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

struct Case<'a>(&'a Value);

impl<'a> Case<'a> {
    fn text(&self, name: &str) -> Result<&'a str, String> {
        self.0[name].as_str().ok_or(format!("`{name}` is missing"))
    }

    fn pairs(&self, name: &str) -> Vec<(&'a str, &'a str)> {
        let pairs = self.0[name].as_array().into_iter().flatten();
        pairs
            .filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?)))
            .collect()
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.0[name].as_u64().unwrap_or_default())
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.seconds("now")
    }

    fn credentials(&self) -> Result<Credentials, String> {
        let credentials = Credentials::new(self.text("access_key")?, self.text("secret")?);
        Ok(match self.0["token"].as_str() {
            Some(token) => credentials.with_session_token(token),
            None => credentials,
        })
    }

    fn signer(&self) -> Result<Signer, String> {
        Ok(Signer::new(self.credentials()?, self.text("region")?))
    }

    fn bucket(&self) -> Result<Bucket, Box<dyn Error>> {
        let style = if self.text("style")? == "path" {
            Style::Path
        } else {
            Style::VirtualHost
        };
        Ok(Bucket::new(
            self.text("endpoint")?,
            self.text("bucket")?,
            style,
        )?)
    }

    fn presign(&self) -> Outcome {
        let mut url = String::new();
        let request = Presign {
            method: self.text("method")?,
            bucket: &self.bucket()?,
            key: self.0["key"].as_str(),
            query: &self.pairs("query"),
            headers: &self.pairs("headers"),
            expires: self.seconds("expires"),
        };
        self.signer()?.presign(&mut url, self.now(), &request)?;
        Ok(json!({ "url": url }))
    }

    fn authorize(&self) -> Outcome {
        let request = Request {
            method: self.text("method")?,
            bucket: &self.bucket()?,
            key: self.0["key"].as_str(),
            query: &self.pairs("query"),
            headers: &self.pairs("headers"),
            payload: Payload::parse(self.text("payload")?).ok_or("no payload")?,
        };
        let authorized = self.signer()?.authorize(self.now(), &request)?;
        Ok(json!({ "url": authorized.url, "headers": authorized.headers }))
    }

    fn form(&self) -> Outcome {
        let conditions = self.0["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|condition| {
                match (
                    condition[0].as_str(),
                    condition[1].as_str(),
                    condition[2].as_str(),
                ) {
                    (Some("eq"), Some(field), Some(value)) => Condition::Equals(field, value),
                    (Some("starts-with"), Some(field), Some(start)) => {
                        Condition::StartsWith(field, start)
                    }
                    _ => Condition::Size {
                        min: condition[1].as_u64().unwrap_or_default(),
                        max: condition[2].as_u64().unwrap_or_default(),
                    },
                }
            });
        let conditions: Vec<_> = conditions.collect();
        let bucket = self.bucket()?;
        let policy = PostPolicy {
            bucket: &bucket,
            conditions: &conditions,
            expires: self.seconds("expires"),
        };
        let (signer, mut buffer) = (self.signer()?, FormBuffer::default());
        let form = signer.post_form(&mut buffer, self.now(), &policy)?;
        Ok(json!({ "url": bucket.url(), "fields": form.fields().collect::<Vec<_>>() }))
    }

    fn verify(&self) -> Outcome {
        let headers = self.pairs("headers");
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let parts = RequestParts {
            method: self.text("method")?,
            path: self.text("path")?,
            query: self.text("query")?,
            headers: &headers,
        };
        let credentials = self.credentials()?;
        let rules = Rules::new(self.text("region")?, self.now());
        let verified = match Presented::parse(&parts) {
            Ok(None) => return Ok(json!({ "anonymous": true })),
            Ok(Some(presented)) => presented.verify(&credentials, &rules),
            Err(refusal) => Err(refusal),
        };
        Ok(answer(verified.map(
            |verified| json!({ "payload": verified.payload.to_string() }),
        )))
    }

    fn verify_form(&self) -> Outcome {
        let fields = self.pairs("fields");
        let credentials = self.credentials()?;
        let rules = Rules::new(self.text("region")?, self.now());
        let bucket = self.text("bucket")?;
        let checked = match PresentedForm::parse(&fields) {
            Ok(None) => return Ok(json!({ "anonymous": true })),
            Ok(Some(form)) => form
                .verify(&credentials, &rules)
                .and_then(|policy| policy.check(bucket, &fields)),
            Err(refusal) => Err(refusal),
        };
        Ok(answer(checked.map(|()| json!({ "checked": true }))))
    }
}

fn answer(outcome: Result<Value, Refusal>) -> Value {
    outcome.unwrap_or_else(
        |refusal| json!({ "refused": refusal.code(), "because": refusal.to_string() }),
    )
}
