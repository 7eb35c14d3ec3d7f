//! `loadlock init`, `config`, `key` and `serve`, the built program, on a store that is not its own.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use reqwest::{Client, Response, redirect};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    media::{self, JPEG},
    program::{Dev, loadlock, run, stderr, stdout},
    provisioned::Provisioned,
};

/// A directory with what `init --yes` wrote, and a store that knows the keys of it.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
    pub(crate) store: Dev,
    pub(crate) key: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = init(
            dir.path(),
            &["--keys", "own", "--endpoint", "http://127.0.0.1:9"],
        );
        let identities = dir.path().join("store.json");
        fs::write(&identities, store_settings(dir.path()).to_string()).unwrap();
        let data = dir.path().join("store");
        let [data, identities] = [&data, &identities].map(|path| path.to_str().unwrap());
        let store = Dev::run(&[
            "store",
            "--port",
            "0",
            "--domain",
            "localhost",
            "--data",
            data,
            "--config",
            identities,
        ]);
        let key = made["key"].as_str().unwrap().to_owned();
        Self { dir, store, key }
    }

    /// `loadlock serve` on this store, with these variables too.
    pub(crate) fn serve(&self, variables: &[(&str, &str)]) -> Dev {
        let mut command = loadlock();
        command
            .arg("serve")
            .current_dir(self.dir.path())
            .env("LOADLOCK_LISTEN", "127.0.0.1:0")
            .env("LOADLOCK_STORE_ENDPOINT", self.store.said("s3"))
            .envs(variables.iter().copied());
        Dev::spawn(&mut command)
    }

    /// Begins an upload of a photo.
    pub(crate) async fn begin(&self, serve: &Dev) -> Value {
        let wish = json!({"profile": "image", "filename": "a.jpg", "content_type": "image/jpeg", "size": JPEG.len(), "owner": "me"});
        let request = http().post(format!("{}/v1/uploads", serve.said("listen")));
        let answer = request.bearer_auth(&self.key).json(&wish).send().await;
        answer
            .unwrap()
            .error_for_status()
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    fn port(&self) -> u16 {
        self.store.port("s3").parse().unwrap()
    }
}

fn http() -> Client {
    client(&[])
}

/// A client that finds these names on this machine, and follows nothing.
fn client(names: &[(&str, u16)]) -> Client {
    let builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none());
    let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let builder = names.iter().fold(builder, |builder, (name, port)| {
        builder.resolve(name, here(*port))
    });
    builder.build().unwrap()
}

/// Sends what a PUT grant allows.
pub(crate) async fn put(http: &Client, grant: &Value) -> Response {
    let request = http.put(grant["url"].as_str().unwrap()).body(JPEG);
    let headers = grant["headers"].as_object().unwrap();
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value.as_str().unwrap())
    });
    request.send().await.unwrap()
}

