//! `loadlock dev` and `loadlock put`, the built program, end to end.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    media::{self, JPEG, MP4},
    program::{Dev, run, stderr, stdout},
};

const MIB: u64 = 1 << 20;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json_lines(output: &str) -> Vec<Value> {
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn get(dev: &Dev, address: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client
        .get(address)
        .bearer_auth(dev.said("token"))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn dev_says_one_line_when_ready_and_stops_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(dir.path());
    for name in [
        "api",
        "s3",
        "page",
        "data",
        "staging_bucket",
        "final_bucket",
        "user",
        "password",
        "token",
        "api_key",
    ] {
        assert!(dev.ready[name].is_string(), "{name}");
    }
    let page = get(&dev, dev.said("page")).await;
    assert!(page.status().is_success());
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains(dev.said("s3"))
    );
    for secret in ["keys.json", "session.json"] {
        let mode = fs::metadata(dir.path().join(secret))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let (rest, status) = dev.stop();
    assert_eq!((rest.as_str(), status.code()), ("", Some(0)));
}

#[tokio::test]
async fn what_is_put_is_found_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let photo = media::write(dir.path(), "Hafen bei Nacht 港.jpg", JPEG, 20_000);
    let video = media::write(dir.path(), "clip.mp4", MP4, 100 * MIB + 7);
    let dev = Dev::start(&data);
    let output = dev.put(&["--json", text(&photo), text(&video)]);
    assert!(output.status.success(), "{}", stderr(&output));
    let files = json_lines(stdout(&output));
    assert_eq!(files.len(), 2);
    assert_eq!(files[0]["filename"], "Hafen bei Nacht 港.jpg");
    assert_eq!(
        (&files[0]["content_type"], &files[0]["state"]),
        (&"image/jpeg".into(), &"stored".into())
    );
    let (_, status) = dev.stop();
    assert!(status.success());

    let dev = Dev::start(&data);
    let listed: Value = get(&dev, &format!("{}/v1/files", dev.said("api")))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(listed["files"].as_array().unwrap().len(), 2);
    for (file, path) in files.iter().zip([photo, video]) {
        let address = format!("{}/f/{}", dev.said("api"), file["id"].as_str().unwrap());
        let answer = get(&dev, &address).await;
        assert_eq!(
            answer.headers()["content-type"],
            file["content_type"].as_str().unwrap()
        );
        assert!(
            answer.bytes().await.unwrap() == fs::read(path).unwrap(),
            "{file} is what was sent"
        );
    }
}

#[tokio::test]
async fn a_person_reads_the_id_and_where_it_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let photo = media::write(dir.path(), "photo.jpg", JPEG, 2_000);
    let data = dir.path().join("data");
    let _dev = Dev::start(&data);
    let output = run(&["put", "--data", text(&data), text(&photo)]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    let id = said
        .lines()
        .nth(1)
        .unwrap()
        .trim_start()
        .strip_prefix("id")
        .unwrap()
        .trim();
    assert!(
        said.starts_with("photo.jpg  1.95 KiB  image/jpeg\n"),
        "{said}"
    );
    assert!(said.contains(&format!("/f/{id}\n")), "{said}");
    assert!(said.contains("X-Amz-Signature="), "{said}");
    assert_eq!(stderr(&output), "");
}

#[tokio::test]
async fn what_waits_for_a_claim_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let photo = media::write(dir.path(), "photo.jpg", JPEG, 2_000);
    let dev = Dev::start(&dir.path().join("data"));
    let output = dev.put(&[
        "--profile",
        "post",
        "--metadata",
        "place=pier",
        text(&photo),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("waits for an application's server to claim it"),
        "{}",
        stdout(&output)
    );
}

