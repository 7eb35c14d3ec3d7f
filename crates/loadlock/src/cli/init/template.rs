//! The file `loadlock init` writes.
use std::fmt::Write as _;

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};

use super::answers::{Answers, Keys};
use crate::{
    cli::{dev::keys::pair, key::Made},
    clock::Ids,
    config::file::quoted,
};

pub(super) fn text(answers: &Answers, made: &Made, ids: &Ids) -> anyhow::Result<String> {
    let secret = || -> anyhow::Result<String> { Ok(BASE64_URL_SAFE_NO_PAD.encode(ids.secret()?)) };
    let opening = opening(answers, [&secret()?, &secret()?]);
    let (store, identities) = (store(answers), identities(answers, ids)?);
    let key = made.section();
    let asked = asked([&hook_secret(ids)?, &hook_secret(ids)?]);
    Ok([
        &opening,
        &store,
        &identities,
        KEYS,
        &key,
        "\n",
        PEOPLE,
        &asked,
        PROFILES,
    ]
    .join("\n")
    .replace("\n\n\n", "\n\n"))
}

fn opening(answers: &Answers, [secret, shared]: [&str; 2]) -> String {
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
# user_secrets = ["{shared}"]

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

/// Who may ask, how often, and for how much.
const PEOPLE: &str = r#"# Whose tokens sign users in: an OpenID provider (Keycloak, Auth0, Entra, Cognito …), or several of them. Cognito has `client_ids` in
# place of `audience`. `loadlock doctor` asks each for its keys.
# [[issuers]]
# issuer = "https://id.example.com/realms/example"
# audience = ["uploads"]
# owner_prefix = "staff:"

# What one client may ask for, and which proxies are believed when they say who asks. This is what holds anyway.
# [limits]
# per_owner = "600 per minute"
# per_address = "1200 per minute"
# trusted_proxies = ["127.0.0.0/8", "::1"]

# What each owner may have over all profiles.
# [quotas.owner]
# stored_bytes = "20 GiB"
# open_files = 100

# How long the log of who did what is kept.
# [audit]
# keep = "365 days"

# Keys of their own, for a while, for clients that speak S3: for profiles with "credentials" among their `methods`. The role's policy is
# what `loadlock provision --policy session` prints.
# [credentials]
# via = "sts"
# role_arn = "arn:aws:iam::123456789012:role/uploads"
"#;

/// Who else is asked. The secrets are new, so that they are nobody else's once they are taken.
fn asked([authorizer, hook]: [&str; 2]) -> String {
    format!(
        r#"# The application's own say in what begins: it allows, refuses with a sentence for the user, or narrows.
# [authorizer]
# url = "https://app.example.com/may-upload"
# secret = "{authorizer}"

# Who is asked about content: ClamAV for profiles with `inspect.clamav = true`, and services of yours for those that name them in
# `inspect.hooks`.
# [scanning]
# clamd = "tcp://127.0.0.1:3310"
# [scanning.hooks.moderation]
# url = "https://app.example.com/inspect"
# secret = "{hook}"
"#
    )
}

fn hook_secret(ids: &Ids) -> anyhow::Result<String> {
    Ok(format!("whsec_{}", BASE64_STANDARD.encode(ids.secret()?)))
}

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

# Who may begin: users whose token says so, or, with `anonymous = true`, everybody.
# [profiles.image.admits]
# claims = { roles = ["editor"] }

# What content must be like beyond its type, and whether rejected content is kept for a look.
# [profiles.image.inspect]
# max_width = 8000
# max_height = 8000
# quarantine = "7 days"

# How the final object is stored.
# [profiles.image.storage]
# cache_control = "public, max-age=31536000, immutable"

# What each owner may have of it; there are more quotas, and one for all owners together.
# [profiles.image.quotas.owner]
# stored_bytes = "5 GiB"
# uploads_per_day = 500

# Form data that must come along.
# [profiles.image.metadata.title]
# required = true
# max_length = 200
"#;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::file;

    fn written(keys: Keys) -> String {
        let text = |text: &str| text.to_owned();
        let answers = Answers {
            public_url: text("https://uploads.example.com"),
            origin: text("https://app.example.com"),
            region: text("eu-central-1"),
            endpoint: text("https://s3.eu-central-1.amazonaws.com"),
            style: text("virtual"),
            staging_bucket: text("example-staging"),
            final_bucket: text("example-files"),
            keys,
        };
        let ids = Ids::seeded(1);
        super::text(&answers, &Made::new("app", &ids).unwrap(), &ids).unwrap()
    }

    /// A comment that is a setting, or the head of a section, becomes one.
    fn uncommented(line: &str) -> &str {
        let setting = line.strip_prefix("# ").filter(|rest| {
            let name = rest.split(" = ").next().unwrap_or_default();
            let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
            rest.starts_with('[') || name.len() < rest.len() && name.chars().all(plain)
        });
        setting.unwrap_or(line)
    }

    fn check(text: &str) {
        let faults = file::check(Path::new("loadlock.toml"), text);
        assert!(faults.is_ok(), "{faults:?}\n{text}");
    }

    #[test]
    fn every_example_is_good_once_it_is_taken() {
        for keys in [Keys::Own, Keys::Profiles, Keys::Chain] {
            let text = written(keys);
            check(&text);
            let lines: Vec<&str> = text.lines().map(uncommented).collect();
            check(&lines.join("\n"));
            let examples: Vec<&str> = text.split("\n\n").collect();
            assert!(examples.len() > 20, "{text}");
            for n in 0..examples.len() {
                let mut some: Vec<String> = examples.iter().map(ToString::to_string).collect();
                let lines: Vec<&str> = examples[n].lines().map(uncommented).collect();
                some[n] = lines.join("\n");
                check(&some.join("\n\n"));
            }
        }
    }

    #[test]
    fn there_is_an_example_of_every_section() {
        let text = written(Keys::Own);
        for section in [
            "[[issuers]]",
            "[limits]",
            "[quotas.owner]",
            "[audit]",
            "[credentials]",
            "[authorizer]",
            "[scanning]",
            "[scanning.hooks.moderation]",
            "[profiles.image.admits]",
            "[profiles.image.inspect]",
            "[profiles.image.storage]",
            "[profiles.image.quotas.owner]",
            "[profiles.image.metadata.title]",
        ] {
            let line = format!("# {section}");
            assert!(text.lines().any(|other| other == line), "{section}");
        }
    }
}
