//! House rules that no lint can say: layers, module docs, lengths, and documents that keep up with the code.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use loadlock::{
    config::file::{self, Environment},
    error::Kind,
    upload::Rejection,
};

/// What each module may not name. `upload` is pure, `flow` knows neither HTTP nor SQL, only `http` knows axum.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "upload",
        &[
            "crate::app",
            "crate::auth",
            "crate::bucket",
            "crate::cli",
            "crate::flow",
            "crate::http",
            "crate::jobs",
            "crate::records",
            "aws_sdk_s3",
            "axum",
            "sqlx",
            "tokio",
        ],
    ),
    (
        "flow",
        &[
            "crate::cli",
            "crate::http",
            "crate::jobs",
            "aws_sdk_s3",
            "axum",
            "sqlx",
        ],
    ),
    (
        "records",
        &[
            "crate::bucket",
            "crate::cli",
            "crate::flow",
            "crate::http",
            "crate::jobs",
            "axum",
        ],
    ),
    (
        "bucket",
        &[
            "crate::cli",
            "crate::flow",
            "crate::http",
            "crate::jobs",
            "crate::records",
            "axum",
            "sqlx",
        ],
    ),
    (
        "jobs",
        &["crate::cli", "crate::http", "aws_sdk_s3", "axum", "sqlx"],
    ),
    (
        "scan",
        &[
            "crate::cli",
            "crate::flow",
            "crate::http",
            "crate::jobs",
            "crate::records",
            "aws_sdk_s3",
            "axum",
            "sqlx",
        ],
    ),
    ("http", &["crate::cli", "crate::jobs", "aws_sdk_s3", "sqlx"]),
];
const MAX_LINES: usize = 400;

#[test]
fn every_file_is_tidy() {
    let src = root().join("src");
    let complaints: Vec<String> = files(&src)
        .iter()
        .flat_map(|file| complaints(&src, file))
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn complaints(src: &Path, file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let name = file.strip_prefix(src).unwrap().with_extension("");
    let module = name.iter().next().unwrap().to_str().unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    if !text.starts_with("//! ") {
        found.push("does not say in its first line what it is for".to_owned());
    }
    if code.lines().count() > MAX_LINES {
        found.push(format!("has more than {MAX_LINES} lines"));
    }
    for word in ["#[ignore", "#[should_panic"] {
        if text.contains(word) {
            found.push(format!("has a {word}] test"));
        }
    }
    for (_, banned) in LAYERS.iter().filter(|(layer, _)| *layer == module) {
        let named = banned.iter().filter(|word| names(code, word));
        found.extend(
            named.map(|word| format!("names `{word}`, which is above or outside its layer")),
        );
    }
    found
        .iter()
        .map(|what| format!("{}.rs {what}", name.display()))
        .collect()
}

/// Whether the code names a path, written out or within `use crate::{…}`.
fn names(code: &str, path: &str) -> bool {
    let grouped = path.strip_prefix("crate::").is_some_and(|module| {
        code.split("use crate::{").skip(1).any(|rest| {
            let group = rest.split("};").next().unwrap_or_default();
            top_level(group).any(|item| item.split("::").next() == Some(module))
        })
    });
    grouped || code.contains(&format!("{path}::")) || code.contains(&format!("{path};"))
}

/// The items of a `use` group, without what is nested in them.
fn top_level(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    group
        .split(move |c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(str::trim)
}

#[test]
fn every_error_is_documented_as_it_is() {
    let path = root().join("../../docs/errors.md");
    let written = fs::read_to_string(&path).unwrap_or_default();
    let expected = errors_document();
    assert!(
        written == expected,
        "docs/errors.md should read:\n\n{expected}"
    );
}

fn errors_document() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         Every error answer is `{\"error\":{\"code\",\"message\",\"retryable\",\"details\"?}}`. Programs tell errors apart by \
         `code`; `message` is a sentence for people, often more exact than the one below. `retryable` says whether the \
         same request may succeed later.\n\n\
         | code | status | retryable | says |\n|---|---|---|---|\n",
    );
    for kind in Kind::ALL {
        let (code, status, says) = (kind.code(), kind.status(), kind.sentence());
        let retryable = if kind.retryable() { "yes" } else { "no" };
        writeln!(text, "| `{code}` | {status} | {retryable} | {says} |").unwrap();
    }
    text.push_str(
        "\n`not_received` says in `details` how much has arrived: `received_bytes`, `size` (where it was declared) and, for a file sent in parts, \
         `missing_parts` (up to 100 numbers). Of a claim, `not_ready` and `upload_ended` list in `details.uploads` each upload's `id` and `state`. \
         Of a begin that is repeated under its key, `already_received` and `upload_ended` have the upload's `id` and `state`. \
         `rate_limited` says in how many seconds to come back (`retry_after`, as the header does), and by which `policy`. \
         `quota_exceeded` names the `quota` (`owner.stored_bytes`: `owner` within the profile, `total` over all profiles, `all` owners of the profile; see \
         the configuration), what it `asked` for and, unless it is one of all owners, its `limit` and what is `used`.\n\n\
         ## Reasons\n\n\
         A rejected upload has a `reason` with `code` and `message`; the error `rejected` has the code in `details.reason`.\n\n\
         | reason | says, for example |\n|---|---|\n",
    );
    for reason in reasons() {
        writeln!(text, "| `{}` | {reason} |", reason.code()).unwrap();
    }
    text
}

