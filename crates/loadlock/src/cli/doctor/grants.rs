//! What a grant promises: what it allows works, and every breach of it is refused.
use std::time::Duration;

use futures_util::future::try_join_all;
use loadlock_sigv4::Condition;

use super::{
    Doctor,
    chart::{Chart, Finding, Found, breached, holds, lacking},
    wire::{Answer, Ask, At, Pairs, Unreachable, Who},
};
use crate::upload::Method;

/// What is sent, and as what.
pub(super) const BYTES: &[u8] = b"loadlock doctor";
pub(super) const TYPE: &str = "application/octet-stream";
/// A grant's signed headers, for these bytes.
pub(super) const SIGNED: [(&str, &str); 2] = [("content-type", TYPE), ("content-length", "15")];
const ONCE: [(&str, &str); 3] = [SIGNED[0], SIGNED[1], ("if-none-match", "*")];
/// The longest file of a form.
const MOST: usize = 64;
const LIMITS: Condition<'_> = Condition::Size {
    min: 1,
    max: MOST as u64,
};
/// So many writers race for one key.
const RACERS: usize = 8;

const UPLOADER: &str =
    "give the uploader identity the policy of `loadlock provision --policy uploader`";
const SERVER: &str = "give the server identity the policy of `loadlock provision --policy server`";
const UNSAFE: &str = "do not use this store: it does not hold what is signed";
const FORMS: &str = "give the uploader identity the policy of `loadlock provision --policy uploader`; \
                     where the store takes no forms, leave `post` out of the profiles' `methods`";
const REPLACEABLE: &str = "set `conditional_writes = false` under `[store]`";

pub(super) async fn examine(doctor: &Doctor<'_>, chart: &mut Chart) {
    chart.group("grants");
    if chart.check("put", put(doctor)).await {
        chart.check("put_length", length(doctor)).await;
        chart.check("put_type", kind(doctor)).await;
        chart.check("put_key", another_key(doctor)).await;
        chart.check("put_expired", expired(doctor)).await;
        chart.check("second_put", second(doctor)).await;
        chart.check("racing_puts", race(doctor)).await;
    } else {
        let all = [
            "put_length",
            "put_type",
            "put_key",
            "put_expired",
            "second_put",
            "racing_puts",
        ];
        chart.skip(&all, "put");
    }
    if chart.check("post", post(doctor)).await {
        chart.check("post_length", post_length(doctor)).await;
    } else {
        chart.skip(&["post_length"], "post");
    }
    if chart.check("multipart", multipart(doctor)).await {
        chart.check("part_length", part_length(doctor)).await;
    } else {
        chart.skip(&["part_length"], "multipart");
    }
}

/// A PUT as a grant has it.
pub(super) fn granted<'a>(key: &'a str, signed: Pairs<'a>) -> Ask<'a> {
    Ask {
        signed,
        body: BYTES,
        ..Ask::new(Who::Uploader, "PUT", At::Staging, key)
    }
}

async fn put(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("put");
    let signed: Pairs<'_> = if doctor.store.conditional_writes {
        &ONCE
    } else {
        &SIGNED
    };
    let answer = doctor.wire.send(&granted(&key, signed)).await?;
    if !answer.done() {
        return Ok(breached(
            format!("a PUT as granted is refused ({answer})"),
            UPLOADER,
        ));
    }
    let got = doctor.read(At::Staging, &key).await?;
    Ok(if got.body == BYTES {
        holds("a PUT as granted works, and the server reads what was sent")
    } else {
        breached(
            format!("the server cannot read what was sent ({got})"),
            "let the server identity read the uploader's objects, by a policy of the staging bucket",
        )
    })
}

async fn length(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("length");
    for body in [b"loadlock doctor, and more".as_slice(), b"loadlock"] {
        let ask = Ask {
            body,
            ..granted(&key, &SIGNED)
        };
        let answer = doctor.wire.send(&ask).await?;
        if answer.done() {
            return Ok(breached(
                "another length than the signed one is taken",
                UNSAFE,
            ));
        }
    }
    Ok(holds("another length is refused"))
}

async fn kind(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("type");
    let ask = Ask {
        added: &[("content-type", "text/html")],
        ..granted(&key, &SIGNED)
    };
    refused(doctor, &ask, "another type").await
}

async fn another_key(doctor: &Doctor<'_>) -> Found {
    let (key, other) = (doctor.sent("key"), doctor.sent("other"));
    let ask = Ask {
        detour: Some(&other),
        ..granted(&key, &SIGNED)
    };
    refused(doctor, &ask, "another key").await
}

async fn expired(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("expired");
    let ask = Ask {
        age: Duration::from_hours(1),
        ..granted(&key, &SIGNED)
    };
    refused(doctor, &ask, "an expired grant").await
}

async fn refused(doctor: &Doctor<'_>, ask: &Ask<'_>, what: &str) -> Found {
    let answer = doctor.wire.send(ask).await?;
    Ok(if answer.done() {
        breached(format!("{what} is taken"), UNSAFE)
    } else {
        holds(format!("{what} is refused ({answer})"))
    })
}

