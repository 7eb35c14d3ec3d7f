//! Slow, idle and unfinished clients; and the end of the server. Tokio's time runs ahead whenever nothing else happens.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{World, answer};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_to_its_end_is_cut_off() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let ended = tokio::time::timeout(MINUTE, answer(&mut stream)).await;
    assert_ne!(ended.expect("the store still waits").status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_is_given_up_and_not_stored() {
    let world = World::new().await;
    let url = world.presign("PUT", "a", MINUTE);
    let mut stream = world.connect().await;
    stream
        .write_all(&world.head("PUT", &url, &[], 10))
        .await
        .unwrap();
    stream.write_all(b"hello").await.unwrap();
    let ended = tokio::time::timeout(MINUTE, answer(&mut stream))
        .await
        .expect("the store still waits");
    assert_eq!(
        (ended.status, ended.code().as_str()),
        (400, "RequestTimeout")
    );
    assert_eq!(
        world.call("GET", Some("a"), &[], b"").await.code(),
        "NoSuchKey"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_given_up_before_its_sender_is() {
    let world = World::new().await;
    let url = world.presign("PUT", "a", MINUTE);
    let mut stream = world.connect().await;
    stream
        .write_all(&world.head("PUT", &url, &[], 10_000))
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut first = [0; 12];
    let trickle = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    tokio::select! {
        () = trickle => panic!("the store closed without an answer"),
        read = reader.read_exact(&mut first) => assert_eq!(read.unwrap(), 12),
        () = tokio::time::sleep(5 * MINUTE) => panic!("the store still waits"),
    }
    assert_eq!(&first, b"HTTP/1.1 400");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_loses_its_connection() {
    let world = World::new().await;
    let size = 64 << 20;
    assert_eq!(
        world
            .call("PUT", Some("a"), &[], &vec![7; size])
            .await
            .status,
        200
    );
    let url = world.presign("GET", "a", MINUTE);
    let mut stream = world.connect().await;
    stream
        .write_all(&world.head("GET", &url, &[], 0))
        .await
        .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // What lies in the sockets' buffers can still be read, the rest never comes.
    tokio::time::sleep(MINUTE).await;
    assert!(answer(&mut stream).await.body.len() < size);
}

#[tokio::test]
async fn a_request_that_has_begun_ends_before_the_server_does() {
    let mut world = World::new().await;
    let url = world.presign("PUT", "a", MINUTE);
    let mut idle = world.connect().await;
    let mut stream = world.connect().await;
    stream
        .write_all(&world.head(
            "PUT",
            &url,
            &[("expect".to_owned(), "100-continue".to_owned())],
            5,
        ))
        .await
        .unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    world.stop();
    assert!(answer(&mut idle).await.head.is_empty());
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    world.stopped().await.unwrap();
}

#[tokio::test]
async fn one_key_is_not_written_to_by_a_great_many_at_once() {
    let world = World::new().await;
    let url = world.presign("PUT", "a", MINUTE);
    let head = world.head("PUT", &url, &[], 2);
    let mut waiting = Vec::new();
    for _ in 0..16 {
        let mut stream = world.connect().await;
        let expecting = [("expect".to_owned(), "100-continue".to_owned())];
        let head = world.head("PUT", &url, &expecting, 2);
        stream.write_all(&head).await.unwrap();
        let mut told = [0; 25];
        stream.read_exact(&mut told).await.unwrap();
        waiting.push(stream);
    }
    let mut extra = world.connect().await;
    extra.write_all(&head).await.unwrap();
    extra.write_all(b"ok").await.unwrap();
    let refused = answer(&mut extra).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "SlowDown"));
    for mut stream in waiting {
        stream.write_all(b"ok").await.unwrap();
        assert_eq!(answer(&mut stream).await.status, 200);
    }
    assert_eq!(world.send("PUT", &url, &[], b"ok").await.status, 200);
}
