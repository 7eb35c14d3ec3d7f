//! What each of the three identities may do: as little as it needs, and the rest denied in so many words.
use serde_json::{Value, json};

use super::{FINAL, STAGING};

fn policy(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn arn(path: &str) -> String {
    format!("arn:aws:s3:::{path}")
}

/// What a stranger might add to a request that was signed for them.
const ADDED: [&str; 13] = [
    "x-amz-acl",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
];

/// Puts objects under the clients' prefix. What it signs lies in strangers' hands: so nothing can be read, copied, tagged,
/// published, or stored in a class or under a key of the client's choice.
pub(super) fn uploader() -> String {
    let staged = arn(&format!("{STAGING}/in/*"));
    let mut statements = vec![
        json!({"Sid": "PutStaged", "Effect": "Allow", "Action": "s3:PutObject", "Resource": staged}),
        json!({"Sid": "NothingElse", "Effect": "Deny", "NotAction": "s3:PutObject", "Resource": "*"}),
        json!({"Sid": "NowhereElse", "Effect": "Deny", "Action": "s3:PutObject", "NotResource": staged}),
    ];
    statements.extend(ADDED.map(|header| {
        let present = json!({"Null": {format!("s3:{header}"): "false"}});
        json!({"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": present})
    }));
    policy(&statements.into())
}

/// Inspects, promotes and deletes. It changes neither who may do what nor what the buckets are.
pub(super) fn server() -> String {
    let objects = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ];
    let lists = ["s3:ListBucket", "s3:ListBucketMultipartUploads"];
    let both = [objects.as_slice(), &lists].concat();
    let (staged, stored) = (arn(&format!("{STAGING}/*")), arn(&format!("{FINAL}/*")));
    policy(&json!([
        {"Sid": "Objects", "Effect": "Allow", "Action": objects, "Resource": [staged, stored]},
        {"Sid": "Lists", "Effect": "Allow", "Action": lists, "Resource": [arn(STAGING), arn(FINAL)]},
        {"Sid": "NothingElse", "Effect": "Deny", "NotAction": both, "Resource": "*"},
    ]))
}

/// Gets what has been promoted: what it signs is shown to anyone.
pub(super) fn reader() -> String {
    let stored = arn(&format!("{FINAL}/*"));
    policy(&json!([
        {"Sid": "GetStored", "Effect": "Allow", "Action": "s3:GetObject", "Resource": stored},
        {"Sid": "NothingElse", "Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"},
        {"Sid": "NowhereElse", "Effect": "Deny", "Action": "s3:GetObject", "NotResource": stored},
    ]))
}
