//! Each fault with its line, and what would be right.

use std::path::Path;

use insta::assert_snapshot;
use loadlock::config::file::load;

use crate::{IMAGE, STORE, TOP, environment, faults, loaded};

/// What is said of a sound file with one more line above its sections.
fn top(line: &str) -> String {
    faults(&[TOP, line, "\n", STORE, IMAGE].concat(), &[])
}

/// The same of a sound file with a line of `[store]` more, or another in its place.
fn store(line: &str) -> String {
    faults(&[TOP, &with(STORE, line), IMAGE].concat(), &[])
}

/// The same of `[profiles.image]`.
fn image(line: &str) -> String {
    faults(&[TOP, STORE, &with(IMAGE, line)].concat(), &[])
}

fn with(section: &str, line: &str) -> String {
    let name = line.split(" = ").next().unwrap();
    let others = section
        .lines()
        .filter(|other| other.split(" = ").next() != Some(name));
    let lines: Vec<&str> = others.chain([line]).collect();
    lines.join("\n") + "\n"
}

#[test]
fn a_sound_file_has_none() {
    loaded(&[TOP, STORE, IMAGE].concat(), &[]).unwrap();
}

#[test]
fn a_file_that_is_not_there_is_missed_where_it_was_named() {
    let named = load(Some(Path::new("none.toml")), &environment(&[])).unwrap_err();
    assert_snapshot!(named, @r"
    the configuration has a fault:

      none.toml: there is no such file
        → `loadlock init` writes one; or name another with --config
    ");
}

#[test]
fn what_is_no_toml_is_told_alone() {
    assert_snapshot!(faults("listen = \n[store\na = 1\na = 2\n", &[]), @r#"
    loadlock.toml:1: this is no TOML: string values must be quoted, expected literal string
      → name = "value"; see docs/configuration.md
    loadlock.toml:2: this is no TOML: unclosed table, expected `]`
      → name = "value"; see docs/configuration.md
    "#);
}

#[test]
fn everything_that_is_missing_is_missed_at_once() {
    assert_snapshot!(faults("[store]\n[profiles.image]\n[[api_keys]]\n", &[]), @r#"
    loadlock.toml: `public_url` is missing
      → public_url = "https://uploads.example.com", or LOADLOCK_PUBLIC_URL
    loadlock.toml: `secrets` is missing
      → secrets = ["at least 32 characters that nobody can guess"], or LOADLOCK_SECRETS
    loadlock.toml:1: `store.endpoint` is missing
      → endpoint = "https://s3.eu-central-1.amazonaws.com", or LOADLOCK_STORE_ENDPOINT
    loadlock.toml:1: `store.region` is missing
      → region = "eu-central-1", or LOADLOCK_STORE_REGION
    loadlock.toml:1: `store.staging_bucket` is missing
      → staging_bucket = "example-files", or LOADLOCK_STORE_STAGING_BUCKET
    loadlock.toml:1: `store.final_bucket` is missing
      → final_bucket = "example-files", or LOADLOCK_STORE_FINAL_BUCKET
    loadlock.toml:2: `profiles.image.types` is missing
      → types = ["image/jpeg", "image/*"], or LOADLOCK_PROFILES_IMAGE_TYPES
    loadlock.toml:2: `profiles.image.max_size` is missing
      → max_size = "25 MiB", or a number of bytes, or LOADLOCK_PROFILES_IMAGE_MAX_SIZE
    loadlock.toml:3: `api_keys.name` is missing
      → name = "shop"
    loadlock.toml:3: `api_keys.sha256` is missing
      → sha256 = 64 hexadecimal digits; `loadlock key print` makes them
    "#);
}

#[test]
fn everything_that_is_missing_from_the_environment_is_missed_by_its_variable() {
    let variables = environment(&[("LOADLOCK_PUBLIC_URL", "uploads.example.com")]);
    assert_snapshot!(load(None, &variables).unwrap_err(), @r#"
    the configuration has 7 faults:

      LOADLOCK_*: `profiles` are missing: nothing could be uploaded
        → a section [profiles.image] with its `types` and `max_size`

      LOADLOCK_PUBLIC_URL: `public_url`: "uploads.example.com" does not begin with https:// or http://
        → "https://uploads.example.com"

      LOADLOCK_SECRETS: `secrets` is missing
        → secrets = ["at least 32 characters that nobody can guess"]

      LOADLOCK_STORE_ENDPOINT: `store.endpoint` is missing
        → endpoint = "https://s3.eu-central-1.amazonaws.com"

      LOADLOCK_STORE_FINAL_BUCKET: `store.final_bucket` is missing
        → final_bucket = "example-files"

      LOADLOCK_STORE_REGION: `store.region` is missing
        → region = "eu-central-1"

      LOADLOCK_STORE_STAGING_BUCKET: `store.staging_bucket` is missing
        → staging_bucket = "example-files"

    "#);
}

#[test]
fn a_slip_of_the_pen_is_told_with_what_was_meant() {
    assert_snapshot!(top("orgins = []"), @r"
    loadlock.toml:3: there is no setting `orgins`
      → did you mean `origins`?
    ");
    assert_snapshot!(store("end_point = \"x\""), @r"
    loadlock.toml:8: there is no setting `store.end_point`
      → did you mean `endpoint`?
    ");
    assert_snapshot!(image("lifetimes.grants = \"1 hour\""), @r"
    loadlock.toml:11: there is no setting `profiles.image.lifetimes.grants`
      → did you mean `grant`?
    ");
    assert_snapshot!(image("metadata.title.requird = true"), @r"
    loadlock.toml:11: there is no setting `profiles.image.metadata.title.requird`
      → did you mean `required`?
    ");
    assert_snapshot!(image("colour = \"red\""), @r"
    loadlock.toml:11: there is no setting `profiles.image.colour`
      → one of admits, types, extensions, min_size, max_size, max_files, methods, key, promote, read, link_lifetime, active_content, inspect, lifetimes, metadata, other_metadata, checksum, storage, quotas
    ");
    assert_snapshot!(faults(&[TOP, STORE, IMAGE].concat(), &[("LOADLOCK_STORE_REGOIN", "x")]), @r"
    LOADLOCK_STORE_REGOIN: there is no such setting
      → LOADLOCK_STORE_REGION
    ");
}

#[test]
fn a_value_of_another_type_is_told_what_it_is() {
    assert_snapshot!(top("listen = 8080"), @r#"
    loadlock.toml:3: `listen` is a number
      → "127.0.0.1:8080"
    "#);
    assert_snapshot!(top("origins = \"https://app.example.com\""), @r#"
    loadlock.toml:3: `origins` is a text in quotes, and no list
      → ["https://app.example.com"]
    "#);
    assert_snapshot!(top("origins = [1]"), @r#"
    loadlock.toml:3: `origins` is a number
      → "https://app.example.com"
    "#);
    assert_snapshot!(top("store = 1").lines().next().unwrap(), @"loadlock.toml:4: this is no TOML: duplicate key");
    assert_snapshot!(top("profiles = [1]").lines().next().unwrap(), @"loadlock.toml:9: this is no TOML: cannot extend value of type array with a dotted key");
    assert_snapshot!(top("api_keys = [\"x\"]"), @r"
    loadlock.toml:3: `api_keys` is no list of sections
      → [[api_keys]]
    ");
    assert_snapshot!(store("conditional_writes = \"true\""), @r"
    loadlock.toml:8: `store.conditional_writes` is a text in quotes
      → true or false, without quotes
    ");
    assert_snapshot!(store("server = \"x\""), @r"
    loadlock.toml:8: `store.server` is no section
      → [store.server]
    ");
    assert_snapshot!(image("max_size = 1.5"), @r#"
    loadlock.toml:10: `profiles.image.max_size` is a number with a fraction
      → "25 MiB", or a number of bytes
    "#);
    assert_snapshot!(image("max_files = \"3\""), @r"
    loadlock.toml:11: `profiles.image.max_files` is a text in quotes
      → a whole number from 1
    ");
}

#[test]
fn addresses_and_origins_are_whole_and_bare() {
    assert_snapshot!(top("listen = \"8080\""), @r#"
    loadlock.toml:3: `listen`: "8080" is no IP address with a port
      → "127.0.0.1:8080"
    "#);
    assert_snapshot!(top("origins = [\"https://app.example.com/form\"]"), @r#"
    loadlock.toml:3: `origins`: "https://app.example.com/form" has a path; an origin is scheme, host and port
      → "https://app.example.com"
    "#);
    assert_snapshot!(top("origins = [\"*\"]"), @r#"
    loadlock.toml:3: `origins`: "*" does not begin with https:// or http://
      → "https://app.example.com"
    "#);
    assert_snapshot!(store("endpoint = \"s3.example.com\""), @r#"
    loadlock.toml:7: `store.endpoint`: "s3.example.com" does not begin with https:// or http://
      → "https://s3.example.com"
    "#);
    assert_snapshot!(store("public_endpoint = \"https://s3.example.com/?x\""), @r#"
    loadlock.toml:8: `store.public_endpoint`: "https://s3.example.com/?x" has a user, query or fragment, which are no part of it
      → "https://s3.eu-central-1.amazonaws.com"
    "#);
}

#[test]
fn secrets_are_long_and_keys_are_not_pasted_where_their_hash_belongs() {
    assert_snapshot!(top("user_secrets = [\"too short\"]"), @r#"
    loadlock.toml:3: `user_secrets` has a secret of 9 characters, which may be guessed
      → "at least 32 characters that nobody can guess"
    "#);
    let key = |text: &str| format!("[[api_keys]]\nname = \"shop\"\nsha256 = \"{text}\"");
    assert_snapshot!(top(&key("llk_Qm9uam91cg")), @r"
    loadlock.toml:5: `api_keys.sha256` is the key itself, which belongs in the application
      → its SHA-256; `loadlock key print` makes both
    ");
    assert_snapshot!(top(&key("abc")), @r"
    loadlock.toml:5: `api_keys.sha256` is no SHA-256
      → 64 hexadecimal digits; `loadlock key print` makes them
    ");
    assert_snapshot!(top(&key("abc").replace("shop", "my shop")), @r#"
    loadlock.toml:4: `api_keys.name`: "my shop" is no name, which is 1 to 64 letters, digits, hyphens and underscores
      → "shop"
    loadlock.toml:5: `api_keys.sha256` is no SHA-256
      → 64 hexadecimal digits; `loadlock key print` makes them
    "#);
}

#[test]
fn every_key_has_a_name_of_its_own() {
    let hash = "0".repeat(64);
    let key = format!("[[api_keys]]\nname = \"shop\"\nsha256 = \"{hash}\"\n");
    let blog = key.replace("shop", "blog");
    assert_snapshot!(top(&[key.as_str(), &blog, &key].concat()), @r#"
    loadlock.toml:10: `api_keys.name` "shop" is there twice
      → a name of its own
    "#);
    let variable = format!("shop={hash},shop={hash}");
    let told = faults(
        &[TOP, STORE, IMAGE].concat(),
        &[("LOADLOCK_API_KEYS", &variable)],
    );
    assert_snapshot!(told, @r#"
    LOADLOCK_API_KEYS: `api_keys` "shop" is there twice
      → a name of its own
    "#);
}

#[test]
fn a_key_is_for_profiles_that_are_there_and_until_a_time() {
    let hash = "0".repeat(64);
    let key = |more: &str| format!("[[api_keys]]\nname = \"shop\"\nsha256 = \"{hash}\"\n{more}");
    assert_snapshot!(top(&key("profiles = [\"images\"]")), @r#"
    loadlock.toml:6: `api_keys.profiles` is "images", and there is no such profile
      → one of image
    "#);
    assert_snapshot!(top(&key("profiles = []")), @r#"
    loadlock.toml:6: `api_keys.profiles` is empty
      → ["image"]
    "#);
    assert_snapshot!(top(&key("expires_at = \"90 days\"")), @r#"
    loadlock.toml:6: `api_keys.expires_at`: "90 days" is no time
      → 2027-01-31, or 2027-01-31T12:00:00Z
    "#);
    for sound in [
        "profiles = [\"image\"]",
        "expires_at = 2027-01-31",
        "expires_at = 2027-01-31T12:00:00Z",
        "expires_at = \"2027-01-31\"",
    ] {
        loaded(&[TOP, &key(sound), "\n", STORE, IMAGE].concat(), &[]).unwrap();
    }
}

#[test]
fn buckets_are_two_and_can_be_addressed() {
    assert_snapshot!(store("final_bucket = \"example-staging\""), @r"
    loadlock.toml:7: `store.final_bucket` is the staging bucket too: clients could write there
      → another bucket
    ");
    assert_snapshot!(store("staging_bucket = \"a/b\""), @r#"
    loadlock.toml:7: `store.staging_bucket`: "a/b" is no bucket's name, which is 3 to 63 letters, digits, dots and hyphens
      → "example-files"
    "#);
    assert_snapshot!(store("region = \"eu central\""), @r#"
    loadlock.toml:7: `store.region`: "eu central" is no region's name
      → "eu-central-1"
    "#);
    assert_snapshot!(store("style = \"host\""), @r#"
    loadlock.toml:8: `store.style`: "host" is not known
      → "path" or "virtual"
    "#);
    assert_snapshot!(store("style = \"virtual\"\npublic_endpoint = \"http://10.0.0.5:9000\""), @r#"
    loadlock.toml:8: `store.style` is "virtual", but a bucket cannot be a subdomain of an IP address
      → "path", or an endpoint with a name
    "#);
    assert_snapshot!(store("staging_bucket = \"Example_Staging\"\nstyle = \"virtual\""), @r#"
    loadlock.toml:7: `store.staging_bucket` "Example_Staging" cannot be part of a host name, as the style "virtual" has it
      → lower-case letters, digits, dots and hyphens
    "#);
}

#[test]
fn an_identity_has_a_pair_or_a_profile() {
    assert_snapshot!(store("[store.uploader]"), @r#"
    loadlock.toml:8: `store.uploader.access_key_id` is missing
      → access_key_id = "AKIAIOSFODNN7EXAMPLE", or LOADLOCK_STORE_UPLOADER_ACCESS_KEY_ID
    loadlock.toml:8: `store.uploader.secret_access_key` is missing
      → secret_access_key = "…", or LOADLOCK_STORE_UPLOADER_SECRET_ACCESS_KEY
    "#);
    assert_snapshot!(store("server.access_key_id = \"SERVER\""), @r#"
    loadlock.toml:8: `store.server.secret_access_key` is missing
      → secret_access_key = "…", or LOADLOCK_STORE_SERVER_SECRET_ACCESS_KEY
    "#);
    assert_snapshot!(store("reader = { aws_profile = \"a\", access_key_id = \"b\" }"), @r"
    loadlock.toml:8: `store.reader.aws_profile` stands beside a key pair: only one can be meant
      → one of the two
    ");
    let half = [("LOADLOCK_STORE_READER_SECRET_ACCESS_KEY", "hush")];
    assert_snapshot!(faults(&[TOP, STORE, IMAGE].concat(), &half), @r#"
    loadlock.toml: `store.reader.access_key_id` is missing
      → access_key_id = "AKIAIOSFODNN7EXAMPLE", or LOADLOCK_STORE_READER_ACCESS_KEY_ID
    "#);
}

#[test]
fn a_profile_says_what_is_possible() {
    assert_snapshot!(image("types = []"), @r#"
    loadlock.toml:10: `profiles.image.types` is empty
      → ["image/jpeg", "image/*"]
    "#);
    assert_snapshot!(image("types = [\"image/png\", \"jpeg\"]"), @r#"
    loadlock.toml:10: `profiles.image.types`: "jpeg" is no media type
      → "image/jpeg", "image/*"
    "#);
    assert_snapshot!(image("extensions = [\".JPG\"]"), @r#"
    loadlock.toml:11: `profiles.image.extensions`: ".JPG" is written without the dot, in lower case
      → "jpg"
    "#);
    assert_snapshot!(image("max_size = \"25 megs\""), @r#"
    loadlock.toml:10: `profiles.image.max_size`: "25 megs" is no size
      → "25 MiB", or a number of bytes
    "#);
    assert_snapshot!(image("min_size = \"1 GiB\""), @r#"
    loadlock.toml:10: `profiles.image.max_size` is 25 MiB, and `min_size` 1 GiB: no file would fit
      → "1 GiB" or more
    "#);
    assert_snapshot!(image("max_size = \"6 TiB\""), @r#"
    loadlock.toml:10: `profiles.image.max_size` is 6 TiB, more than S3 can hold
      → "5 TiB" at most
    "#);
    assert_snapshot!(image("max_size = \"6 GiB\"\nmethods = [\"put\"]"), @r#"
    loadlock.toml:10: `profiles.image.max_size` is 6 GiB, more than S3 can hold
      → "5 GiB" at most, or "multipart" among the `methods`
    "#);
    assert_snapshot!(image("methods = []"), @r#"
    loadlock.toml:11: `profiles.image.methods` is empty
      → ["put", "post", "multipart" or "credentials"]
    "#);
    assert_snapshot!(image("methods = [\"PUT\"]"), @r#"
    loadlock.toml:11: `profiles.image.methods`: "PUT" is not known
      → "put", "post", "multipart" or "credentials"
    "#);
    assert_snapshot!(image("max_files = 0"), @r#"
    loadlock.toml:11: `profiles.image.max_files`: "0" is no such number
      → a whole number from 1
    "#);
    assert_snapshot!(image("key = \"{profile}/{user}\""), @r#"
    loadlock.toml:11: `profiles.image.key`: "{profile}/{user}" will not do: `{user}` is no placeholder of a key template
      → "{profile}/{owner}/{id}.{ext}"
    "#);
    assert_snapshot!(image("key = \"{profile}\""), @r#"
    loadlock.toml:11: `profiles.image.key`: "{profile}" will not do: a key template must contain `{id}`
      → "{profile}/{owner}/{id}.{ext}"
    "#);
    assert_snapshot!(image("read = \"everybody\""), @r#"
    loadlock.toml:11: `profiles.image.read`: "everybody" is not known
      → "public", "signed" or "owner"
    "#);
    assert_snapshot!(image("link_lifetime = \"30 days\""), @r#"
    loadlock.toml:11: `profiles.image.link_lifetime` is for files that are read by signed links
      → nothing, or read = "signed"
    "#);
    assert_snapshot!(image("promote = \"later\""), @r#"
    loadlock.toml:11: `profiles.image.promote`: "later" is not known
      → "on_complete" or "on_claim"
    "#);
    assert_snapshot!(image("active_content = \"run\""), @r#"
    loadlock.toml:11: `profiles.image.active_content`: "run" is not known
      → "refuse" or "attach"
    "#);
    assert_snapshot!(image("lifetimes.grant = \"8 days\""), @r#"
    loadlock.toml:11: `profiles.image.lifetimes.grant` is longer than any signature lives
      → "7 days" at most
    "#);
    assert_snapshot!(image("lifetimes.upload = \"a fortnight\""), @r#"
    loadlock.toml:11: `profiles.image.lifetimes.upload`: "a fortnight" is no length of time
      → "15 minutes"
    "#);
    assert_snapshot!(image("lifetimes = { upload = \"20 hours\", ready = \"5 hours\" }"), @r#"
    loadlock.toml:11: `profiles.image.lifetimes.upload` and `ready` are together more than a day, when the staging bucket clears away what was sent
      → "12 hours", and ready = "6 hours"
    "#);
    assert_snapshot!(image("[profiles.\"my photos\"]\ntypes = [\"*/*\"]\nmax_size = 1"), @r"
    loadlock.toml:11: `profiles.my photos` is no name, which is 1 to 64 letters, digits, hyphens and underscores
      → [profiles.image]
    ");
}

#[test]
fn upload_url_names_a_profile() {
    assert_snapshot!(top("upload_url = \"picture\""), @r#"
    loadlock.toml:3: `upload_url` is "picture", and there is no such profile
      → one of image
    "#);
}

#[test]
fn a_fault_of_the_environment_names_its_variable() {
    let variables = [
        ("LOADLOCK_STORE_CONDITIONAL_WRITES", "yes"),
        ("LOADLOCK_PROFILES_IMAGE_MAX_SIZE", "much"),
        ("LOADLOCK_API_KEYS", "shop"),
    ];
    assert_snapshot!(faults(&[TOP, STORE, IMAGE].concat(), &variables), @r#"
    LOADLOCK_API_KEYS: `api_keys` has no `=`
      → shop=64 hexadecimal digits
    LOADLOCK_PROFILES_IMAGE_MAX_SIZE: `profiles.image.max_size`: "much" is no size
      → "25 MiB", or a number of bytes
    LOADLOCK_STORE_CONDITIONAL_WRITES: `store.conditional_writes`: "yes" is not known
      → true or false, without quotes
    "#);
}

/// What is said of a file with these issuers more.
fn issuers(text: &str) -> String {
    faults(&[TOP, text, STORE, IMAGE].concat(), &[])
}

#[test]
fn an_issuer_that_anybody_could_speak_for_is_a_fault() {
    assert_snapshot!(issuers("[[issuers]]\n"), @r#"
    loadlock.toml:3: `issuers.issuer` is missing
      → issuer = "https://id.example.com", as tokens have it in `iss`, or LOADLOCK_ISSUERS_ISSUER
    loadlock.toml:3: `issuers.audience` is missing: tokens that were made for others would do
      → audience = ["https://uploads.example.com"]; for a user pool of Cognito, `client_ids`
    "#);
    assert_snapshot!(issuers(r#"[[issuers]]
issuer = "http://id.example.com"
audience = ["uploads"]
owner_prefix = "a:"
[[issuers]]
issuer = "shop"
owner_prefix = "shop:"
[[issuers]]
issuer = "https://id.example.org"
owner_prefix = "org:"
audience = ["uploads"]
jwks_url = "http://id.example.org/jwks"
leeway = "1 day"
"#), @r#"
    loadlock.toml:4: `issuers.issuer` "http://id.example.com" is not https, so that anybody on the way could forge keys
      → an address of https, or `jwks_url` beside it
    loadlock.toml:7: `issuers.audience` is missing: tokens that were made for others would do
      → audience = ["https://uploads.example.com"]; for a user pool of Cognito, `client_ids`
    loadlock.toml:8: `issuers.issuer` "shop" is no address
      → an address of https, or `jwks_url` beside it
    loadlock.toml:14: `issuers.jwks_url`: "http://id.example.org/jwks" is not https, so that anybody on the way could forge keys
      → "https://id.example.com/jwks"
    loadlock.toml:15: `issuers.leeway` is more than clocks differ: tokens would outlive their end
      → "10 minutes" at most
    "#);
}

#[test]
fn secrets_and_public_keys_are_not_mixed() {
    assert_snapshot!(issuers(r#"[[issuers]]
issuer = "shop"
audience = ["uploads"]
secrets = ["0123456789abcdef0123456789abcdef"]
algorithms = ["HS256", "RS256"]
jwks_url = "https://id.example.com/jwks"
owner_prefix = "shop:"
[[issuers]]
issuer = "https://id.example.com"
owner_prefix = "a:"
audience = ["uploads"]
algorithms = ["ES256", "HS256", "none"]
[[issuers]]
issuer = "https://id.example.org"
owner_prefix = "b:"
audience = ["uploads"]
algorithms = []
"#), @r#"
    loadlock.toml:7: `issuers.algorithms`: "RS256" is not taken
      → one of HS256, HS384, HS512: with `secrets` there are no others
    loadlock.toml:8: `issuers.jwks_url` stands beside `secrets`: a public key could be taken for one of them
      → one of the two
    loadlock.toml:14: `issuers.algorithms`: "HS256" is not taken
      → one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA; HS256, HS384, HS512 only with `secrets`
    loadlock.toml:14: `issuers.algorithms`: "none" is not taken
      → one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA; HS256, HS384, HS512 only with `secrets`
    loadlock.toml:19: `issuers.algorithms` is empty: no token would do
      → ["RS256"]
    "#);
}

#[test]
fn two_issuers_whose_users_could_be_taken_for_each_other_are_a_fault() {
    assert_snapshot!(issuers(r#"[[issuers]]
issuer = "https://id.example.com"
audience = ["uploads"]
[[issuers]]
issuer = "https://id.example.com"
client_ids = ["app"]
audience = ["uploads"]
owner_prefix = "staff:"
[[issuers]]
issuer = "https://id.example.org"
client_ids = ["app"]
token_use = ["access", "refresh"]
owner_prefix = "über:"
"#), @r#"
    loadlock.toml:7: `issuers.issuer` "https://id.example.com" is there twice
      → each issuer once
    loadlock.toml:8: `issuers.client_ids` stands beside `audience`: it is for the user pools of Cognito, whose tokens name the client
      → one of the two
    loadlock.toml:10: `issuers.owner_prefix` is "staff:", and that of "https://id.example.com" is "": a user of one could be taken for a user of the other
      → "staff:" for one, "guests:" for the other
    loadlock.toml:14: `issuers.token_use`: "refresh" is not known
      → "access" or "id"
    loadlock.toml:15: `issuers.owner_prefix`: "über:" is longer than 64 letters, or has others than ASCII's
      → "staff:"
    "#);
}

#[test]
fn variables_that_mean_none_of_several_issuers_are_a_fault() {
    let text = r#"[[issuers]]
issuer = "https://id.example.com"
audience = ["uploads"]
owner_prefix = "a:"
[[issuers]]
issuer = "https://id.example.org"
audience = ["uploads"]
owner_prefix = "b:"
"#;
    let said = [("LOADLOCK_ISSUERS_AUDIENCE", "uploads")];
    assert_snapshot!(faults(&[TOP, text, STORE, IMAGE].concat(), &said), @"
    LOADLOCK_ISSUERS_AUDIENCE: nothing says which of the [[issuers]] is meant
      → a line under the one that is
    ");
    let said = [("LOADLOCK_ISSUERS_ISSUER", "http://id.example.com")];
    assert_snapshot!(faults(&[TOP, STORE, IMAGE].concat(), &said), @r#"
    LOADLOCK_ISSUERS_*: `issuers.audience` is missing: tokens that were made for others would do
      → audience = ["https://uploads.example.com"]; for a user pool of Cognito, `client_ids`
    LOADLOCK_ISSUERS_ISSUER: `issuers.issuer` "http://id.example.com" is not https, so that anybody on the way could forge keys
      → an address of https, or `jwks_url` beside it
    "#);
}

#[test]
fn sound_issuers_have_none() {
    let text = r#"[[issuers]]
issuer = "https://id.example.com/realms/example"
audience = ["uploads"]
owner_prefix = "a:"
[[issuers]]
issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE"
client_ids = ["app"]
token_use = ["access"]
owner_prefix = "b:"
[[issuers]]
issuer = "shop"
audience = ["uploads"]
secrets = ["0123456789abcdef0123456789abcdef"]
owner_prefix = "c:"
[[issuers]]
issuer = "http://127.0.0.1:8180/"
audience = ["uploads"]
owner_prefix = "d:"
[[issuers]]
issuer = "accounts.example.com"
jwks_url = "https://keys.example.com/jwks?policy=sign-in"
audience = ["uploads"]
owner_prefix = "e:"
"#;
    let found = loaded(&[TOP, text, STORE, IMAGE].concat(), &[]).unwrap();
    assert_eq!(found.config.issuers.len(), 5);
}

#[test]
fn rules_of_form_data_and_checksums_make_sense() {
    assert_snapshot!(image("metadata.zip.pattern = \"a)|(b\""), @r#"
    loadlock.toml:11: `profiles.image.metadata.zip.pattern`: "a)|(b" will not do: unopened group
      → "[0-9]{5}"
    "#);
    assert_snapshot!(image("metadata.zip.values = []\nmetadata.zip.pattern = \"[0-9\""), @r#"
    loadlock.toml:12: `profiles.image.metadata.zip.pattern`: "[0-9" will not do: unclosed character class
      → "[0-9]{5}"
    "#);
    assert_snapshot!(image("checksum = \"sha256\""), @r#"
    loadlock.toml:11: `profiles.image.checksum` is "sha256", which no store knows of a file sent in parts
      → methods = ["put", "post"] beside it
    "#);
    assert_snapshot!(image("key = \"{sha256}/{id}\""), @r#"
    loadlock.toml:11: `profiles.image.key` has {sha256} in it, which nobody need give
      → checksum = "sha256" beside it
    "#);
    assert_snapshot!(image("key = \"{name}\""), @r#"
    loadlock.toml:11: `profiles.image.key`: "{name}" will not do: a key template must contain `{id}`
      → "{profile}/{owner}/{id}.{ext}"
    "#);
    assert_snapshot!(image("other_metadata = \"drop\"\nchecksum = \"md5\""), @r#"
    loadlock.toml:11: `profiles.image.other_metadata`: "drop" is not known
      → "take" or "refuse"
    loadlock.toml:12: `profiles.image.checksum`: "md5" is not known
      → "sha256" or "any"
    "#);
    let whole = "checksum = \"sha256\"\nmethods = [\"put\"]\nkey = \"{sha256}/{id}\"\n";
    loaded(&[TOP, STORE, IMAGE, whole].concat(), &[]).unwrap();
    let named = [TOP, "upload_url = \"image\"\n", STORE, IMAGE, whole].concat();
    assert_snapshot!(faults(&named, &[]), @r#"
    loadlock.toml:3: `upload_url` is "image", which takes nothing without a checksum, and such clients send none
      → a profile without `checksum`
    "#);
}

#[test]
fn how_files_are_to_lie_is_what_s3_knows() {
    assert_snapshot!(image("storage.class = \"DEEP_ARCHIVE\""), @r#"
    loadlock.toml:11: `profiles.image.storage.class`: "DEEP_ARCHIVE" is an archive, from which nothing can be shown
      → "GLACIER_IR"
    "#);
    assert_snapshot!(image("storage.class = \"cheap\""), @r#"
    loadlock.toml:11: `profiles.image.storage.class`: "cheap" is no storage class
      → "STANDARD_IA"
    "#);
    assert_snapshot!(image("storage.encryption = \"aes\""), @r#"
    loadlock.toml:11: `profiles.image.storage.encryption`: "aes" is not known
      → "AES256" or "aws:kms"
    "#);
    assert_snapshot!(image("storage.kms_key = \"k\"\nstorage.encryption = \"AES256\""), @r#"
    loadlock.toml:11: `profiles.image.storage.kms_key` is for encryption by a key management service
      → encryption = "aws:kms" beside it
    "#);
    assert_snapshot!(image("storage.cache_control = \"a\\nb\""), @r#"
    loadlock.toml:11: `profiles.image.storage.cache_control`: "a\u000Ab" cannot stand in a header
      → "public, max-age=3600"
    "#);
    assert_snapshot!(image("storage.tags.\"aws:x\" = \"1\"\nstorage.tags.b = \"{name}\""), @r#"
    loadlock.toml:11: `profiles.image.storage.tags.aws:x` is no tag's name, which is 1 to 128 letters, digits, spaces and + - = . _ : / @
      → team = "photos"
    loadlock.toml:12: `profiles.image.storage.tags.b`: "{name}" is no tag's value, which is up to 100 letters, digits, spaces and + - = . _ : / @, with {owner}, {profile} and {id} among them, once each
      → "photos", "{owner}"
    "#);
}

#[test]
fn whom_a_profile_admits_is_said_by_claims() {
    assert_snapshot!(image("admits.claims.roles = []"), @r#"
    loadlock.toml:11: `profiles.image.admits.claims.roles` is empty
      → ["editor"]
    "#);
    assert_snapshot!(image("admits.anonymous = \"yes\""), @r"
    loadlock.toml:11: `profiles.image.admits.anonymous` is a text in quotes
      → true or false, without quotes
    ");
    let both =
        "admits.anonymous = true\nadmits.claims.roles = [\"editor\"]\nadmits.claims.team = [\"a\"]";
    assert_snapshot!(image(both), @r"
    loadlock.toml:11: `profiles.image.admits.anonymous` is true beside `claims`: whoever lacks these would come in without a token
      → one of the two
    ");
}

#[test]
fn an_authorizer_is_called_safely() {
    let authorizer =
        |lines: &str| faults(&[TOP, STORE, IMAGE, "[authorizer]\n", lines].concat(), &[]);
    assert_snapshot!(authorizer(""), @r#"
    loadlock.toml:11: `authorizer.url` is missing
      → url = "https://app.example.com/hooks/loadlock", or LOADLOCK_AUTHORIZER_URL
    loadlock.toml:11: `authorizer.secret` is missing
      → secret = "whsec_…", with 24 to 64 random bytes in base64, or LOADLOCK_AUTHORIZER_SECRET
    "#);
    let wrong = "url = \"http://app.example.com/may\"\nsecret = \"whsec_short\"\ntimeout = \"1 minute\"\nprofiles = [\"picture\"]\n";
    assert_snapshot!(authorizer(wrong), @r#"
    loadlock.toml:12: `authorizer.url`: "http://app.example.com/may" is not https, nor on this machine
      → "https://app.example.com/hooks/loadlock"
    loadlock.toml:13: `authorizer.secret` is no secret of Standard Webhooks
      → "whsec_…", with 24 to 64 random bytes in base64
    loadlock.toml:14: `authorizer.timeout` is longer than anybody waits who wants to upload
      → "30 seconds" at most
    loadlock.toml:15: `authorizer.profiles` is "picture", and there is no such profile
      → one of image
    "#);
}

/// What is said of a file with these sections more.
fn beside(sections: &str) -> String {
    faults(&[TOP, STORE, IMAGE, sections].concat(), &[])
}

#[test]
fn temporary_credentials_come_from_somewhere_and_end() {
    assert_snapshot!(beside("[credentials]\n"), @r#"
    loadlock.toml:11: `credentials.via` is missing
      → via = "sts", "web_identity" or "cognito", or LOADLOCK_CREDENTIALS_VIA
    "#);
    assert_snapshot!(beside("[credentials]\nvia = \"iam\"\nlifetime = \"13 hours\"\nendpoint = \"sts\"\nrole_arn = \"x\"\nrole = \"x\"\n"), @r#"
    loadlock.toml:12: `credentials.via`: "iam" is not known
      → "sts", "web_identity" or "cognito"
    loadlock.toml:13: `credentials.lifetime` is none that such keys can have
      → "15 minutes" to "12 hours"
    loadlock.toml:14: `credentials.endpoint`: "sts" does not begin with https:// or http://
      → "https://sts"
    loadlock.toml:16: there is no setting `credentials.role`
      → one of via, endpoint, lifetime, per_owner, role_arn, identity_pool, login
    "#);
    assert_snapshot!(beside("[credentials]\nvia = \"sts\"\nlifetime = \"14 minutes\"\n"), @r#"
    loadlock.toml:11: `credentials.role_arn` is missing
      → role_arn = "arn:aws:iam::123456789012:role/uploads", or LOADLOCK_CREDENTIALS_ROLE_ARN
    loadlock.toml:13: `credentials.lifetime` is none that such keys can have
      → "15 minutes" to "12 hours"
    "#);
    assert_snapshot!(beside("[credentials]\nvia = \"web_identity\"\nrole_arn = \"uploads\"\n"), @r#"
    loadlock.toml:13: `credentials.role_arn`: "uploads" is no ARN
      → "arn:aws:iam::123456789012:role/uploads"
    "#);
    assert_snapshot!(beside("[credentials]\nvia = \"cognito\"\n"), @r#"
    loadlock.toml:11: `credentials.identity_pool` is missing
      → identity_pool = "eu-central-1:128d0a74-c82f-4553-916d-90053e4a8b0f", or LOADLOCK_CREDENTIALS_IDENTITY_POOL
    loadlock.toml:11: `credentials.login` is missing
      → login = "cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example", or LOADLOCK_CREDENTIALS_LOGIN
    "#);
    assert_snapshot!(beside("[credentials]\nvia = \"cognito\"\nidentity_pool = \"\"\nlogin = \" \"\nrole_arn = \"arn:x\"\n"), @r#"
    loadlock.toml:13: `credentials.identity_pool`: "" is empty
      → "eu-central-1:128d0a74-c82f-4553-916d-90053e4a8b0f"
    loadlock.toml:14: `credentials.login`: " " is empty
      → "cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example"
    loadlock.toml:15: there is no setting `credentials.role_arn`
      → one of via, endpoint, lifetime, per_owner, identity_pool, login
    "#);
}

#[test]
fn temporary_credentials_are_offered_only_where_they_can_be_had() {
    assert_snapshot!(image("methods = [\"put\", \"credentials\"]"), @r#"
    loadlock.toml:11: `profiles.image.methods` has "credentials", and nothing says where these come from
      → a section [credentials] with `via`
    "#);
    let given =
        "[credentials]\nvia = \"sts\"\nrole_arn = \"arn:aws:iam::123456789012:role/uploads\"\n";
    let decided = "[authorizer]\nurl = \"https://app.example.com/may\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    let offers = "methods = [\"put\", \"credentials\"]\n";
    let checked = [offers, "checksum = \"sha256\"\n"].concat();
    assert_snapshot!(beside(&[&checked, given].concat()), @r#"
    loadlock.toml:11: `profiles.image.methods` has "credentials", by which no checksum is given beforehand
      → `methods` without it, or no `checksum`
    "#);
    assert_snapshot!(beside(&[offers, given, decided].concat()), @r#"
    loadlock.toml:11: `profiles.image.methods` has "credentials", and the authorizer decides on the profile: about what such keys write nobody asks it
      → `methods` without it, or an [authorizer] whose `profiles` leave this one out
    "#);
    let other = "profiles = [\"video\"]\n[profiles.video]\ntypes = [\"video/*\"]\nmax_size = 1\n";
    let sound = [TOP, STORE, IMAGE, offers, given, decided, other].concat();
    loaded(&sound, &[]).unwrap();
}

#[test]
fn who_scans_is_there_and_called_safely() {
    assert_snapshot!(beside("[scanning]\nclamd = \"127.0.0.1:3310\"\ntimeout = \"soon\"\nat_once = 0\n"), @r#"
    loadlock.toml:12: `scanning.clamd`: "127.0.0.1:3310" is no such address
      → "tcp://127.0.0.1:3310" or "unix:///run/clamav/clamd.ctl"
    loadlock.toml:13: `scanning.timeout`: "soon" is no length of time
      → "15 minutes"
    loadlock.toml:14: `scanning.at_once`: "0" is no such number
      → a whole number from 1
    "#);
    assert_snapshot!(beside("[scanning]\nclamd = \"unix://clamd.ctl\"\n[scanning.hooks.faces]\n"), @r#"
    loadlock.toml:12: `scanning.clamd`: "unix://clamd.ctl" is no such address
      → "tcp://127.0.0.1:3310" or "unix:///run/clamav/clamd.ctl"
    loadlock.toml:13: `scanning.hooks.faces.url` is missing
      → url = "https://app.example.com/hooks/loadlock", or LOADLOCK_SCANNING_HOOKS_FACES_URL
    loadlock.toml:13: `scanning.hooks.faces.secret` is missing
      → secret = "whsec_…", with 24 to 64 random bytes in base64, or LOADLOCK_SCANNING_HOOKS_FACES_SECRET
    "#);
    assert_snapshot!(beside("[scanning.hooks.\"my hook\"]\nurl = \"http://scan.example.com/\"\nsecret = \"whsec_c2hvcnQ=\"\ntimeout = 5\n"), @r#"
    loadlock.toml:11: `scanning.hooks.my hook` is no name, which is 1 to 64 letters, digits, hyphens and underscores
      → [scanning.hooks.pictures]
    loadlock.toml:12: `scanning.hooks.my hook.url`: "http://scan.example.com/" is not https, nor on this machine
      → "https://app.example.com/hooks/loadlock"
    loadlock.toml:13: `scanning.hooks.my hook.secret` is no secret of Standard Webhooks
      → "whsec_…", with 24 to 64 random bytes in base64
    loadlock.toml:14: `scanning.hooks.my hook.timeout` is a number
      → "15 minutes"
    "#);
}

#[test]
fn what_is_inspected_is_within_what_can_be() {
    let numbers =
        "inspect = { max_width = 0, max_height = \"10\", max_pixels = \"many\", clamav = 1 }";
    assert_snapshot!(image(numbers), @r#"
    loadlock.toml:11: `profiles.image.inspect.max_width`: "0" is no such number
      → a whole number from 1
    loadlock.toml:11: `profiles.image.inspect.max_height` is a text in quotes
      → a whole number from 1
    loadlock.toml:11: `profiles.image.inspect.max_pixels`: "many" is no number of pixels
      → "100 MP", a number of pixels, or "any"
    loadlock.toml:11: `profiles.image.inspect.clamav` is a number
      → true or false, without quotes
    "#);
    assert_snapshot!(image("inspect = { mismatch = \"take\", unscanned = \"pass\" }"), @r#"
    loadlock.toml:11: `profiles.image.inspect.mismatch`: "take" is not known
      → "refuse" or "correct"
    loadlock.toml:11: `profiles.image.inspect.unscanned`: "pass" is not known
      → "reject" or "hold"
    "#);
    assert_snapshot!(image("inspect = { patience = \"7 days\", hold_for = \"145 hours\", quarantine = \"31 days\" }"), @r#"
    loadlock.toml:11: `profiles.image.inspect.patience` is longer than the staging bucket keeps such things
      → "6 days" at most
    loadlock.toml:11: `profiles.image.inspect.hold_for` is longer than the staging bucket keeps such things
      → "6 days" at most
    loadlock.toml:11: `profiles.image.inspect.quarantine` is longer than the staging bucket keeps such things
      → "30 days" at most
    "#);
    assert_snapshot!(image("inspect = { clamav = true, hooks = [\"faces\", \"a b\"] }"), @r#"
    loadlock.toml:11: `profiles.image.inspect.hooks`: "a b" is no name, which is 1 to 64 letters, digits, hyphens and underscores
      → "pictures"
    "#);
    assert_snapshot!(image("inspect = { clamav = true, hooks = [\"faces\"] }"), @r#"
    loadlock.toml:11: `profiles.image.inspect.clamav` is true, and nothing says where clamd listens
      → [scanning] clamd = "tcp://127.0.0.1:3310" or "unix:///run/clamav/clamd.ctl"
    loadlock.toml:11: `profiles.image.inspect.hooks` has "faces", and there is no such hook
      → [scanning.hooks.faces]
    "#);
    let sound = "inspect = { max_pixels = \"any\", patience = \"6 days\", hold_for = \"6 days\", quarantine = \"30 days\" }\n";
    loaded(&[TOP, STORE, IMAGE, sound].concat(), &[]).unwrap();
}

#[test]
fn limits_are_rates_and_proxies_are_networks() {
    let limits = r#"[limits]
per_owner = "600"
per_address = "0 per minute"
per_key = "10 per fortnight"
failures = "60 per minute, burst 0"
trusted_proxies = ["10.0.0.0/33", "proxy.example.com", "10.0.0.1/8"]
"#;
    assert_snapshot!(beside(limits), @r#"
    loadlock.toml:12: `limits.per_owner`: "600" is no rate
      → "60 per minute", "60 per minute, burst 120" or "off"
    loadlock.toml:13: `limits.per_address`: "0 per minute" is no rate
      → "60 per minute", "60 per minute, burst 120" or "off"
    loadlock.toml:14: `limits.per_key`: "10 per fortnight" is no rate
      → "60 per minute", "60 per minute, burst 120" or "off"
    loadlock.toml:15: `limits.failures`: "60 per minute, burst 0" is no rate
      → "60 per minute", "60 per minute, burst 120" or "off"
    loadlock.toml:16: `limits.trusted_proxies`: "10.0.0.0/33" is neither a network nor an address
      → "10.0.0.0/8", "fd00::1"
    loadlock.toml:16: `limits.trusted_proxies`: "proxy.example.com" is neither a network nor an address
      → "10.0.0.0/8", "fd00::1"
    "#);
    assert_snapshot!(beside("[limits]\nper_owner = 600\nper_user = \"off\"\ntrusted_proxies = \"::1\"\n"), @r#"
    loadlock.toml:12: `limits.per_owner` is a number
      → "60 per minute", "60 per minute, burst 120" or "off"
    loadlock.toml:13: there is no setting `limits.per_user`
      → one of per_owner, per_address, per_key, failures, trusted_proxies
    loadlock.toml:14: `limits.trusted_proxies` is a text in quotes, and no list
      → ["10.0.0.0/8", "fd00::1"]
    "#);
    let sound = "[limits]\nper_owner = \"off\"\nper_key = \"5 per second, burst 1\"\ntrusted_proxies = [\"10.0.0.0/8\", \"2001:db8::1\"]\n";
    loaded(&[TOP, STORE, IMAGE, sound].concat(), &[]).unwrap();
}

#[test]
fn quotas_are_sizes_and_counts() {
    let quotas = "stored_bytes = \"much\"\nstored_files = 0\nopen_bytes = -1\nopen_files = \"3\"\nuploads_per_day = 1.5\n";
    assert_snapshot!(beside(&["[quotas.owner]\n", quotas].concat()), @r#"
    loadlock.toml:12: `quotas.owner.stored_bytes`: "much" is no size
      → "25 MiB", or a number of bytes
    loadlock.toml:13: `quotas.owner.stored_files`: "0" is no such number
      → a whole number from 1
    loadlock.toml:14: `quotas.owner.open_bytes`: "-1" is no size
      → "25 MiB", or a number of bytes
    loadlock.toml:15: `quotas.owner.open_files` is a text in quotes
      → a whole number from 1
    loadlock.toml:16: `quotas.owner.uploads_per_day` is a number with a fraction
      → a whole number from 1
    "#);
    assert_snapshot!(beside(&["[profiles.image.quotas.all]\n", quotas].concat()), @r#"
    loadlock.toml:12: `profiles.image.quotas.all.stored_bytes`: "much" is no size
      → "25 MiB", or a number of bytes
    loadlock.toml:13: `profiles.image.quotas.all.stored_files`: "0" is no such number
      → a whole number from 1
    loadlock.toml:14: `profiles.image.quotas.all.open_bytes`: "-1" is no size
      → "25 MiB", or a number of bytes
    loadlock.toml:15: `profiles.image.quotas.all.open_files` is a text in quotes
      → a whole number from 1
    loadlock.toml:16: `profiles.image.quotas.all.uploads_per_day` is a number with a fraction
      → a whole number from 1
    "#);
    assert_snapshot!(beside("[quotas.all]\nstored_files = 1\n"), @r"
    loadlock.toml:11: there is no setting `quotas.all`
      → one of owner
    ");
    assert_snapshot!(image("quotas.stored_files = 1\nquotas.owner.open_file = 1"), @r"
    loadlock.toml:11: there is no setting `profiles.image.quotas.stored_files`
      → one of owner, all
    loadlock.toml:12: there is no setting `profiles.image.quotas.owner.open_file`
      → did you mean `open_files`?
    ");
}

#[test]
fn the_audit_log_is_kept_for_a_time() {
    assert_snapshot!(beside("[audit]\nkeep = \"0 days\"\nkeeps = 1\n"), @r#"
    loadlock.toml:12: `audit.keep`: "0 days" is no length of time
      → "365 days" or "for ever"
    loadlock.toml:13: there is no setting `audit.keeps`
      → did you mean `keep`?
    "#);
}