/// `loadlock init --yes` in this directory.
fn init(dir: &Path, arguments: &[&str]) -> Value {
    let output = in_dir(dir, &[&["init", "--yes", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(stdout(&output)).unwrap()
}

fn in_dir(dir: &Path, arguments: &[&str]) -> Output {
    let mut command: Command = loadlock();
    command.args(arguments).current_dir(dir).output().unwrap()
}

/// What the store is told, by the file that `init` wrote: as somebody would copy it.
fn store_settings(dir: &Path) -> Value {
    let text = fs::read_to_string(dir.join("loadlock.toml")).unwrap();
    let table = toml::de::DeTable::parse(&text).unwrap().into_inner();
    let store = &table["store"];
    let text = |path: &[&str]| {
        let found = path
            .iter()
            .fold(store.get_ref(), |at, name| at[*name].get_ref());
        found.as_str().unwrap().to_owned()
    };
    let identity = |name: &str| {
        json!({
            "name": name,
            "access_key_id": text(&[name, "access_key_id"]),
            "secret_access_key": text(&[name, "secret_access_key"]),
        })
    };
    let identities = ["uploader", "server", "reader"].map(identity);
    json!({
        "region": text(&["region"]),
        "buckets": [text(&["staging_bucket"]), text(&["final_bucket"])],
        "identities": identities,
    })
}

fn photo(dir: &Path) -> PathBuf {
    media::write(dir, "photo.jpg", JPEG, 10_000)
}

#[tokio::test]
async fn what_init_writes_serves_uploads_from_begin_to_display() {
    let site = Site::new();
    let serve = site.serve(&[
        ("LOADLOCK_PROFILES_IMAGE_PROMOTE", "on_complete"),
        ("LOADLOCK_PUBLIC_URL", "http://uploads.test/"),
    ]);
    assert_eq!(serve.said("api"), "http://uploads.test");
    let photo = photo(site.dir.path());
    let api = serve.said("listen");
    let output = run(&[
        "put",
        "--api",
        api,
        "--token",
        &site.key,
        "--owner",
        "me",
        "--json",
        photo.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let done: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(done["state"], "stored");
    let address = done["content_url"].as_str().unwrap();
    let path = address.strip_prefix("http://uploads.test").unwrap();
    let shown = http().get(format!("{api}{path}")).send().await.unwrap();
    assert_eq!(shown.status(), 302);
    let url = shown.headers()["location"].to_str().unwrap();
    let bytes = http().get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, fs::read(&photo).unwrap());
    assert!(site.dir.path().join("loadlock.db").exists());
    let (rest, ended) = serve.stop();
    assert!(ended.success() && rest.is_empty(), "{rest}");
}

#[tokio::test]
async fn two_processes_serve_the_same_records() {
    let site = Site::new();
    let first = site.serve(&[]);
    let second = site.serve(&[]);
    let begun = site.begin(&first).await;
    assert_eq!(put(&http(), &begun["grant"]).await.status(), 200);
    let complete = format!(
        "{}/v1/uploads/{}/complete",
        second.said("listen"),
        begun["id"].as_str().unwrap()
    );
    let token = begun["token"].as_str().unwrap();
    let answer = http()
        .post(complete)
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    let upload: Value = answer.json().await.unwrap();
    assert_eq!(upload["state"], "ready");
}

#[tokio::test]
async fn grants_are_signed_for_the_endpoint_that_browsers_use() {
    let site = Site::new();
    let public = format!("http://localhost:{}", site.store.port("s3"));
    let serve = site.serve(&[("LOADLOCK_STORE_PUBLIC_ENDPOINT", &public)]);
    let grant = &site.begin(&serve).await["grant"];
    let url = grant["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("{public}/loadlock-staging/in/")),
        "{url}"
    );
    let http = client(&[("localhost", site.port())]);
    let mut other = grant.clone();
    other["url"] = url.replace("localhost", "127.0.0.1").into();
    assert_eq!(put(&http, &other).await.status(), 403, "the host is signed");
    assert_eq!(put(&http, grant).await.status(), 200);
}

#[tokio::test]
async fn a_bucket_may_be_part_of_the_host() {
    let site = Site::new();
    let public = format!("http://localhost:{}", site.store.port("s3"));
    let serve = site.serve(&[
        ("LOADLOCK_STORE_PUBLIC_ENDPOINT", &public),
        ("LOADLOCK_STORE_STYLE", "virtual"),
        ("LOADLOCK_PROFILES_IMAGE_PROMOTE", "on_complete"),
    ]);
    let begun = site.begin(&serve).await;
    let url = begun["grant"]["url"].as_str().unwrap();
    let host = format!("http://loadlock-staging.localhost:{}/in/", site.port());
    assert!(url.starts_with(&host), "{url}");
    let names = ["loadlock-staging.localhost", "loadlock-files.localhost"];
    let http = client(&names.map(|name| (name, site.port())));
    assert_eq!(put(&http, &begun["grant"]).await.status(), 200);
    let api = serve.said("listen");
    let id = begun["id"].as_str().unwrap();
    let token = begun["token"].as_str().unwrap();
    let complete = http.post(format!("{api}/v1/uploads/{id}/complete"));
    let upload: Value = complete
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(upload["state"], "stored");
    let shown = http.get(format!("{api}/f/{id}")).send().await.unwrap();
    let url = shown.headers()["location"].to_str().unwrap();
    assert!(url.starts_with("http://loadlock-files.localhost:"), "{url}");
    assert_eq!(
        http.get(url).send().await.unwrap().bytes().await.unwrap(),
        JPEG
    );
}

#[tokio::test]
async fn pages_of_the_configured_origins_may_call_and_no_others() {
    let site = Site::new();
    let serve = site.serve(&[("LOADLOCK_ORIGINS", "https://app.example.com")]);
    let allowed = async |origin: &str| {
        let preflight = http()
            .request(
                reqwest::Method::OPTIONS,
                format!("{}/v1/uploads", serve.said("listen")),
            )
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,idempotency-key",
            );
        let answer = preflight.send().await.unwrap();
        let headers = answer
            .headers()
            .get("access-control-allow-headers")
            .cloned();
        assert!(
            headers
                .unwrap()
                .to_str()
                .unwrap()
                .contains("idempotency-key")
        );
        answer.headers().contains_key("access-control-allow-origin")
    };
    assert!(allowed("https://app.example.com").await);
    assert!(!allowed("https://app.example.com:8443").await);
    assert!(!allowed("http://localhost:3000").await);
}

#[test]
fn serve_lists_all_that_is_wrong_and_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("loadlock.toml"),
        "listen = 8080\npublic_url = \"https://u.example\"\nsecrets = [\"short\"]\n[profiles.image]\ntypes = [\"image/*\"]\nmax_size = \"25 MiB\"\n",
    )
    .unwrap();
    let output = in_dir(dir.path(), &["serve"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    insta::assert_snapshot!(stderr(&output), @r#"
    loadlock: the configuration has 6 faults:

      loadlock.toml: `store.endpoint` is missing
        → endpoint = "https://s3.eu-central-1.amazonaws.com", or LOADLOCK_STORE_ENDPOINT

      loadlock.toml: `store.region` is missing
        → region = "eu-central-1", or LOADLOCK_STORE_REGION

      loadlock.toml: `store.staging_bucket` is missing
        → staging_bucket = "example-files", or LOADLOCK_STORE_STAGING_BUCKET

      loadlock.toml: `store.final_bucket` is missing
        → final_bucket = "example-files", or LOADLOCK_STORE_FINAL_BUCKET

      loadlock.toml:1: `listen` is a number
        → "127.0.0.1:8080"

      loadlock.toml:3: `secrets` has a secret of 5 characters, which may be guessed
        → "at least 32 characters that nobody can guess"
    "#);
    assert!(!dir.path().join("loadlock.db").exists());
}

#[test]
fn what_the_embedded_store_cannot_keep_is_a_fault_at_the_start() {
    let place = Provisioned::with_buckets(&[]);
    place.ask_for("[profiles.image.storage]\nclass = \"STANDARD_IA\"\nencryption = \"AES256\"\n");
    let output = place.command("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    let says = stderr(&output).lines().map(|line| {
        // The file lies wherever the test does.
        line.rsplit_once('/')
            .map_or(line, |(_, rest)| rest)
            .trim_start()
    });
    insta::assert_snapshot!(says.collect::<Vec<_>>().join("\n"), @r#"
    loadlock: the configuration has 2 faults:

    loadlock.toml:25: `profiles.image.storage.class` is "STANDARD_IA", and the embedded store has one class alone
    → "STANDARD", or another store

    loadlock.toml:26: `profiles.image.storage.encryption` is asked of the embedded store, which does not encrypt
    → nothing, and an encrypted disk below it; or another store
    "#);
}

#[test]
fn init_writes_for_its_owner_alone_and_never_over_anything() {
    let dir = tempfile::tempdir().unwrap();
    let made = init(dir.path(), &[]);
    let path = dir.path().join("loadlock.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!text.contains(made["key"].as_str().unwrap()));
    let again = in_dir(dir.path(), &["init", "--yes"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("loadlock.toml is there already"));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn init_takes_what_it_is_told_and_refuses_what_makes_no_sense() {
    let dir = tempfile::tempdir().unwrap();
    let output = in_dir(
        dir.path(),
        &["init", "--yes", "--origin", "https://app.example.com/form"],
    );
    assert!(
        stderr(&output).contains("right would be \"https://app.example.com\""),
        "{}",
        stderr(&output)
    );
    for (n, keys) in ["own", "profiles", "chain"].into_iter().enumerate() {
        let file = format!("{n}.toml");
        let told = [
            "--config",
            &file,
            "--keys",
            keys,
            "--origin",
            "https://shop.example",
            "--style",
            "path",
        ];
        init(dir.path(), &told);
        let shown = in_dir(dir.path(), &["config", "--config", &file]);
        let shown = stdout(&shown);
        assert!(
            shown.contains("staging_bucket = \"shop-example-staging\""),
            "{shown}"
        );
        assert!(shown.contains("style = \"path\""), "{shown}");
    }
}

#[test]
fn config_shows_each_setting_with_its_place_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"public_url = "https://uploads.example.com"
secrets = ["0123456789abcdef0123456789abcdef"]
[[api_keys]]
name = "shop"
sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
[store]
endpoint = "https://s3.example.com"
region = "eu-central-1"
staging_bucket = "example-staging"
final_bucket = "example-files"
[store.server]
access_key_id = "SERVER"
secret_access_key = "hush"
[store.reader]
aws_profile = "reader"
[profiles.image]
types = ["image/*"]
max_size = "25 MiB"
metadata.title.required = true
"#;
    fs::write(dir.path().join("loadlock.toml"), text).unwrap();
    let mut command = loadlock();
    command.arg("config").current_dir(dir.path());
    let output = command
        .env("LOADLOCK_STORE_REGION", "us-east-1")
        .output()
        .unwrap();
    insta::assert_snapshot!(stdout(&output), @r#"
    listen = "127.0.0.1:8080"                   # default
    public_url = "https://uploads.example.com"  # loadlock.toml:1
    records = "./loadlock.db"                   # default
    origins = []                                # default
    secrets = ["…"]                             # loadlock.toml:2
    user_secrets = []                           # default

    [store]
    endpoint = "https://s3.example.com"         # loadlock.toml:7
    public_endpoint = "https://s3.example.com"  # default
    region = "us-east-1"                        # LOADLOCK_STORE_REGION
    style = "path"                              # default
    staging_bucket = "example-staging"          # loadlock.toml:9
    final_bucket = "example-files"              # loadlock.toml:10
    conditional_writes = true                   # default
    copy_pin = "s3"                             # default

    # [store.uploader]: AWS's default credential chain

    [store.server]
    access_key_id = "SERVER"                    # loadlock.toml:12
    secret_access_key = "…"                     # loadlock.toml:13

    [store.reader]
    aws_profile = "reader"                      # loadlock.toml:15

    [profiles.image.admits]
    anonymous = false                           # default

    [profiles.image]
    types = ["image/*"]                         # loadlock.toml:17
    extensions = []                             # default
    min_size = "1 byte"                         # default
    max_size = "25 MiB"                         # loadlock.toml:18
    max_files = 20                              # default
    methods = ["put", "post", "multipart"]      # default
    key = "{profile}/{owner}/{id}.{ext}"        # default
    promote = "on_complete"                     # default
    read = "owner"                              # default
    active_content = "refuse"                   # default

    [profiles.image.inspect]
    mismatch = "refuse"                         # default
    max_pixels = "100 MP"                       # default
    clamav = false                              # default
    hooks = []                                  # default
    unscanned = "reject"                        # default
    patience = "15 minutes"                     # default
    hold_for = "6 days"                         # default

    [profiles.image.lifetimes]
    grant = "15 minutes"                        # default
    upload = "12 hours"                         # default
    ready = "6 hours"                           # default
    display = "1 hour"                          # default

    [profiles.image.metadata.title]
    required = true                             # loadlock.toml:19
    max_length = 2048                           # default
    values = []                                 # default

    [profiles.image]
    other_metadata = "take"                     # default

    [limits]
    per_owner = "600 per minute"                # default
    per_address = "1200 per minute"             # default
    per_key = "off"                             # default
    failures = "60 per minute"                  # default
    trusted_proxies = ["127.0.0.0/8", "::1"]    # default

    [[api_keys]]
    name = "shop"                               # loadlock.toml:4
    sha256 = "…"                                # loadlock.toml:5
    profiles = []                               # default

    [audit]
    keep = "365 days"                           # default

    [scanning]
    timeout = "3 minutes"                       # default
    at_once = 4                                 # default
    "#);
}

#[test]
fn a_key_is_made_with_what_the_configuration_keeps_of_it() {
    let output = run(&["key", "print", "shop", "--json"]);
    let made: Value = serde_json::from_str(stdout(&output)).unwrap();
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("llk_") && key.len() > 40, "{key}");
    let hash = loadlock::auth::hash(key)
        .map(|byte| format!("{byte:02x}"))
        .concat();
    assert_eq!(made["sha256"], hash);
    let output = run(&["key", "print", "shop"]);
    let text = stdout(&output);
    assert!(
        text.contains("[[api_keys]]\nname = \"shop\"\nsha256 = \""),
        "{text}"
    );
    assert_eq!(run(&["key", "print", "my shop"]).status.code(), Some(2));
}
