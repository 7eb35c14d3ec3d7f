//! Vending: temporary credentials from a security token service, for one prefix of the staging bucket.

use std::{fmt, time::Duration};

use aws_sdk_s3::{
    config::{BehaviorVersion, Region},
    error::ProvideErrorMetadata,
};
use jiff::Timestamp;
use serde_json::json;

use super::{Credentials, StoreSettings, Time, UploaderIdentity, within};
use crate::{
    auth::Secret,
    clock::{Clock, from_millis},
    error::{Error, Kind},
    upload::session::{self, Prefix},
};

/// How temporary credentials are got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vending {
    pub way: Way,
    /// Of the token service, or of the identity pools; none: AWS's own in the store's region.
    pub endpoint: Option<String>,
    /// How long they live at most.
    pub lifetime: Duration,
    /// How many of them one owner may have at a time.
    pub per_owner: u32,
}

/// Who is asked for them, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// `AssumeRole`, by the uploader identity.
    Sts { role_arn: String },
    /// `AssumeRoleWithWebIdentity`, with the caller's own token.
    WebIdentity { role_arn: String },
    /// An identity pool of Amazon Cognito, with the caller's own token. `login` is its issuer, as the pool knows it.
    Cognito { pool: String, login: String },
}

/// The shortest and the longest life that services give (STS API reference, `AssumeRole`).
pub const SHORTEST: Duration = Duration::from_mins(15);
pub const LONGEST: Duration = Duration::from_hours(12);
/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the holder of a session may do with what lies below its prefix, and what a store may otherwise let them do.
const MAY: [&str; 2] = ["s3:AbortMultipartUpload", "s3:PutObject"];
const NEVER: [&str; 9] = [
    "s3:Get*",
    "s3:List*",
    "s3:Delete*",
    "s3:PutBucket*",
    "s3:PutObjectAcl",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionAcl",
];
/// Headers that may not come with an object. With those of the role's own policy they are more; a session's must be short.
const NOT_ADDED: [&str; 7] = [
    "x-amz-acl",
    "x-amz-copy-source",
    "x-amz-object-lock-mode",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
];

/// A client of the service.
#[derive(Clone)]
pub struct Vendor {
    desk: Desk,
    staging: String,
    longest: Duration,
    per_owner: u32,
}

#[derive(Clone)]
enum Desk {
    Sts(aws_sdk_sts::Client, String),
    WebIdentity(aws_sdk_sts::Client, String),
    Cognito {
        client: aws_sdk_cognitoidentity::Client,
        pool: String,
        login: String,
    },
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// What the service's own log is to call it.
    pub name: &'a str,
    /// Where it may write, unless the service says where.
    pub prefix: &'a Prefix,
    pub lifetime: Duration,
    /// The caller's own token, from an issuer that the service trusts as well.
    pub token: Option<&'a Secret>,
}

/// Keys, where they may write, and when they end.
#[derive(Debug, Clone)]
pub struct Vended {
    pub credentials: Credentials,
    pub prefix: Prefix,
    pub expires_at: Timestamp,
}

impl Vendor {
    /// A client to be; the service is asked nothing yet.
    pub async fn open(vending: &Vending, store: &StoreSettings, clock: Clock) -> Self {
        let desk = match &vending.way {
            Way::Sts { role_arn } => {
                let client = sts(vending, store, clock).await;
                Desk::Sts(client, role_arn.clone())
            }
            Way::WebIdentity { role_arn } => {
                let client = sts(vending, store, clock).await;
                Desk::WebIdentity(client, role_arn.clone())
            }
            Way::Cognito { pool, login } => Desk::Cognito {
                client: cognito(vending, store, clock),
                pool: pool.clone(),
                login: login.clone(),
            },
        };
        Self {
            desk,
            staging: store.staging_bucket.clone(),
            longest: vending.lifetime,
            per_owner: vending.per_owner,
        }
    }

    /// How many keys one owner may have at a time.
    pub fn per_owner(&self) -> u32 {
        self.per_owner
    }

    /// Asks for keys that may write below one prefix and do nothing else.
    pub async fn vend(&self, wish: &Wish<'_>) -> Result<Vended, Error> {
        let seconds = wish.lifetime.min(self.longest).max(SHORTEST).as_secs();
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        match &self.desk {
            Desk::Sts(client, role) => self.assume(client, role, wish, seconds).await,
            Desk::WebIdentity(client, role) => {
                self.assume_as_bearer(client, role, wish, seconds).await
            }
            Desk::Cognito {
                client,
                pool,
                login,
            } => identify(client, pool, login, token(wish)?).await,
        }
    }

    async fn assume(
        &self,
        client: &aws_sdk_sts::Client,
        role: &str,
        wish: &Wish<'_>,
        seconds: i32,
    ) -> Result<Vended, Error> {
        let answer = client
            .assume_role()
            .role_arn(role)
            .role_session_name(wish.name)
            .duration_seconds(seconds)
            .policy(session_policy(&self.staging, wish.prefix))
            .send()
            .await
            .map_err(|failure| Kind::Unavailable.caused_by(failure))?;
        vended(answer.credentials(), wish.prefix)
    }

    async fn assume_as_bearer(
        &self,
        client: &aws_sdk_sts::Client,
        role: &str,
        wish: &Wish<'_>,
        seconds: i32,
    ) -> Result<Vended, Error> {
        let answer = client
            .assume_role_with_web_identity()
            .role_arn(role)
            .role_session_name(wish.name)
            .duration_seconds(seconds)
            .web_identity_token(token(wish)?.expose())
            .policy(session_policy(&self.staging, wish.prefix))
            .send()
            .await
            .map_err(refused)?;
        vended(answer.credentials(), wish.prefix)
    }
}

