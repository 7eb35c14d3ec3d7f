//! What each of the three identities may do: as little as it needs, and the rest denied in so many words.
use serde_json::{Value, json};

use crate::upload::Profile;

/// The two buckets' names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets<'a> {
    pub(super) staging: &'a str,
    pub(super) finals: &'a str,
}

impl Buckets<'_> {
    /// Both, and all that is in them.
    fn all(self) -> [String; 4] {
        let Self { staging, finals } = self;
        [staging, &objects(staging), finals, &objects(finals)].map(arn)
    }
}

fn policy(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn arn(path: &str) -> String {
    format!("arn:aws:s3:::{path}")
}

fn objects(bucket: &str) -> String {
    format!("{bucket}/*")
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

/// Everything but putting an object. Spelt out, as stores other than AWS do not know `NotAction`.
const BUT_PUTTING: [&str; 12] = [
    "s3:AbortMultipartUpload",
    "s3:CreateBucket",
    "s3:Delete*",
    "s3:Get*",
    "s3:List*",
    "s3:PutBucket*",
    "s3:PutObjectAcl",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionAcl",
    "s3:PutObjectVersionTagging",
];

/// Puts objects under the clients' prefix. What it signs lies in strangers' hands: so nothing can be read, copied, tagged,
/// published, or stored in a class or under a key of the client's choice.
pub(super) fn uploader(buckets: Buckets<'_>) -> Value {
    let Buckets { staging, finals } = buckets;
    let staged = arn(&format!("{staging}/in/*"));
    let elsewhere = [
        arn(&format!("{staging}/held/*")),
        arn(&format!("{staging}/quarantine/*")),
        arn(&objects(finals)),
    ];
    let mut statements = vec![
        json!({"Sid": "PutStaged", "Effect": "Allow", "Action": "s3:PutObject", "Resource": staged}),
        json!({"Sid": "NothingElse", "Effect": "Deny", "Action": BUT_PUTTING, "Resource": buckets.all()}),
        json!({"Sid": "NowhereElse", "Effect": "Deny", "Action": "s3:PutObject", "Resource": elsewhere}),
    ];
    statements.extend(nothing_added(&staged));
    policy(&statements.into())
}

/// The uploader's, where it hands out temporary credentials.
pub(super) fn vending_uploader(buckets: Buckets<'_>, role: &str) -> Value {
    let mut whole = uploader(buckets);
    let assume =
        json!({"Sid": "Vend", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role});
    if let Some(statements) = whole["Statement"].as_array_mut() {
        statements.push(assume);
    }
    whole
}

/// What whoever holds temporary credentials may do at most: their own session narrows it to one prefix. They complete and abort
/// multipart uploads themselves.
pub(super) fn session(buckets: Buckets<'_>) -> Value {
    let Buckets { staging, finals } = buckets;
    let staged = arn(&format!("{staging}/cred/*"));
    let elsewhere = [
        arn(&format!("{staging}/in/*")),
        arn(&format!("{staging}/held/*")),
        arn(&format!("{staging}/quarantine/*")),
        arn(&objects(finals)),
    ];
    let writes = ["s3:AbortMultipartUpload", "s3:PutObject"];
    let never: Vec<&str> = BUT_PUTTING
        .into_iter()
        .filter(|action| !writes.contains(action))
        .collect();
    let mut statements = vec![
        json!({"Sid": "Write", "Effect": "Allow", "Action": writes, "Resource": staged}),
        json!({"Sid": "NothingElse", "Effect": "Deny", "Action": never, "Resource": buckets.all()}),
        json!({"Sid": "NowhereElse", "Effect": "Deny", "Action": writes, "Resource": elsewhere}),
    ];
    statements.extend(nothing_added(&staged));
    policy(&statements.into())
}

/// That nothing is put with a header that a stranger might have added.
fn nothing_added(staged: &str) -> impl Iterator<Item = Value> {
    ADDED.into_iter().map(move |header| {
        // That a header is there, and says something. `Null` is read in two ways, and Ceph hands an empty ACL to each.
        let there = json!({"StringLike": {format!("s3:{header}"): "?*"}});
        json!({"Effect": "Deny", "Action": "s3:PutObject", "Resource": staged, "Condition": there})
    })
}

/// What the server needs beside, for what profiles ask of the store.
pub(super) fn for_profiles(profiles: &[Profile]) -> &'static [&'static str] {
    let tagged = |profile: &Profile| !profile.storage.tags.is_empty();
    if profiles.iter().any(tagged) {
        &["s3:PutObjectTagging"]
    } else {
        &[]
    }
}

/// Inspects, promotes and deletes. It sees what expires, and changes neither who may do what nor what the buckets are.
pub(super) fn server(buckets: Buckets<'_>, more: &[&str]) -> Value {
    let Buckets { staging, finals } = buckets;
    let mut may = vec![
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        // Without it, inspection is not told that what was sent has tags.
        "s3:GetObjectTagging",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ];
    may.extend(more);
    let sees = [
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
    ];
    let never = [
        "s3:CreateBucket",
        "s3:DeleteBucket*",
        "s3:PutBucket*",
        "s3:PutLifecycleConfiguration",
        "s3:PutObjectAcl",
    ];
    let (inside, themselves) = (
        [staging, finals].map(|name| arn(&objects(name))),
        [staging, finals].map(arn),
    );
    policy(&json!([
        {"Sid": "Objects", "Effect": "Allow", "Action": may, "Resource": inside},
        {"Sid": "Lists", "Effect": "Allow", "Action": sees, "Resource": themselves},
        {"Sid": "NoBuckets", "Effect": "Deny", "Action": never, "Resource": buckets.all()},
    ]))
}

/// Gets what has been promoted: what it signs is shown to anyone.
pub(super) fn reader(buckets: Buckets<'_>) -> Value {
    let Buckets { staging, finals } = buckets;
    let never = [
        "s3:AbortMultipartUpload",
        "s3:CreateBucket",
        "s3:Delete*",
        "s3:List*",
        "s3:Put*",
    ];
    let elsewhere = [staging, &objects(staging)].map(arn);
    policy(&json!([
        {"Sid": "GetStored", "Effect": "Allow", "Action": "s3:GetObject", "Resource": arn(&objects(finals))},
        {"Sid": "NothingElse", "Effect": "Deny", "Action": never, "Resource": buckets.all()},
        {"Sid": "NowhereElse", "Effect": "Deny", "Action": "s3:Get*", "Resource": elsewhere},
    ]))
}
