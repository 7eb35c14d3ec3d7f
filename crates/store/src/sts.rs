//! A Security Token Service, as AWS has one: `AssumeRole` and `GetCallerIdentity`, version 2011-06-15.
//!
//! Temporary keys are kept nowhere: their session token says what they are, under the store's own seal.

mod roles;

use std::time::{Duration, UNIX_EPOCH};

use http::{StatusCode, header};
use loadlock_sigv4::{Rules, Secret};

pub use self::roles::Role;
pub(crate) use self::roles::Roles;
use self::roles::{Session, seconds};
use crate::access::{Caller, People};
use crate::attributes::OWNER;
use crate::auth;
use crate::body::Source;
use crate::error::{Code, S3Error, S3Result};
use crate::policy::Policy;
use crate::reply::{self, Reply, iso_date};
use crate::request::{Query, Request};
use crate::xml::Xml;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";
/// More than any request needs: a policy may be encoded threefold.
const MAX_BODY: usize = 16 * 1024;
/// STS's limits (API reference, `AssumeRole`).
const MAX_POLICY: usize = 2048;
const SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;
const USUAL_SECONDS: u64 = 3600;
/// What a request may say. A restriction that is not understood must not be passed over.
const PARAMETERS: [&str; 6] = [
    "Action",
    "DurationSeconds",
    "Policy",
    "RoleArn",
    "RoleSessionName",
    "Version",
];

/// One request to the service.
pub(crate) struct Call<'a> {
    pub(crate) people: &'a People,
    pub(crate) rules: &'a Rules<'a>,
    /// No other request of this store has it.
    pub(crate) serial: u64,
}

impl Call<'_> {
    pub(crate) async fn answer(&self, request: &Request, source: &mut Source) -> Reply {
        let id = format!("{:016X}", self.serial);
        match self.carry_out(request, source, &id).await {
            Ok(document) => reply::xml(StatusCode::OK, document),
            Err(error) => {
                tracing::debug!(request = id, code = error.code.name(), "refused");
                refusal(error, &id)
            }
        }
    }

    async fn carry_out(
        &self,
        request: &Request,
        source: &mut Source,
        id: &str,
    ) -> S3Result<String> {
        let body = whole(request, source).await?;
        let (caller, _) = auth::authenticate(self.people, self.rules, request, Some(&body))?;
        let parameters = parameters(&body)?;
        if parameters.value("Version") != Some(VERSION) {
            return Err(Code::InvalidAction.into());
        }
        match parameters.value("Action") {
            Some("AssumeRole") => {
                let session = self.session(&caller, &parameters)?;
                Ok(assumed(&self.people.roles, &session, id))
            }
            Some("GetCallerIdentity") => Ok(identity(&caller, id)),
            _ => Err(Code::InvalidAction.into()),
        }
    }

    /// What the caller asks for, if it may have it.
    fn session(&self, caller: &Caller<'_>, parameters: &Query) -> S3Result<Session> {
        let need = |name: &'static str| {
            parameters
                .value(name)
                .ok_or_else(|| invalid(format!("{name} is missing")))
        };
        let (arn, name) = (need("RoleArn")?, need("RoleSessionName")?);
        // A session that could begin sessions would have no end. Who may not assume a role does not learn whether there is one.
        if caller.is_temporary() {
            return Err(Code::AccessDenied.into());
        }
        caller.require("sts:AssumeRole", arn)?;
        let role = self.people.roles.by_arn(arn).ok_or(Code::AccessDenied)?;
        if !is_session_name(name) {
            return Err(invalid(
                "RoleSessionName has 2 to 64 letters, digits and _+=,.@-".to_owned(),
            ));
        }
        let lifetime = match parameters.value("DurationSeconds") {
            None => USUAL_SECONDS,
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| SECONDS.contains(seconds))
                .ok_or_else(|| invalid("DurationSeconds lies between 900 and 43200".to_owned()))?,
        };
        let policy = parameters.value("Policy").map(str::to_owned);
        if let Some(policy) = &policy {
            check_policy(policy)?;
        }
        Ok(Session {
            role: role.name.clone(),
            name: name.to_owned(),
            serial: self.serial,
            expires: seconds(self.rules.now) + lifetime,
            policy,
        })
    }
}

