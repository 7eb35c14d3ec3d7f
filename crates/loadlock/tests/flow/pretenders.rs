//! What lies there is not what it says, or is two things: real files, through HTTP.

use loadlock::{
    flow,
    upload::{ActiveContent, Mismatch},
};
use serde_json::{Value, json};

use crate::world::{Answer, USER_TOKEN, World, me};

pub(crate) fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

impl World {
    /// Begins, sends and completes; the answer to that.
    pub(crate) async fn upload(&self, content_type: &str, bytes: &[u8]) -> Answer {
        let body = json!({"profile": "raw", "filename": "sample", "content_type": content_type, "size": bytes.len()});
        let begun = self.ask(USER_TOKEN, "POST /v1/uploads", body).await;
        assert_eq!(begun.status, 201, "{}", begun.json);
        assert_eq!(self.put_grant(&begun.json["grant"], bytes).await, 200);
        let id = begun.json["id"].as_str().unwrap();
        let complete = format!("POST /v1/uploads/{id}/complete");
        self.ask(USER_TOKEN, &complete, Value::Null).await
    }

    /// What it is stored as, or why it is refused.
    pub(crate) async fn verdict(&self, content_type: &str, bytes: &[u8]) -> String {
        let answer = self.upload(content_type, bytes).await;
        let said = match answer.status {
            200 => &answer.json["file"]["content_type"],
            _ => &answer.json["error"]["details"]["reason"],
        };
        said.as_str().unwrap().to_owned()
    }
}

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

#[tokio::test]
async fn real_files_are_what_they_say() {
    let world = World::new().await;
    let files = [
        ("picture.jpg", "image/jpeg"),
        ("picture.png", "image/png"),
        ("picture.gif", "image/gif"),
        ("picture.webp", "image/webp"),
        ("picture.avif", "image/avif"),
        ("picture.bmp", "image/bmp"),
        ("picture.tiff", "image/tiff"),
        ("film.mp4", "video/mp4"),
        ("fragmented.mp4", "video/mp4"),
        ("film.mov", "video/quicktime"),
        ("film.webm", "video/webm"),
        ("film.mkv", "video/x-matroska"),
        ("sound.m4a", "audio/mp4"),
        ("letter.docx", DOCX),
        ("book.epub", "application/epub+zip"),
        ("notes.zip", "application/zip"),
        ("program.jar", "application/java-archive"),
    ];
    for (name, media) in files {
        assert_eq!(world.verdict(media, &sample(name)).await, media, "{name}");
    }
    world.end().await;
}