fn token<'a>(wish: &Wish<'a>) -> Result<&'a Secret, Error> {
    let needed = "temporary credentials are for a user's own token from an identity provider";
    wish.token.ok_or_else(|| Kind::Forbidden.because(needed))
}

fn vended(
    given: Option<&aws_sdk_sts::types::Credentials>,
    prefix: &Prefix,
) -> Result<Vended, Error> {
    let given = given.ok_or_else(none)?;
    let keys = Credentials::new(given.access_key_id(), given.secret_access_key());
    Ok(Vended {
        credentials: keys.with_session_token(given.session_token()),
        prefix: prefix.clone(),
        expires_at: from_millis(given.expiration().secs().saturating_mul(1000)),
    })
}

/// An identity's role says where it may write: below its own id. No session policy can be given here.
async fn identify(
    client: &aws_sdk_cognitoidentity::Client,
    pool: &str,
    login: &str,
    token: &Secret,
) -> Result<Vended, Error> {
    let identity = client
        .get_id()
        .identity_pool_id(pool)
        .logins(login, token.expose())
        .send()
        .await
        .map_err(refused)?;
    let id = identity.identity_id().filter(|id| is_identity(id));
    let id = id.ok_or_else(none)?;
    let answer = client
        .get_credentials_for_identity()
        .identity_id(id)
        .logins(login, token.expose())
        .send()
        .await
        .map_err(refused)?;
    let given = answer.credentials().ok_or_else(none)?;
    let (Some(key), Some(secret), Some(token), Some(end)) = (
        given.access_key_id(),
        given.secret_key(),
        given.session_token(),
        given.expiration(),
    ) else {
        return Err(none());
    };
    Ok(Vended {
        credentials: Credentials::new(key, secret).with_session_token(token),
        prefix: session::identity_prefix(id),
        expires_at: from_millis(end.secs().saturating_mul(1000)),
    })
}

/// `REGION:UUID` (Cognito API reference, `GetId`): it becomes part of a prefix.
fn is_identity(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    id.len() <= 128
        && id.split_once(':').is_some_and(|(region, rest)| {
            !region.is_empty()
                && !rest.is_empty()
                && region.bytes().all(plain)
                && rest.bytes().all(plain)
        })
}

fn none() -> Error {
    Kind::Unavailable.because("the token service gave no credentials")
}

/// Whether it is the caller's token that is at fault.
fn refused<E>(failure: E) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let theirs = matches!(
        failure.code(),
        Some(
            "InvalidIdentityToken"
                | "InvalidIdentityTokenException"
                | "ExpiredToken"
                | "ExpiredTokenException"
                | "IDPRejectedClaim"
                | "NotAuthorizedException"
        )
    );
    if theirs {
        let says = "the store's token service does not accept this token";
        return Kind::Forbidden.caused_by(failure).saying(says);
    }
    Kind::Unavailable.caused_by(failure)
}

/// What a session may do at most, whatever its role may: at most 2,048 characters (STS API reference, `AssumeRole`).
fn session_policy(bucket: &str, prefix: &Prefix) -> String {
    let below = format!("arn:aws:s3:::{bucket}/{}*", prefix.as_str());
    let mut statements = vec![
        json!({"Effect": "Allow", "Action": MAY, "Resource": below}),
        json!({"Effect": "Deny", "Action": NEVER, "Resource": "*"}),
    ];
    statements.extend(NOT_ADDED.map(|header| {
        let there = json!({"StringLike": {format!("s3:{header}"): "?*"}});
        json!({"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": there})
    }));
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

async fn sts(vending: &Vending, store: &StoreSettings, clock: Clock) -> aws_sdk_sts::Client {
    let UploaderIdentity(uploader) = &store.uploader;
    let mut config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(store.region.clone()))
        .credentials_provider(uploader.provider(&store.region).await)
        .timeout_config(within(PATIENCE))
        .time_source(Time(clock));
    config.set_endpoint_url(vending.endpoint.clone());
    aws_sdk_sts::Client::from_conf(config.build())
}

fn cognito(
    vending: &Vending,
    store: &StoreSettings,
    clock: Clock,
) -> aws_sdk_cognitoidentity::Client {
    let mut config = aws_sdk_cognitoidentity::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(store.region.clone()))
        .timeout_config(within(PATIENCE))
        .time_source(Time(clock));
    config.set_endpoint_url(vending.endpoint.clone());
    aws_sdk_cognitoidentity::Client::from_conf(config.build())
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vendor").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::{Owner, UploadId};

    #[test]
    fn a_session_policy_is_short_enough_for_the_longest_names() {
        let owner: Owner = "someone".parse().unwrap();
        let prefix = session::prefix(&owner, UploadId::from_bytes([255; 16]), &[255; 16]);
        let policy = session_policy(&"b".repeat(63), &prefix);
        assert!(policy.len() <= 2048, "{} characters", policy.len());
    }

    #[test]
    fn only_an_identity_becomes_part_of_a_prefix() {
        let check = |id: &str, expected: bool| assert_eq!(is_identity(id), expected, "{id}");
        check("eu-central-1:128d0a74-c82f-4553-916d-90053e4a8b0f", true);
        check("eu-central-1:", false);
        check("../../in:x", false);
        check("a:b/c", false);
        check("a:*", false);
        check("ab", false);
    }
}
