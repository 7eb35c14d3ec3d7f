//! A store of its own with three identities, and a configuration that names them.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use loadlock_sigv4::{Bucket, Credentials, Presign, Signer, Style};
use serde_json::{Value, json};

use crate::program::{Dev, loadlock, stderr, stdout};

pub(crate) const SECRET: &str = "a-secret-that-nobody-may-see";
const ORIGIN: &str = "https://app.example.com";

/// The store, and the configuration; both die with this.
pub(crate) struct Provisioned {
    pub(crate) store: Dev,
    config: PathBuf,
    _dir: tempfile::TempDir,
}

impl Provisioned {
    /// With the policies that `loadlock provision --policy` prints, but for these.
    pub(crate) fn with(others: &[(&str, Value)]) -> Self {
        Self::saying("", others)
    }

    /// With buckets, and this at the configuration's end, from before the policies are printed.
    pub(crate) fn asking(more: &str) -> Self {
        let made = Self::saying(more, &[]);
        made.steps(&[]);
        made
    }

    /// Adds this to the configuration, and leaves the policies as they are.
    pub(crate) fn ask_for(&self, more: &str) {
        let text = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, text + more).unwrap();
    }

    /// The same, with more in the configuration, in which `STORE` stands for the store's address.
    pub(crate) fn saying(more: &str, others: &[(&str, Value)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("loadlock.toml");
        let configure = |endpoint: &str| {
            let whole = [configuration(endpoint), more.replace("STORE", endpoint)];
            fs::write(&config, whole.concat()).unwrap();
        };
        configure("http://127.0.0.1:9");
        let mut policies: BTreeMap<&str, Value> = ["uploader", "server", "reader", "session"]
            .into_iter()
            .map(|name| (name, printed_policy(&config, name)))
            .collect();
        policies.extend(others.iter().cloned());
        let role = json!({"name": "uploads", "policy": policies.remove("session")});
        let mut identities = vec![json!({
            "name": "admin", "access_key_id": "ADMIN", "secret_access_key": SECRET,
        })];
        identities.extend(policies.iter().map(|(name, policy)| {
            let key = name.to_uppercase();
            json!({"name": name, "access_key_id": key, "secret_access_key": SECRET, "policy": policy})
        }));
        let file = dir.path().join("store.json");
        fs::write(
            &file,
            json!({"identities": identities, "roles": [role]}).to_string(),
        )
        .unwrap();
        let (data, file) = (dir.path().join("data"), file.to_str().unwrap());
        let data = data.to_str().unwrap();
        let store = Dev::run(&["store", "--port", "0", "--data", data, "--config", file]);
        configure(store.said("s3"));
        Self {
            store,
            config,
            _dir: dir,
        }
    }

    /// The same, and both buckets as they should be.
    pub(crate) fn with_buckets(others: &[(&str, Value)]) -> Self {
        let made = Self::with(others);
        made.steps(&[]);
        made
    }

    /// A command with this configuration, as the store's operator.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = as_operator();
        command.args([name, "--config"]).arg(&self.config);
        command
    }

    /// What `loadlock provision` says it did: bucket, what, outcome.
    pub(crate) fn steps(&self, arguments: &[&str]) -> Vec<String> {
        let output = self
            .command("provision")
            .arg("--json")
            .args(arguments)
            .output();
        let report = report(&output.unwrap());
        let steps = report["steps"].as_array().unwrap().iter();
        let text = |step: &Value, name: &str| step[name].as_str().unwrap().to_owned();
        steps
            .map(|step| {
                ["bucket", "what", "outcome"]
                    .map(|name| text(step, name))
                    .join(" ")
            })
            .collect()
    }

    /// What `loadlock doctor` finds: outcomes by name, and how it ends.
    pub(crate) fn examined(&self) -> (BTreeMap<String, String>, Option<i32>) {
        let output = self.command("doctor").arg("--json").output().unwrap();
        let report = report(&output);
        let checks = report["checks"].as_array().unwrap().iter();
        let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
        let found = checks.map(|check| (text(check, "name"), text(check, "outcome")));
        (found.collect(), output.status.code())
    }

    /// A request of the store's owner: the status and the answer.
    pub(crate) async fn ask(
        &self,
        method: &str,
        bucket: &str,
        query: &str,
        body: &str,
    ) -> (u16, String) {
        let signer = Signer::new(Credentials::new("ADMIN", SECRET), "us-east-1");
        let place = Bucket::new(self.store.said("s3"), bucket, Style::Path).unwrap();
        let query = [(query, "")];
        let request = Presign {
            method,
            bucket: &place,
            key: None,
            query: if query[0].0.is_empty() { &[] } else { &query },
            headers: &[],
            expires: Duration::from_mins(1),
        };
        let mut url = String::new();
        let now = loadlock_store::Clock::system().now();
        signer.presign(&mut url, now, &request).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http
            .request(method.parse().unwrap(), url)
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn as_operator() -> Command {
    let mut command = loadlock();
    command
        .env("AWS_ACCESS_KEY_ID", "ADMIN")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    command
}

fn report(output: &Output) -> Value {
    serde_json::from_str(stdout(output)).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

fn printed_policy(config: &std::path::Path, name: &str) -> Value {
    let mut command = as_operator();
    let command = command
        .args(["provision", "--policy", name, "--config"])
        .arg(config);
    report(&command.output().unwrap())
}

fn configuration(endpoint: &str) -> String {
    let identities = ["uploader", "server", "reader"].map(|name| {
        let key = name.to_uppercase();
        format!("[store.{name}]\naccess_key_id = \"{key}\"\nsecret_access_key = \"{SECRET}\"\n")
    });
    format!(
        "public_url = \"http://127.0.0.1:8080\"\n\
         origins = [\"{ORIGIN}\"]\n\
         secrets = [\"0123456789abcdef0123456789abcdef\"]\n\
         [store]\n\
         endpoint = \"{endpoint}\"\n\
         region = \"us-east-1\"\n\
         staging_bucket = \"example-staging\"\n\
         final_bucket = \"example-files\"\n\
         {}\
         [[api_keys]]\n\
         name = \"shop\"\n\
         sha256 = \"{}\"\n\
         [profiles.image]\n\
         types = [\"image/jpeg\"]\n\
         max_size = \"1 MiB\"\n",
        identities.concat(),
        "0".repeat(64),
    )
}