fn reasons() -> [Rejection; 16] {
    let (declared, found) = ("image/png".to_owned(), "text/html".to_owned());
    [
        Rejection::SizeMismatch {
            declared: 10,
            found: 11,
        },
        Rejection::SizeNotAllowed { found: 26 << 20 },
        Rejection::TypeMismatch { declared, found },
        Rejection::TypeNotAllowed {
            found: "text/html".to_owned(),
        },
        Rejection::DimensionsNotAllowed {
            found: Some((20_000, 20_000)),
        },
        Rejection::Pretends {
            found: "image/gif".to_owned(),
            also: "application/zip".to_owned(),
        },
        Rejection::ChecksumMismatch,
        Rejection::UnexpectedHeaders {
            names: vec!["content-encoding".to_owned()],
        },
        Rejection::PartsMismatch,
        Rejection::Malware {
            signature: "Eicar-Test-Signature".to_owned(),
        },
        Rejection::HookRefused {
            says: "this picture was sent before".to_owned(),
        },
        Rejection::NotScanned {
            why: "clamd cannot be reached".to_owned(),
        },
        Rejection::Revoked,
        Rejection::OverQuota,
        Rejection::ChecksumUnconfirmed,
        Rejection::Lost,
    ]
}

/// A configuration in which nothing is left out that could be named.
const EVERY_SECTION: &str = r#"public_url = "https://uploads.example.com"
secrets = ["0123456789abcdef0123456789abcdef"]
[[api_keys]]
name = "shop"
sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
[[issuers]]
issuer = "https://id.example.com"
audience = ["uploads"]
[store]
endpoint = "https://s3.example.com"
region = "eu-central-1"
staging_bucket = "example-staging"
final_bucket = "example-files"
[profiles.NAME]
types = ["image/*"]
max_size = "25 MiB"
metadata.FIELD = {}
admits.claims.CLAIM = ["editor"]
storage.tags.TAG = "photos"
[authorizer]
url = "https://app.example.com/may"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[scanning.hooks.NAME]
url = "https://app.example.com/inspect"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[credentials]
via = "sts"
role_arn = "arn:aws:iam::123456789012:role/uploads"
"#;

#[test]
fn every_setting_is_documented_with_its_default() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loadlock.toml");
    fs::write(&path, EVERY_SECTION).unwrap();
    let settings = file::load(Some(&path), &Environment::new()).unwrap();
    let rows = settings.effective.iter().map(|setting| {
        let section = setting.section.trim_matches(['[', ']']);
        let name = [section, &setting.name].join(".");
        let default = match (&setting.value, &setting.place) {
            _ if setting.name == "public_endpoint" => "as `store.endpoint`".to_owned(),
            (None, _) => "none".to_owned(),
            (Some(_), Some(_)) => "required".to_owned(),
            (Some(value), None) => format!("`{value}`"),
        };
        format!("| `{}` | {default} |", name.trim_start_matches('.'))
    });
    let expected: BTreeSet<String> = rows.collect();
    let document = fs::read_to_string(root().join("../../docs/configuration.md")).unwrap();
    let (_, table) = document.split_once("| setting | default | |\n").unwrap();
    let lines = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let written: BTreeSet<String> = lines
        .map(|line| line.split_inclusive('|').take(3).collect())
        .collect();
    let differing: Vec<&String> = expected.symmetric_difference(&written).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn error_codes_are_one_word_each_and_sentences_house_style() {
    for kind in Kind::ALL {
        let (code, says) = (kind.code(), kind.sentence());
        assert!(
            code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{code}"
        );
        assert!(
            !says.ends_with('.') && says.starts_with(char::is_lowercase),
            "{says}"
        );
        let same = Kind::ALL.iter().filter(|other| other.code() == code);
        assert_eq!(same.count(), 1, "{code}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