#[tokio::test]
async fn one_kind_of_file_is_not_taken_for_another() {
    let world = World::new().await;
    let pretenders = [
        ("letter.docx", "application/zip"),
        ("notes.zip", DOCX),
        ("program.jar", DOCX),
        ("program.jar", "application/zip"),
        ("notes.zip", "application/epub+zip"),
        ("film.mkv", "video/webm"),
        ("film.mp4", "image/avif"),
        ("picture.avif", "video/mp4"),
        ("picture.png", "image/jpeg"),
        ("picture.gif", "application/octet-stream"),
    ];
    for (name, media) in pretenders {
        let verdict = world.verdict(media, &sample(name)).await;
        assert_eq!(verdict, "type_mismatch", "{name} as {media}");
    }
    assert!(world.lies_in("final").await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_file_that_is_two_things_is_refused() {
    let world = World::new().await;
    let [gif, jpeg, png] = ["picture.gif", "picture.jpg", "picture.png"].map(sample);
    let [jar, zip, mp4] = ["program.jar", "notes.zip", "film.mp4"].map(sample);
    let pdf = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF".as_slice();
    let both: [(&str, &str, Vec<u8>); 7] = [
        ("a GIFAR", "image/gif", [gif.as_slice(), &jar].concat()),
        (
            "a JPEG and a ZIP",
            "image/jpeg",
            [jpeg.as_slice(), &zip].concat(),
        ),
        (
            "a film and a JAR",
            "video/mp4",
            [mp4.as_slice(), &jar].concat(),
        ),
        (
            "a GIF and a page",
            "image/gif",
            [
                &gif[..gif.len() - 1],
                b"!\xfe\x1a<script>alert(1)</script>\0;",
            ]
            .concat(),
        ),
        (
            "a JPEG and PHP",
            "image/jpeg",
            [jpeg.as_slice(), b"<?php system($_GET['c']); ?>"].concat(),
        ),
        (
            "a PNG and a PDF",
            "image/png",
            [png.as_slice(), pdf].concat(),
        ),
        ("a PDF and a JAR", "application/pdf", [pdf, &jar].concat()),
    ];
    for (what, media, bytes) in both {
        assert_eq!(world.verdict(media, &bytes).await, "pretends", "{what}");
    }
    assert!(world.lies_in("final").await.is_empty());
    world.end().await;
}

/// `notes.zip`, as it is with these changes: to its directory's only entry and to its end.
fn archive(entry: impl FnOnce(&mut Vec<u8>), end: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let zip = sample("notes.zip");
    let (start, mark) = (find(&zip, b"PK\x01\x02"), find(&zip, b"PK\x05\x06"));
    let (mut directory, mut last) = (zip[start..mark].to_vec(), zip[mark..].to_vec());
    entry(&mut directory);
    last[12..16].copy_from_slice(&u32::try_from(directory.len()).unwrap().to_le_bytes());
    end(&mut last);
    [&zip[..start], &directory, &last].concat()
}

fn find(bytes: &[u8], mark: &[u8]) -> usize {
    let found = bytes.windows(mark.len()).position(|four| four == mark);
    found.unwrap()
}

/// What Python's `zipfile`, Info-ZIP, Go or Java open behind a picture, although its end is not as it should be.
#[tokio::test]
async fn an_archive_is_one_whatever_its_end_says_that_readers_overlook() {
    let world = World::new().await;
    let gif = sample("picture.gif");
    let as_it_is = |_: &mut Vec<u8>| {};
    let at = u32::try_from(gif.len() + find(&sample("notes.zip"), b"PK\x01\x02")).unwrap();
    let archives = [
        (
            "another disk",
            archive(as_it_is, |end| end[4..8].copy_from_slice(&[3, 0, 9, 0])),
        ),
        (
            "fewer entries on this disk",
            archive(as_it_is, |end| end[8] = 0),
        ),
        (
            "no entries at all",
            archive(as_it_is, |end| end[8..12].fill(0)),
        ),
        (
            "as many as would not fit",
            archive(as_it_is, |end| end[8..12].fill(0xfe)),
        ),
        (
            "a longer comment",
            archive(as_it_is, |end| end[20..22].fill(0xff)),
        ),
        (
            "a shorter comment",
            archive(as_it_is, |end| end.extend(vec![b' '; 60_000])),
        ),
        (
            "a directory whose length is wrong, where it says",
            archive(as_it_is, |end| {
                end[12..16].fill(0);
                end[16..20].copy_from_slice(&at.to_le_bytes());
            }),
        ),
        (
            "a directory that begins before what is read of the end",
            archive(
                |entry| {
                    entry[32..34].copy_from_slice(&60_000_u16.to_le_bytes());
                    entry.extend(vec![b' '; 60_000]);
                },
                |end| end.extend(vec![b' '; 20_000]),
            ),
        ),
    ];
    for (what, zip) in archives {
        let both = [gif.as_slice(), &zip].concat();
        assert_eq!(
            world.verdict("image/gif", &both).await,
            "pretends",
            "{what}"
        );
        let long = [gif.as_slice(), &vec![0; 400 << 10], &zip].concat();
        let is_absolute = what.ends_with("where it says");
        let expected = if is_absolute { "image/gif" } else { "pretends" };
        assert_eq!(world.verdict("image/gif", &long).await, expected, "{what}");
    }
    world.end().await;
}

/// The mark of an archive's end stands in many a long film by chance, with numbers that lead anywhere.
#[tokio::test]
async fn the_mark_of_an_end_without_an_archive_is_none() {
    let world = World::new().await;
    let mark = |offset: u32| {
        let mark: [&[u8]; 5] = [
            b"PK\x05\x06",
            &[0; 8],
            &[0xff; 4],
            &offset.to_le_bytes(),
            &[0; 2],
        ];
        mark.concat()
    };
    let long = [sample("picture.gif"), vec![7; 9 << 20]].concat();
    let one = [long.clone(), mark(5 << 20)].concat();
    assert_eq!(world.verdict("image/gif", &one).await, "image/gif");
    // They lead to more places than anybody would look at.
    let many = (1..25).flat_map(|n| mark(n * 300_000));
    let many = [long, many.collect()].concat();
    assert_eq!(world.verdict("image/gif", &many).await, "pretends");
    world.end().await;
}

#[tokio::test]
async fn the_end_of_a_file_is_read_from_the_store() {
    let world = World::new().await;
    let long = vec![0; 1 << 20];
    let jpeg = [sample("picture.jpg"), long].concat();
    assert_eq!(world.verdict("image/jpeg", &jpeg).await, "image/jpeg");
    let both = [jpeg, sample("program.jar")].concat();
    assert_eq!(world.verdict("image/jpeg", &both).await, "pretends");
    world.end().await;
}

#[tokio::test]
async fn a_motion_photo_is_an_ordinary_jpeg() {
    let world = World::new().await;
    let photo = [sample("picture.jpg"), sample("film.mp4")].concat();
    assert_eq!(world.verdict("image/jpeg", &photo).await, "image/jpeg");
    world.end().await;
}

#[tokio::test]
async fn a_vector_image_with_a_script_is_not_taken_for_a_picture() {
    let world = World::new().await;
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    for media in ["image/png", "text/plain", "application/octet-stream"] {
        assert_eq!(world.verdict(media, svg).await, "type_mismatch", "{media}");
    }
    world.end().await;
}

/// SVG that does something, each in a way of its own.
const ACTIVE: [&str; 8] = [
    r#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#,
    r#"<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>"#,
    r#"<svg xmlns="http://www.w3.org/2000/svg"><a href="javascript:alert(1)"><text y="9">x</text></a></svg>"#,
    r#"<svg xmlns="http://www.w3.org/2000/svg"><foreignObject><body xmlns="http://www.w3.org/1999/xhtml"/></foreignObject></svg>"#,
    r#"<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>"#,
    r#"<svg xmlns="http://www.w3.org/2000/svg"><use href="data:image/svg+xml,&lt;svg id='x' onload='alert(1)'/&gt;#x"/></svg>"#,
    r#"<!-- a comment first --><svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>"#,
    "\u{feff}\n\t<svg xmlns=\"http://www.w3.org/2000/svg\"><rect/></svg>",
];

#[tokio::test]
async fn where_active_content_is_refused_no_vector_image_passes_whatever_it_holds_or_is_called() {
    let mut world = World::new().await;
    world.profile("raw", |raw| {
        assert_eq!(raw.active_content, ActiveContent::Refuse);
    });
    for svg in ACTIVE {
        let wide: Vec<u8> = svg.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [svg.as_bytes(), &wide] {
            let begin = json!({"profile": "raw", "filename": "a.svg", "content_type": "image/svg+xml", "size": bytes.len()});
            let begun = world.ask(USER_TOKEN, "POST /v1/uploads", begin).await;
            assert_eq!(begun.refusal(), "422 type_not_allowed", "{svg}");
            assert_eq!(
                world.verdict("image/png", bytes).await,
                "type_mismatch",
                "{svg}"
            );
            let generic = "application/octet-stream";
            assert_eq!(
                world.verdict(generic, bytes).await,
                "type_mismatch",
                "{svg}"
            );
            world.profile("raw", |raw| raw.checks.mismatch = Mismatch::Correct);
            assert_eq!(
                world.verdict("image/png", bytes).await,
                "type_not_allowed",
                "{svg}"
            );
            world.profile("raw", |raw| raw.checks.mismatch = Mismatch::Refuse);
        }
    }
    world.end().await;
}

#[tokio::test]
async fn where_active_content_is_attached_a_browser_is_told_to_save_it() {
    let mut world = World::new().await;
    world.profile("raw", |raw| raw.active_content = ActiveContent::Attach);
    let answer = world.upload("image/svg+xml", ACTIVE[0].as_bytes()).await;
    let id = answer.text("/file/id").parse().unwrap();
    let shown = flow::file(&world.app, &me(), id).await.unwrap();
    let shown = world.fetch(shown.display.url.expose()).await;
    assert_eq!(
        shown.headers()["content-disposition"],
        "attachment; filename=\"sample\""
    );
    world.end().await;
}

#[tokio::test]
async fn a_profile_may_take_content_for_what_it_is() {
    let mut world = World::new().await;
    world
        .restart(|config| {
            let raw = config.profiles.iter_mut().find(|one| one.name == "raw");
            raw.unwrap().checks.mismatch = Mismatch::Correct;
        })
        .await;
    let png = sample("picture.png");
    let answer = world.upload("image/jpeg", &png).await;
    let file = &answer.json["file"];
    assert_eq!((answer.status, &file["width"]), (200, &json!(16)));
    let id = file["id"].as_str().unwrap().parse().unwrap();
    let shown = flow::file(&world.app, &me(), id).await.unwrap();
    let shown = world.fetch(shown.display.url.expose()).await;
    assert_eq!(shown.headers()["content-type"], "image/png");
    let corrected = [
        ("application/zip", sample("letter.docx"), DOCX),
        ("image/png", b"plain words".to_vec(), "text/plain"),
        ("image/png", b"<html>".to_vec(), "type_not_allowed"),
        (
            "image/png",
            [sample("picture.gif"), sample("program.jar")].concat(),
            "pretends",
        ),
    ];
    for (declared, bytes, expected) in corrected {
        assert_eq!(world.verdict(declared, &bytes).await, expected);
    }
    world.end().await;
}

#[tokio::test]
async fn an_image_too_large_to_decode_is_refused() {
    let mut world = World::new().await;
    let mut png = sample("picture.png");
    assert_eq!(world.verdict("image/png", &png).await, "image/png");
    png[16..20].copy_from_slice(&u32::to_be_bytes(100_000_000));
    let answer = world.upload("image/png", &png).await;
    assert_eq!(
        answer.json["error"]["message"],
        "the image has 100000000 by 12 pixels, which this profile does not take"
    );
    let headless = [&png[..16], b"no more"].concat();
    let verdict = world.verdict("image/png", &headless).await;
    assert_eq!(verdict, "dimensions_not_allowed");
    world
        .restart(|config| {
            let raw = config.profiles.iter_mut().find(|one| one.name == "raw");
            raw.unwrap().checks.max_pixels = None;
        })
        .await;
    assert_eq!(world.verdict("image/png", &headless).await, "image/png");
    world.end().await;
}