async fn second(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("twice");
    let once = granted(&key, &ONCE);
    let first = doctor.wire.send(&once).await?;
    if !first.done() {
        return Ok(replaceable(
            doctor,
            format!("a PUT with `if-none-match` is refused ({first})"),
        ));
    }
    let second = doctor.wire.send(&once).await?;
    Ok(if second.done() {
        replaceable(
            doctor,
            "a second PUT with the same grant is taken".to_owned(),
        )
    } else {
        holds(format!(
            "a second PUT with the same grant is refused ({second})"
        ))
    })
}

async fn race(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("race");
    let once = granted(&key, &ONCE);
    let answers = try_join_all((0..RACERS).map(|_| doctor.wire.send(&once))).await?;
    let taken = answers.iter().filter(|answer| answer.done()).count();
    Ok(if taken == 1 {
        holds(format!(
            "of {RACERS} PUTs at once with the same grant one is taken"
        ))
    } else {
        let says = format!("of {RACERS} PUTs at once with the same grant {taken} are taken");
        replaceable(doctor, says)
    })
}

/// What is sent can be replaced: a breach if the service counts on it that it cannot.
fn replaceable(doctor: &Doctor<'_>, says: String) -> Finding {
    if doctor.store.conditional_writes {
        breached(says, REPLACEABLE)
    } else {
        lacking(format!("{says}; so nothing is inspected in place"))
    }
}

async fn post(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("post");
    let answer = doctor.wire.post(&key, LIMITS, BYTES).await?;
    if !answer.done() {
        let says = format!("a form as granted is refused ({answer})");
        return Ok(if doctor.methods.contains(&Method::Post) {
            breached(says, FORMS)
        } else {
            lacking(format!("{says}, and no profile takes forms"))
        });
    }
    let got = doctor.read(At::Staging, &key).await?;
    Ok(if got.body == BYTES {
        holds("a form as granted works")
    } else {
        breached(
            "a form as granted is taken, and something else is stored",
            UNSAFE,
        )
    })
}

async fn post_length(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("post-length");
    let answer = doctor.wire.post(&key, LIMITS, &[b'a'; MOST + 1]).await?;
    Ok(if answer.done() {
        breached("a form with a longer file than granted is taken", UNSAFE)
    } else {
        holds(format!(
            "a form with a longer file than granted is refused ({answer})"
        ))
    })
}

/// The server creates, the uploader's part URLs are used, the server completes.
async fn multipart(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("multipart");
    let Some(id) = doctor.begin_multipart(&key).await? else {
        return Ok(breached(
            "the server cannot begin a multipart upload",
            SERVER,
        ));
    };
    let part = doctor
        .part(
            &key,
            &id,
            Ask {
                body: BYTES,
                ..PART
            },
        )
        .await?;
    if !part.done() {
        return Ok(breached(
            format!("a part as granted is refused ({part})"),
            UPLOADER,
        ));
    }
    let etag = part.header("etag").unwrap_or_default();
    let all = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = Ask {
        query: &[("uploadId", &id)],
        body: all.as_bytes(),
        ..Ask::new(Who::Server, "POST", At::Staging, &key)
    };
    let complete = doctor.wire.send(&complete).await?;
    let got = doctor.read(At::Staging, &key).await?;
    Ok(if complete.done() && got.body == BYTES {
        holds(
            "a file in parts works: the server begins and completes, the parts' URLs are the uploader's",
        )
    } else {
        breached(
            format!("the server cannot complete a multipart upload ({complete})"),
            SERVER,
        )
    })
}

async fn part_length(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("part-length");
    let Some(id) = doctor.begin_multipart(&key).await? else {
        return Ok(breached(
            "the server cannot begin a multipart upload",
            SERVER,
        ));
    };
    let longer = Ask {
        body: b"loadlock doctor, and more",
        ..PART
    };
    let part = doctor.part(&key, &id, longer).await?;
    Ok(if part.done() {
        breached("a part of another length is taken", UNSAFE)
    } else {
        holds(format!("a part of another length is refused ({part})"))
    })
}

/// A part as a grant has it, but for key and upload.
pub(super) const PART: Ask<'static> = Ask {
    signed: &[SIGNED[1]],
    ..Ask::new(Who::Uploader, "PUT", At::Staging, "")
};

impl Doctor<'_> {
    pub(super) async fn begin_multipart(&self, key: &str) -> Result<Option<String>, Unreachable> {
        let create = Ask {
            query: &[("uploads", "")],
            ..Ask::new(Who::Server, "POST", At::Staging, key)
        };
        let created = self.wire.send(&create).await?;
        let id = created.element("UploadId").map(str::to_owned);
        self.wire.touch(At::Staging, key, id.as_deref());
        Ok(id)
    }

    /// Sends the first part.
    pub(super) async fn part(
        &self,
        key: &str,
        id: &str,
        ask: Ask<'_>,
    ) -> Result<Answer, Unreachable> {
        let part = Ask {
            key,
            query: &[("partNumber", "1"), ("uploadId", id)],
            ..ask
        };
        self.wire.send(&part).await
    }
}
