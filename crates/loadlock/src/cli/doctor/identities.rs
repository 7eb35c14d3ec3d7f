//! What each identity may not do, and a stranger.
use super::{
    Doctor,
    chart::{Chart, Found, breached, holds},
    grants::{BYTES, SIGNED},
    server::PRIVATE,
    wire::{Ask, At, Unreachable, Who},
};

const UPLOADER: &str =
    "give the uploader identity the policy of `loadlock provision --policy uploader`";
const READER: &str = "give the reader identity the policy of `loadlock provision --policy reader`";
const CLOSE: &str =
    "block public access (`loadlock provision`), and remove policies and ACLs that let anybody in";

pub(super) async fn examine(doctor: &Doctor<'_>, chart: &mut Chart) {
    chart.group("identities");
    if chart.holds("put") {
        let written = ["server_staging", "server_final"];
        chart
            .check_after(&written, "uploader_reads", uploader_reads(doctor))
            .await;
        chart
            .check("uploader_elsewhere", uploader_elsewhere(doctor))
            .await;
    } else {
        chart.skip(&["uploader_reads", "uploader_elsewhere"], "put");
    }
    if chart.holds("server_final") {
        chart.check("stranger", stranger(doctor)).await;
        if chart.check("reader_reads", reader_reads(doctor)).await {
            chart
                .check("reader_elsewhere", reader_elsewhere(doctor))
                .await;
        } else {
            chart.skip(&["reader_elsewhere"], "reader_reads");
        }
    } else {
        chart.skip(
            &["stranger", "reader_reads", "reader_elsewhere"],
            "server_final",
        );
    }
}

async fn stranger(doctor: &Doctor<'_>) -> Found {
    let (own, stored, page) = (
        doctor.held("own"),
        doctor.stored("own"),
        doctor.sent("page"),
    );
    let who = Who::Stranger;
    let wishes = [
        ("read staging", Ask::new(who, "GET", At::Staging, &own)),
        (
            "read the final bucket",
            Ask::new(who, "GET", At::Final, &stored),
        ),
        ("list staging", Ask::new(who, "GET", At::Staging, "")),
        ("list the final bucket", Ask::new(who, "GET", At::Final, "")),
        ("write to staging", put(who, At::Staging, &page)),
        ("write to the final bucket", put(who, At::Final, &page)),
    ];
    let granted = first_granted(doctor, &wishes).await?;
    Ok(granted.map_or_else(
        || holds("without a signature nobody reads, lists or writes"),
        |what| breached(format!("anybody may {what}"), CLOSE),
    ))
}

async fn reader_reads(doctor: &Doctor<'_>) -> Found {
    let key = doctor.stored("own");
    let got = doctor
        .wire
        .send(&Ask::new(Who::Reader, "GET", At::Final, &key))
        .await?;
    Ok(if got.done() && got.body == PRIVATE {
        holds("the reader's URLs show what is in the final bucket")
    } else {
        breached(
            format!("the reader cannot read the final bucket ({got})"),
            READER,
        )
    })
}

async fn reader_elsewhere(doctor: &Doctor<'_>) -> Found {
    let (own, stored, other) = (
        doctor.held("own"),
        doctor.stored("own"),
        doctor.stored("reader"),
    );
    let who = Who::Reader;
    let wishes = [
        ("read staging", Ask::new(who, "GET", At::Staging, &own)),
        ("list staging", Ask::new(who, "GET", At::Staging, "")),
        ("list the final bucket", Ask::new(who, "GET", At::Final, "")),
        ("write to staging", put(who, At::Staging, &other)),
        ("write to the final bucket", put(who, At::Final, &other)),
        (
            "delete from the final bucket",
            Ask::new(who, "DELETE", At::Final, &stored),
        ),
    ];
    let granted = first_granted(doctor, &wishes).await?;
    Ok(granted.map_or_else(
        || holds("the reader can do nothing else"),
        |what| breached(format!("the reader may {what}"), READER),
    ))
}

/// Whoever holds a grant knows what the uploader can do at most.
async fn uploader_reads(doctor: &Doctor<'_>) -> Found {
    let (sent, own, stored) = (doctor.sent("put"), doctor.held("own"), doctor.stored("own"));
    let who = Who::Uploader;
    let wishes = [
        (
            "read what it sent",
            Ask::new(who, "GET", At::Staging, &sent),
        ),
        (
            "look at what it sent",
            Ask::new(who, "HEAD", At::Staging, &sent),
        ),
        (
            "read all of staging",
            Ask::new(who, "GET", At::Staging, &own),
        ),
        (
            "read the final bucket",
            Ask::new(who, "GET", At::Final, &stored),
        ),
        ("list staging", Ask::new(who, "GET", At::Staging, "")),
        ("list the final bucket", Ask::new(who, "GET", At::Final, "")),
    ];
    let granted = first_granted(doctor, &wishes).await?;
    Ok(granted.map_or_else(
        || holds("the uploader can read and list nothing"),
        |what| breached(format!("the uploader may {what}"), UPLOADER),
    ))
}

async fn uploader_elsewhere(doctor: &Doctor<'_>) -> Found {
    let (sent, held, stored) = (
        doctor.sent("put"),
        doctor.held("other"),
        doctor.stored("other"),
    );
    let who = Who::Uploader;
    let wishes = [
        ("write to `held/`", put(who, At::Staging, &held)),
        ("write outside `in/`", put(who, At::Staging, &stored)),
        ("write to the final bucket", put(who, At::Final, &stored)),
        (
            "delete what it sent",
            Ask::new(who, "DELETE", At::Staging, &sent),
        ),
    ];
    let granted = first_granted(doctor, &wishes).await?;
    Ok(granted.map_or_else(
        || holds("the uploader writes under `in/` alone, and deletes nothing"),
        |what| breached(format!("the uploader may {what}"), UPLOADER),
    ))
}

fn put(who: Who, at: At, key: &str) -> Ask<'_> {
    Ask {
        signed: &SIGNED,
        body: BYTES,
        ..Ask::new(who, "PUT", at, key)
    }
}

/// The first of these that the store does.
async fn first_granted<'a>(
    doctor: &Doctor<'_>,
    wishes: &[(&'a str, Ask<'_>)],
) -> Result<Option<&'a str>, Unreachable> {
    for (what, ask) in wishes {
        if doctor.wire.send(ask).await?.done() {
            return Ok(Some(what));
        }
    }
    Ok(None)
}