/// Reads the small body of a request.
async fn whole(request: &Request, source: &mut Source) -> S3Result<Vec<u8>> {
    let form = request
        .header(&header::CONTENT_TYPE)
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
    if !form {
        return Err(Code::MethodNotAllowed.into());
    }
    let mut body = Vec::new();
    while let Some(data) = source.next().await? {
        if body.len() + data.len() > MAX_BODY {
            return Err(Code::MaxMessageLengthExceeded.into());
        }
        body.extend_from_slice(&data);
    }
    Ok(body)
}

/// The form's parameters, each known and given once.
fn parameters(body: &[u8]) -> S3Result<Query> {
    let body = std::str::from_utf8(body).map_err(|_| invalid("it is not a form".to_owned()))?;
    let parameters = Query::parse(body)?;
    let mut seen = Vec::new();
    for (name, _) in parameters.iter() {
        if !PARAMETERS.contains(&name) {
            return Err(invalid(format!("the parameter {name} is not supported")));
        }
        if seen.contains(&name) {
            return Err(invalid(format!("{name} is given twice")));
        }
        seen.push(name);
    }
    Ok(parameters)
}

fn check_policy(policy: &str) -> S3Result<()> {
    let length = policy.chars().count();
    if length > MAX_POLICY {
        return Err(invalid(format!(
            "Policy has {length} characters; at most {MAX_POLICY} are allowed"
        )));
    }
    let read = Policy::from_json(policy);
    read.map_err(|error| S3Error::new(Code::MalformedPolicyDocument, error.to_string()))?;
    Ok(())
}

fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

fn invalid(message: String) -> S3Error {
    S3Error::new(Code::ValidationError, message)
}

fn document(action: &str, id: &str, result: impl FnOnce(&mut Xml)) -> String {
    Xml::document_in(NAMESPACE, &format!("{action}Response"), |xml| {
        xml.element(&format!("{action}Result"), result);
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", id));
    })
}

fn arn(name: &str) -> String {
    let service = if name.starts_with("user/") {
        "iam"
    } else {
        "sts"
    };
    format!("arn:aws:{service}::{OWNER}:{name}")
}

fn assumed(roles: &Roles, session: &Session, id: &str) -> String {
    let credentials = roles.credentials(session);
    let expiration = UNIX_EPOCH + Duration::from_secs(session.expires);
    let token = credentials.session_token().map(Secret::expose);
    document("AssumeRole", id, |xml| {
        xml.element("Credentials", |xml| {
            xml.text("AccessKeyId", credentials.access_key());
            xml.text("SecretAccessKey", credentials.secret().expose());
            xml.optional("SessionToken", token);
            xml.text("Expiration", &iso_date(expiration));
        });
        xml.element("AssumedRoleUser", |xml| {
            xml.text("Arn", &arn(&session.principal()));
            xml.text(
                "AssumedRoleId",
                &format!("{}:{}", session.role, session.name),
            );
        });
    })
}

fn identity(caller: &Caller<'_>, id: &str) -> String {
    document("GetCallerIdentity", id, |xml| {
        xml.text("Arn", &arn(caller.name()));
        xml.text("UserId", caller.name());
        xml.text("Account", OWNER);
    })
}

/// An error as STS words it: not as S3 does.
fn refusal(mut error: S3Error, id: &str) -> Reply {
    if error.code == Code::InvalidAccessKeyId {
        error = Code::InvalidClientTokenId.into();
    }
    let status = error.code.status();
    let kind = if status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let document = Xml::document_in(NAMESPACE, "ErrorResponse", |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", kind);
            xml.text("Code", error.code.name());
            xml.text("Message", &error.message);
        });
        xml.text("RequestId", id);
    });
    reply::xml(status, document)
}
