//! The file `loadlock init` writes.
use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::answers::{Answers, Keys};
use crate::{
    cli::{dev::keys::pair, key::Made},
    clock::Ids,
    config::file::quoted,
};

pub(super) fn text(answers: &Answers, made: &Made, ids: &Ids) -> anyhow::Result<String> {
    let secret = BASE64_URL_SAFE_NO_PAD.encode(ids.secret()?);
    let opening = opening(answers, &secret);
    let (store, identities) = (store(answers), identities(answers, ids)?);
    let key = made.section();
    Ok(format!(
        "{opening}\n{store}\n{identities}\n{KEYS}{key}\n\n{PROFILES}"
    ))
}

fn opening(answers: &Answers, secret: &str) -> String {
    let (public_url, origin) = (quoted(&answers.public_url), quoted(&answers.origin));
    format!(
        r#"# Loadlock: what `loadlock serve` is told. Every setting: docs/configuration.md.
# Each can be set from outside as well: `store.region` as LOADLOCK_STORE_REGION.
# `loadlock config` shows what holds.

# Where it listens. Behind a proxy that speaks TLS, this machine alone is right.
listen = "127.0.0.1:8080"

# Where browsers and the application's server reach it.
public_url = {public_url}

# The records, in SQLite.
records = "./loadlock.db"

# The pages that may call it; scheme, host and port.
origins = [{origin}]

# Signs upload tokens and links. A new one goes to the front; when the last is taken out, what it signed is void.
secrets = ["{secret}"]

# Shared with the application, if its users' browsers begin uploads with a JWT that it signs.
# user_secrets = ["…"]

# The profile of `POST /upload_url`, for code that knows nothing of Loadlock.
# upload_url = "image"
"#
    )
}

fn store(answers: &Answers) -> String {
    let [endpoint, region, style, staging, finals] = [
        &answers.endpoint,
        &answers.region,
        &answers.style,
        &answers.staging_bucket,
        &answers.final_bucket,
    ]
    .map(|text| quoted(text));
    format!(
        r#"[store]
endpoint = {endpoint}

# As browsers reach it, if that is another address: grants are signed for this one.
# public_endpoint = "https://files.example.com"

region = {region}

# "path": https://endpoint/bucket/key, "virtual": https://bucket.endpoint/key
style = {style}

# Clients write to the one, and what has been inspected is copied to the other.
staging_bucket = {staging}
final_bucket = {finals}

# Whether the store refuses a second PUT with `if-none-match: *`; `loadlock doctor` finds out.
conditional_writes = true
"#
    )
}

/// What each identity may do, and where its keys are.
fn identities(answers: &Answers, ids: &Ids) -> anyhow::Result<String> {
    let roles = [
        (
            "uploader",
            "Signs what clients send: may put objects under in/ of the staging bucket, and nothing else.",
        ),
        (
            "server",
            "Inspects, promotes and deletes: objects of both buckets.",
        ),
        (
            "reader",
            "Signs display URLs: may get objects of the final bucket, and nothing else.",
        ),
    ];
    let mut text = String::from(match answers.keys {
        Keys::Own => "# The store's three identities. Their keys are new: tell the store.\n",
        Keys::Profiles => {
            "# The store's three identities, as profiles of the AWS configuration (~/.aws).\n"
        }
        Keys::Chain => {
            "# The store's three identities. Without these sections AWS's default chain finds one for all (environment, container,\n\
             # instance). Three are better: what signs for clients should be able to do nothing but that.\n"
        }
    });
    for (role, may) in roles {
        writeln!(text, "\n# {may}")?;
        match answers.keys {
            Keys::Own => {
                let (id, secret) = pair(ids, &role.to_uppercase())?;
                writeln!(text, "[store.{role}]")?;
                writeln!(text, "access_key_id = {}", quoted(&id))?;
                writeln!(text, "secret_access_key = {}", quoted(&secret.0))?;
            }
            Keys::Profiles => {
                writeln!(text, "[store.{role}]\naws_profile = \"loadlock-{role}\"")?;
            }
            Keys::Chain => {
                writeln!(
                    text,
                    "# [store.{role}]\n# aws_profile = \"loadlock-{role}\""
                )?;
            }
        }
    }
    Ok(text)
}

const KEYS: &str = "\
# The application's servers. `loadlock key create NAME` makes another key, which the records keep; `loadlock key print NAME` one with
# such lines for it. With `profiles = [\"image\"]` it is good for those alone; with `expires_at = 2027-01-31` until then.
";

const PROFILES: &str = r#"# What may be uploaded: one section for each kind.
[profiles.image]
types = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"]
max_size = "25 MiB"

# "on_complete": stored as soon as it is inspected. "on_claim": when the application's server claims it with its form.
promote = "on_claim"

# Who may open a file by its stable address: "owner", "signed" (whoever has a link) or "public".
read = "public"

# How the final bucket names files. {id} must be there.
# key = "{profile}/{owner}/{id}.{ext}"

# What each owner may have of it; there are more quotas, and one for all owners together.
# [profiles.image.quotas.owner]
# stored_bytes = "5 GiB"
# uploads_per_day = 500

# Form data that must come along.
# [profiles.image.metadata.title]
# required = true
# max_length = 200
"#;
