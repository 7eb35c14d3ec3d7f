//! Who is asking, and whether their policy allows what the request needs.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use loadlock_sigv4::{Credentials, Secret};

use crate::disk::{BucketName, ObjectKey};
use crate::error::{Code, S3Result};
use crate::operation::Operation;
use crate::policy::{Context, Policy, Question};
use crate::request::{Attributes, Query, Request, Target, copy_source};
use crate::sts::Roles;

/// A key pair and what it may do.
#[derive(Clone)]
pub struct Identity {
    pub name: String,
    pub credentials: Credentials,
    pub policy: Policy,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Whom an access key belongs to: an identity, or somebody who has assumed a role for a while.
pub(crate) struct Principal<'a> {
    /// As it stands in an ARN: `user/NAME` or `assumed-role/ROLE/SESSION`.
    pub(crate) name: String,
    pub(crate) credentials: Cow<'a, Credentials>,
    pub(crate) policy: &'a Policy,
    /// What a session may do at most.
    pub(crate) session: Option<Policy>,
}

impl<'a> From<&'a Identity> for Principal<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self {
            name: format!("user/{}", identity.name),
            credentials: Cow::Borrowed(&identity.credentials),
            policy: &identity.policy,
            session: None,
        }
    }
}

/// Everybody who has a key.
pub(crate) struct People {
    pub(crate) identities: Vec<Identity>,
    pub(crate) roles: Roles,
}

impl People {
    /// Who has this access key, and this session token beside it. A token beside an identity's own key is for whoever verifies
    /// the signature to refuse.
    pub(crate) fn find(
        &self,
        access_key: &str,
        token: Option<&Secret>,
        now: SystemTime,
    ) -> S3Result<Principal<'_>> {
        let identity = self
            .identities
            .iter()
            .find(|identity| identity.credentials.access_key() == access_key);
        match (identity, token) {
            (Some(identity), _) => Ok(identity.into()),
            (None, Some(token)) => self.roles.open(token, now),
            (None, None) => Err(Code::InvalidAccessKeyId.into()),
        }
    }
}

/// Who signed a request, and what is known of the request.
pub(crate) struct Caller<'a> {
    principal: Principal<'a>,
    context: Context,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(
        principal: Principal<'a>,
        authentication: &str,
        attributes: &Attributes,
        query: &Query,
    ) -> Self {
        let mut context = Context::default();
        for (name, value) in attributes.iter() {
            if name.starts_with("x-amz-") || matches!(name, "if-match" | "if-none-match") {
                context.insert(format!("s3:{name}"), value);
            }
        }
        for name in ["prefix", "delimiter", "max-keys"] {
            if let Some(value) = query.value(name) {
                context.insert(format!("s3:{name}"), value);
            }
        }
        context.insert("s3:authType", authentication);
        context.insert("s3:signatureversion", "AWS4-HMAC-SHA256");
        context.insert("aws:SecureTransport", "false");
        Self { principal, context }
    }

    pub(crate) fn name(&self) -> &str {
        &self.principal.name
    }

    /// Whether the caller is somebody only for a while.
    pub(crate) fn is_temporary(&self) -> bool {
        self.principal.credentials.session_token().is_some()
    }

    pub(crate) fn may(&self, action: &str, resource: &str) -> bool {
        let question = Question {
            action,
            resource,
            context: &self.context,
        };
        let session = self.principal.session.as_ref();
        self.principal.policy.allows(question) && session.is_none_or(|own| own.allows(question))
    }

    pub(crate) fn require(&self, action: &str, resource: &str) -> S3Result<()> {
        if self.may(action, resource) {
            Ok(())
        } else {
            Err(Code::AccessDenied.into())
        }
    }

    /// Requires all that an operation needs. A form and the keys of a batch are looked at where they are read.
    pub(crate) fn require_operation(
        &self,
        operation: Operation,
        request: &Request,
    ) -> S3Result<()> {
        let Some(action) = action(operation) else {
            return Ok(());
        };
        let resource = match &request.target {
            Target::Service => "arn:aws:s3:::*".to_owned(),
            Target::Bucket(bucket) => bucket_arn(bucket),
            Target::Object(bucket, key) => object_arn(bucket, key),
        };
        self.require(action, &resource)?;
        if action == "s3:PutObject" {
            self.require_extras(&request.attributes, &resource)?;
        }
        if matches!(operation, Operation::CopyObject | Operation::UploadPartCopy) {
            let (bucket, key) = copy_source(
                request
                    .attributes
                    .value("x-amz-copy-source")
                    .unwrap_or_default(),
            )?;
            self.require("s3:GetObject", &object_arn(&bucket, &key))?;
        }
        Ok(())
    }

    /// An ACL or tags given along with an object are permissions of their own.
    pub(crate) fn require_extras(&self, attributes: &Attributes, resource: &str) -> S3Result<()> {
        if attributes
            .iter()
            .any(|(name, _)| name == "x-amz-acl" || name.starts_with("x-amz-grant-"))
        {
            self.require("s3:PutObjectAcl", resource)?;
        }
        if attributes.value("x-amz-tagging").is_some() {
            self.require("s3:PutObjectTagging", resource)?;
        }
        Ok(())
    }
}

pub(crate) fn bucket_arn(bucket: &BucketName) -> String {
    format!("arn:aws:s3:::{bucket}")
}

pub(crate) fn object_arn(bucket: &BucketName, key: &ObjectKey) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// The action an operation is (AWS: "Actions, resources, and condition keys for Amazon S3").
fn action(operation: Operation) -> Option<&'static str> {
    use Operation as Op;
    Some(match operation {
        Op::ListBuckets => "s3:ListAllMyBuckets",
        Op::CreateBucket => "s3:CreateBucket",
        Op::DeleteBucket => "s3:DeleteBucket",
        Op::HeadBucket | Op::ListObjects | Op::ListObjectsV2 => "s3:ListBucket",
        Op::GetBucketLocation => "s3:GetBucketLocation",
        Op::GetBucketCors => "s3:GetBucketCORS",
        Op::PutBucketCors | Op::DeleteBucketCors => "s3:PutBucketCORS",
        Op::GetBucketLifecycleConfiguration => "s3:GetLifecycleConfiguration",
        Op::PutBucketLifecycleConfiguration | Op::DeleteBucketLifecycle => {
            "s3:PutLifecycleConfiguration"
        }
        Op::ListMultipartUploads => "s3:ListBucketMultipartUploads",
        Op::PutObject
        | Op::CopyObject
        | Op::CreateMultipartUpload
        | Op::UploadPart
        | Op::UploadPartCopy
        | Op::CompleteMultipartUpload => "s3:PutObject",
        Op::GetObject | Op::HeadObject => "s3:GetObject",
        Op::DeleteObject => "s3:DeleteObject",
        Op::GetObjectTagging => "s3:GetObjectTagging",
        Op::PutObjectTagging => "s3:PutObjectTagging",
        Op::DeleteObjectTagging => "s3:DeleteObjectTagging",
        Op::ListParts => "s3:ListMultipartUploadParts",
        Op::AbortMultipartUpload => "s3:AbortMultipartUpload",
        Op::PostObject | Op::DeleteObjects => return None,
    })
}
