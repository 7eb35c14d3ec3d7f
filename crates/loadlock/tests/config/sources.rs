//! Where settings come from: the file, the environment over it, defaults.

use std::{fs, time::Duration};

use loadlock::{
    auth::issuers::{Audience, Issuer},
    bucket::{Credentials, ReaderIdentity, ServerIdentity, Source, Style, UploaderIdentity},
    config::{
        Config, Origins,
        file::{Place, load},
    },
    upload::{ActiveContent, Method, Promote, Read},
};

use crate::{IMAGE, STORE, TOP, environment, faults, loaded};

#[test]
fn the_least_that_is_said_makes_a_service() {
    let settings = loaded(&[TOP, STORE, IMAGE].concat(), &[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    let config = settings.config;
    assert_eq!(config.api_url, "https://uploads.example.com");
    assert!(config.records.ends_with("loadlock.db"));
    assert_eq!(config.origins, Origins::Listed(vec![]));
    assert!(config.tokens.is_empty() && config.user_secrets.is_empty());
    assert_eq!(config.upload_url, None);
    let store = config.store;
    assert_eq!(store.public_endpoint, store.endpoint);
    assert_eq!(store.style, Style::Path);
    assert!(store.conditional_writes);
    let UploaderIdentity(uploader) = store.uploader;
    assert_eq!(uploader, Source::Chain);
    let image = &config.profiles[0];
    assert_eq!((image.min_size_bytes, image.max_size_bytes), (1, 25 << 20));
    // Unless something else is said, a file is its owner's alone.
    assert_eq!(image.read, Read::Owner);
    assert_eq!(image.promote, Promote::OnComplete);
    assert_eq!(image.lifetimes.grant, Duration::from_mins(15));
}

#[test]
fn an_only_issuer_may_come_from_variables() {
    let variables = [
        ("LOADLOCK_ISSUERS_ISSUER", "https://id.example.com"),
        (
            "LOADLOCK_ISSUERS_AUDIENCE",
            "uploads,https://app.example.com",
        ),
    ];
    let listed = |config: &Config| match &config.issuers.as_slice() {
        [
            Issuer {
                name,
                audience: Audience::Listed(audience),
                owner_prefix,
                ..
            },
        ] => format!("{name} {audience:?} {owner_prefix}"),
        others => panic!("{others:?}"),
    };
    let settings = loaded(&[TOP, STORE, IMAGE].concat(), &variables).unwrap();
    assert_eq!(
        listed(&settings.config),
        r#"https://id.example.com ["uploads", "https://app.example.com"] "#
    );
    let file = r#"[[issuers]]
issuer = "https://id.example.org"
owner_prefix = "staff:"
"#;
    let settings = loaded(&[TOP, file, STORE, IMAGE].concat(), &variables[1..]).unwrap();
    assert_eq!(
        listed(&settings.config),
        r#"https://id.example.org ["uploads", "https://app.example.com"] staff:"#
    );
}

const EVERYTHING: &str = r#"
listen = "0.0.0.0:80"
public_url = "https://uploads.example.com/up/"
records = "data/records.db"
origins = ["https://app.example.com", "http://localhost:3000"]
secrets = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"]
user_secrets = ["00000000000000000000000000000000"]
upload_url = "image"

[[api_keys]]
name = "shop"
sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

[store]
endpoint = "http://10.0.0.5:9000"
public_endpoint = "https://files.example.com"
region = "garage"
style = "virtual"
staging_bucket = "example-staging"
final_bucket = "example-files"
conditional_writes = false
uploader = { access_key_id = "UPLOADER", secret_access_key = "hush" }
server.aws_profile = "loadlock-server"

[profiles.image]
types = ["image/jpeg", "image/*"]
extensions = ["jpg", "jpeg"]
min_size = 100
max_size = "1 MB"
max_files = 3
methods = ["post", "put"]
key = "{year}/{id}"
promote = "on_claim"
read = "public"
active_content = "attach"
lifetimes = { grant = "5 minutes", upload = "1 hour 30 minutes", ready = "2h", display = "1 day" }
metadata.title = { required = true, max_length = 200 }
metadata."caption of it".max_length = 0x10

[profiles.aaa]
types = ["*/*"]
max_size = 1
"#;

#[test]
fn everything_can_be_said_in_the_file() {
    let settings = loaded(EVERYTHING, &[]).unwrap();
    assert_eq!(settings.listen.to_string(), "0.0.0.0:80");
    let config = settings.config;
    assert_eq!(config.api_url, "https://uploads.example.com/up");
    assert!(config.records.ends_with("data/records.db"));
    assert!(config.origins.allow("http://localhost:3000"));
    assert!(!config.origins.allow("http://localhost:3001"));
    assert_eq!((config.tokens.len(), config.user_secrets.len()), (1, 1));
    assert_eq!(config.upload_url.as_deref(), Some("image"));
    let store = config.store;
    assert_eq!(store.public_endpoint, "https://files.example.com");
    assert_eq!(store.style, Style::VirtualHost);
    assert!(!store.conditional_writes);
    let UploaderIdentity(uploader) = store.uploader;
    assert_eq!(uploader, Credentials::new("UPLOADER", "hush").into());
    let ServerIdentity(server) = store.server;
    assert_eq!(server, Source::Profile("loadlock-server".to_owned()));
    let ReaderIdentity(reader) = store.reader;
    assert_eq!(reader, Source::Chain);
    let names: Vec<&str> = config.profiles.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["image", "aaa"], "in the order of the file");
    let image = &config.profiles[0];
    assert_eq!(image.types.len(), 2);
    assert_eq!(image.extensions, ["jpg", "jpeg"]);
    assert_eq!(
        (image.min_size_bytes, image.max_size_bytes),
        (100, 1_000_000)
    );
    assert_eq!(image.max_files, 3);
    assert_eq!(image.methods, [Method::Post, Method::Put]);
    assert_eq!(image.promote, Promote::OnClaim);
    assert_eq!(image.read, Read::Public);
    assert_eq!(image.active_content, ActiveContent::Attach);
    assert_eq!(image.lifetimes.upload, Duration::from_mins(90));
    assert_eq!(image.lifetimes.display, Duration::from_hours(24));
    assert!(image.metadata["title"].required);
    assert_eq!(image.metadata["title"].max_length_bytes, 200);
    assert_eq!(image.metadata["caption of it"].max_length_bytes, 16);
}

#[test]
fn the_environment_goes_over_the_file() {
    let settings = loaded(
        &[TOP, STORE, IMAGE].concat(),
        &[
            ("LOADLOCK_LISTEN", "[::1]:9999"),
            ("LOADLOCK_RECORDS", "elsewhere.db"),
            ("LOADLOCK_ORIGINS", "https://a.example, https://b.example"),
            ("LOADLOCK_STORE_STYLE", "virtual"),
            ("LOADLOCK_STORE_CONDITIONAL_WRITES", "false"),
            ("LOADLOCK_STORE_UPLOADER_ACCESS_KEY_ID", "UPLOADER"),
            ("LOADLOCK_STORE_UPLOADER_SECRET_ACCESS_KEY", "hush"),
            ("LOADLOCK_STORE_SERVER_AWS_PROFILE", "back"),
            (
                "LOADLOCK_API_KEYS",
                "shop=2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
            ),
            ("LOADLOCK_PROFILES_IMAGE_MAX_SIZE", "1 KiB"),
            ("LOADLOCK_PROFILES_IMAGE_MAX_FILES", "7"),
            ("LOADLOCK_PROFILES_IMAGE_LIFETIMES_GRANT", "1 minute"),
            ("LOADLOCK_PROFILES_IMAGE_METADATA_TITLE_REQUIRED", "true"),
            ("LOADLOCK_PROFILES_RAW_DATA_TYPES", "*/*"),
            ("LOADLOCK_PROFILES_RAW_DATA_MAX_SIZE", "2"),
        ],
    )
    .unwrap();
    assert_eq!(settings.listen.to_string(), "[::1]:9999");
    let config = settings.config;
    assert_eq!(config.records.to_str(), Some("elsewhere.db"));
    assert!(config.origins.allow("https://b.example"));
    assert_eq!(config.store.style, Style::VirtualHost);
    assert!(!config.store.conditional_writes);
    let UploaderIdentity(uploader) = config.store.uploader;
    assert_eq!(uploader, Credentials::new("UPLOADER", "hush").into());
    let ServerIdentity(server) = config.store.server;
    assert_eq!(server, Source::Profile("back".to_owned()));
    assert_eq!(config.tokens.len(), 1);
    let [image, raw] = config.profiles.as_slice() else {
        panic!("{:?}", config.profiles)
    };
    assert_eq!((image.max_size_bytes, image.max_files), (1024, 7));
    assert_eq!(image.lifetimes.grant, Duration::from_mins(1));
    assert!(image.metadata["title"].required);
    assert_eq!((raw.name.as_str(), raw.max_size_bytes), ("raw_data", 2));
    let told = settings.effective.iter().find(|one| one.name == "listen");
    let place = Place::Variable("LOADLOCK_LISTEN".to_owned());
    assert_eq!(told.unwrap().place, Some(place));
}

#[test]
fn the_environment_alone_is_enough() {
    let all = environment(&[
        ("LOADLOCK_PUBLIC_URL", "https://uploads.example.com"),
        ("LOADLOCK_SECRETS", "0123456789abcdef0123456789abcdef"),
        ("LOADLOCK_STORE_ENDPOINT", "https://s3.example.com"),
        ("LOADLOCK_STORE_REGION", "eu-central-1"),
        ("LOADLOCK_STORE_STAGING_BUCKET", "example-staging"),
        ("LOADLOCK_STORE_FINAL_BUCKET", "example-files"),
        ("LOADLOCK_PROFILES_IMAGE_TYPES", "image/png,image/jpeg"),
        ("LOADLOCK_PROFILES_IMAGE_MAX_SIZE", "25 MiB"),
    ]);
    let config = load(None, &all).unwrap().config;
    assert_eq!(config.profiles[0].types.len(), 2);
    assert_eq!(config.records.to_str(), Some("./loadlock.db"));
}

#[test]
fn a_path_in_the_file_is_meant_from_where_the_file_lies() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.toml");
    fs::write(&path, [TOP, "records = \"r.db\"\n", STORE, IMAGE].concat()).unwrap();
    let records = load(Some(&path), &environment(&[])).unwrap().config.records;
    assert_eq!(records, dir.path().join("r.db"));
}

