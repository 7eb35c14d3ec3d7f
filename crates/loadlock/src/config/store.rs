//! The section `[store]`.

use loadlock_sigv4::{Bucket, SignError};

use super::{
    forms::{AWS_PROFILE, BUCKET, COPY_PIN, ENDPOINT, FLAG, KEY_ID, KEY_SECRET, REGION, STYLE},
    section::Section,
};
use crate::bucket::{
    Credentials, ReaderIdentity, ServerIdentity, Source, StoreSettings, Style, UploaderIdentity,
};

pub(super) fn read(section: Section<'_>) -> Option<StoreSettings> {
    let endpoint = section.required("endpoint", &ENDPOINT);
    let usual = endpoint.as_deref().unwrap_or_default();
    let public_endpoint = section.or("public_endpoint", usual, &ENDPOINT);
    let region = section.required("region", &REGION);
    let style = section.or("style", "path", &STYLE);
    let staging_bucket = section.required("staging_bucket", &BUCKET);
    let final_bucket = section.required("final_bucket", &BUCKET);
    let conditional_writes = section.or("conditional_writes", "true", &FLAG);
    let copy_pin = section.or("copy_pin", "s3", &COPY_PIN);
    let uploader = source(section.section("uploader"));
    let server = source(section.section("server"));
    let reader = source(section.section("reader"));
    if staging_bucket.is_some() && staging_bucket == final_bucket {
        let says = "is the staging bucket too: clients could write there";
        section.fault("final_bucket", says, "another bucket");
    }
    let buckets = [
        ("staging_bucket", &staging_bucket),
        ("final_bucket", &final_bucket),
    ];
    for (name, bucket) in buckets {
        if let (Some(endpoint), Some(bucket), Some(style)) = (&public_endpoint, bucket, style) {
            check_address(&section, (name, bucket), endpoint, style);
        }
    }
    section.close();
    Some(StoreSettings {
        endpoint: endpoint?,
        public_endpoint: public_endpoint?,
        region: region?,
        style: style?,
        staging_bucket: staging_bucket?,
        final_bucket: final_bucket?,
        conditional_writes: conditional_writes?,
        copy_pin: copy_pin?,
        uploader: UploaderIdentity(uploader?),
        server: ServerIdentity(server?),
        reader: ReaderIdentity(reader?),
    })
}

/// Whether addresses can be made of the bucket's name.
fn check_address(
    section: &Section<'_>,
    (name, bucket): (&str, &str),
    endpoint: &str,
    style: Style,
) {
    match Bucket::new(endpoint, bucket, style) {
        Ok(_) => {}
        Err(SignError::VirtualHostOnAddress) => {
            // Once for both.
            if name == "staging_bucket" {
                let says = "is \"virtual\", but a bucket cannot be a subdomain of an IP address";
                section.fault("style", says, "\"path\", or an endpoint with a name");
            }
        }
        Err(SignError::Bucket(_)) => {
            let says = format!(
                "\"{bucket}\" cannot be part of a host name, as the style \"virtual\" has it"
            );
            section.fault(name, &says, "lower-case letters, digits, dots and hyphens");
        }
        Err(error) => section.fault("endpoint", &format!("will not do: {error}"), ENDPOINT.right),
    }
}

/// A key pair, a profile of the AWS configuration, or, where the section is absent, AWS's default chain.
fn source(section: Section<'_>) -> Option<Source> {
    let profile = section.optional("aws_profile", &AWS_PROFILE);
    let access_key = section.optional("access_key_id", &KEY_ID);
    let secret = section.optional("secret_access_key", &KEY_SECRET);
    let found = match (profile?, access_key?, secret?) {
        (None, None, None) if !section.is_there() => Some(Source::Chain),
        (Some(profile), None, None) => Some(Source::Profile(profile)),
        (Some(_), ..) => {
            let says = "stands beside a key pair: only one can be meant";
            section.fault("aws_profile", says, "one of the two");
            None
        }
        (None, Some(access_key), Some(secret)) => {
            Some(Source::Pair(Credentials::new(access_key, secret)))
        }
        (None, access_key, secret) => {
            if access_key.is_none() {
                section.missing("access_key_id", KEY_ID.right);
            }
            if secret.is_none() {
                section.missing("secret_access_key", KEY_SECRET.right);
            }
            None
        }
    };
    section.close();
    found
}