#[tokio::test]
async fn every_refusal_is_a_sentence_and_a_code() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    let notes = media::write(dir.path(), "notes.txt", b"hello", 5);
    let disguised = media::write(dir.path(), "notes.jpg", b"hello", 5);
    let huge = media::write(dir.path(), "huge.jpg", JPEG, 26 * MIB);
    let empty = media::write(dir.path(), "empty.jpg", b"", 0);
    let photo = media::write(dir.path(), "photo.jpg", JPEG, 2_000);
    let check = |arguments: &[&str], expected: &str| {
        let output = dev.put(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            stderr(&output).contains(expected),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    };
    check(
        &["/nowhere/photo.jpg"],
        "loadlock: /nowhere/photo.jpg: there is no such file",
    );
    check(&[text(dir.path())], "it is not a file");
    check(
        &[text(&notes)],
        "it is text/plain, neither an image nor a video",
    );
    check(&["--profile", "image", text(&notes)], "type_not_allowed");
    check(
        &[text(&disguised)],
        "the file was announced as image/jpeg and is something else (rejected)",
    );
    check(&[text(&huge)], "file_too_large");
    check(&[text(&empty)], "file_too_small");
    check(
        &["--profile", "none", text(&photo)],
        "there is no profile `none`",
    );
    check(
        &[
            "--metadata",
            &format!("a={}", "x".repeat(3_000)),
            text(&photo),
        ],
        "metadata_refused",
    );
}

#[tokio::test]
async fn whoever_has_no_service_or_no_right_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let photo = media::write(dir.path(), "photo.jpg", JPEG, 2_000);
    let data = dir.path().join("data");
    let dev = Dev::start(&data);
    let api = dev.said("api").to_owned();
    let check = |arguments: &[&str], expected: &str| {
        let output = run(&[&["put"], arguments, &[text(&photo)]].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            stderr(&output).contains(expected),
            "{arguments:?}: {}",
            stderr(&output)
        );
    };
    let elsewhere = "http://127.0.0.1:9";
    check(
        &["--data", text(&data), "--api", elsewhere],
        "no token for http://127.0.0.1:9 is known",
    );
    check(
        &["--data", "/nowhere"],
        "no service is known: start `loadlock dev`",
    );
    check(
        &["--api", &api, "--token", "llu_wrong"],
        "the token is not valid here",
    );
    check(
        &["--api", "nonsense", "--token", "x"],
        "`nonsense` is no address",
    );
    let (_, status) = dev.stop();
    assert!(status.success());
    check(&["--data", text(&data)], "cannot reach the service at");
}

#[tokio::test]
async fn one_file_that_fails_does_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    let photo = media::write(dir.path(), "photo.jpg", JPEG, 2_000);
    let output = dev.put(&["--json", "/nowhere.jpg", text(&photo)]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(stdout(&output));
    assert_eq!(lines[0]["error"]["message"], "there is no such file");
    assert_eq!(lines[1]["state"], "stored");
}

#[tokio::test]
async fn a_busy_port_and_a_taken_directory_are_said() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let dev = Dev::start(&data);
    let port = dev.port("api");
    let other = dir.path().join("other");
    let output = run(&[
        "dev",
        "--data",
        text(&other),
        "--port",
        port,
        "--s3-port",
        "0",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains(&format!(
            "port {port} is in use: choose another with --port"
        )),
        "{}",
        stderr(&output)
    );
    let output = run(&[
        "dev",
        "--data",
        text(&data),
        "--port",
        "0",
        "--s3-port",
        "0",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("another loadlock is using"),
        "{}",
        stderr(&output)
    );
}

/// How many bytes the store has got of what is being sent.
fn held(data: &Path) -> u64 {
    let mut folders = vec![data.join("store")];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.metadata() {
                Ok(facts) if facts.is_dir() => folders.push(entry.path()),
                Ok(facts) => bytes += facts.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_service_that_is_killed_and_comes_back_gets_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let video = media::write(dir.path(), "clip.mp4", MP4, 200 * MIB);
    let dev = Dev::start(&data);
    let putting = dev
        .put_command()
        .args(["--json", text(&video)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until(|| held(&data) > 40 * MIB).await;
    let dev = dev.kill_and_start_again();
    let output = putting.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let id = json_lines(stdout(&output))[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = get(&dev, &format!("{}/f/{id}", dev.said("api")))
        .await
        .bytes()
        .await
        .unwrap();
    assert!(shown == fs::read(video).unwrap());
}

#[tokio::test]
async fn interrupted_it_gives_the_upload_up() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let video = media::write(dir.path(), "clip.mp4", MP4, 200 * MIB);
    let dev = Dev::start(&data);
    let putting = dev
        .put_command()
        .arg(text(&video))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until(|| held(&data) > 16 * MIB).await;
    let pid = putting.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = putting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(
        stderr(&output).ends_with("clip.mp4: interrupted; the upload is given up\n"),
        "{}",
        stderr(&output)
    );
}