#[test]
fn what_is_shown_of_the_settings_holds_no_secret() {
    let key = r#"[store.server]
access_key_id = "SERVER"
secret_access_key = "hush-hush"
"#;
    let user = "user_secrets = [\"a-secret-of-thirty-two-characters\"]\n";
    let text = [TOP, user, STORE, key, IMAGE].concat();
    let settings = loaded(
        &text,
        &[
            ("LOADLOCK_STORE_UPLOADER_ACCESS_KEY_ID", "U"),
            ("LOADLOCK_STORE_UPLOADER_SECRET_ACCESS_KEY", "hush-too"),
        ],
    )
    .unwrap();
    let shown = format!("{settings:?}");
    for secret in ["hush", "0123456789abcdef", "a-secret-of"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let faulty = faults(
        &text.replace("thirty-two-characters", "few"),
        &[("LOADLOCK_STORE_SERVER_SECRET_ACCESS_KEY", " ")],
    );
    assert!(!faulty.contains("a-secret-of"), "{faulty}");
}

#[test]
fn other_programs_variables_are_left_alone() {
    let variables = [
        ("LOADLOCK_LOG", "info"),
        ("LOADLOCK_API", "http://127.0.0.1"),
        ("LOADLOCK_API_KEY", "llk_x"),
        ("LOADLOCK_TOKEN", "llu_x"),
        // As Kubernetes sets them for a service of this name.
        ("LOADLOCK_PORT", "tcp://10.0.0.1:80"),
        ("LOADLOCK_SERVICE_HOST", "10.0.0.1"),
        ("LOADLOCK_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("LOADLOCK_STORE_SERVICE_PORT", "80"),
    ];
    loaded(&[TOP, STORE, IMAGE].concat(), &variables).unwrap();
}

#[test]
fn the_audit_log_is_kept_as_long_as_is_said() {
    let check = |line: &str, days: Option<u64>| {
        let text = [TOP, STORE, IMAGE, "[audit]\n", line].concat();
        let keep = loaded(&text, &[]).unwrap().config.audit.keep;
        assert_eq!(
            keep,
            days.map(|days| Duration::from_hours(24 * days)),
            "{line}"
        );
    };
    check("", Some(365));
    check("keep = \"30 days\"", Some(30));
    check("keep = \"for ever\"", None);
    let told = faults(
        &[TOP, STORE, IMAGE, "[audit]\nkeep = \"long\""].concat(),
        &[],
    );
    let expected = "\"long\" is no length of time\n  → \"365 days\" or \"for ever\"";
    assert!(told.contains(expected), "{told}");
}
