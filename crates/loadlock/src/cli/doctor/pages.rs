//! What a browser lets pages do: the configured origins' send, and nobody's page reads.
use super::{
    Doctor,
    chart::{Chart, Found, breached, holds, skipped},
    grants::{BYTES, SIGNED},
    wire::{Answer, Ask, At, Unreachable, Who},
};
use crate::config::Origins;

const STRANGER: &str = "https://stranger.invalid";
/// What a browser asks for, for the most that grants ask of it.
const ASKED: &str = "content-md5,content-type,if-none-match,x-amz-checksum-sha256";
const PROVISION: &str = "run `loadlock provision`";
const CLOSE: &str = "remove the CORS rules that are not Loadlock's (`loadlock provision` names them), \
                     and those the store has for all buckets";

pub(super) async fn examine(doctor: &Doctor<'_>, chart: &mut Chart) {
    chart.group("pages");
    if chart.check("preflight", preflight(doctor)).await {
        chart.check("exposed", exposed(doctor)).await;
        chart.check("errors_shown", errors_shown(doctor)).await;
    } else {
        chart.skip(&["exposed", "errors_shown"], "preflight");
    }
    chart.check("stranger_preflight", stranger(doctor)).await;
    chart
        .check_after(&["server_final"], "final_preflight", finals(doctor))
        .await;
}

fn origins(origins: &Origins) -> Vec<&str> {
    match origins {
        Origins::Loopback => vec!["http://localhost:3000"],
        Origins::Listed(origins) => origins.iter().map(String::as_str).collect(),
    }
}

async fn preflight(doctor: &Doctor<'_>) -> Found {
    let origins = origins(doctor.origins);
    if origins.is_empty() {
        return Ok(skipped("no origins are configured"));
    }
    for origin in &origins {
        for method in ["PUT", "POST"] {
            let answer = ask(doctor, At::Staging, origin, method).await?;
            if !allows(&answer, origin, method) {
                let says = format!("a page of {origin} may not {method} ({answer})");
                return Ok(breached(says, PROVISION));
            }
        }
    }
    Ok(holds(format!("pages of {} may send", origins.join(", "))))
}

async fn stranger(doctor: &Doctor<'_>) -> Found {
    let answer = ask(doctor, At::Staging, STRANGER, "PUT").await?;
    Ok(if allows(&answer, STRANGER, "PUT") {
        breached("any page may send to staging what a grant allows", CLOSE)
    } else {
        holds("a stranger's page may not send")
    })
}

async fn finals(doctor: &Doctor<'_>) -> Found {
    let key = doctor.stored("own");
    for origin in origins(doctor.origins).into_iter().chain([STRANGER]) {
        for method in ["GET", "PUT"] {
            let answer = ask(doctor, At::Final, origin, method).await?;
            if allows(&answer, origin, method) {
                let says = format!("a page of {origin} may {method} in the final bucket");
                return Ok(breached(says, CLOSE));
            }
        }
        // A browser asks for no leave to get something as plainly as this.
        let get = Ask {
            added: &[("origin", origin)],
            ..Ask::new(Who::Reader, "GET", At::Final, &key)
        };
        let shown = doctor.wire.send(&get).await?;
        if reads(&shown, origin) {
            let says = format!("a page of {origin} may read by script what a reader's URL shows");
            return Ok(breached(says, CLOSE));
        }
        if !shown.done() {
            return Ok(skipped(format!("the reader's URL shows nothing ({shown})")));
        }
    }
    Ok(holds(
        "no page may send to the final bucket, or read from it by script",
    ))
}

/// The answer to the PUT itself: the client needs its `ETag`.
async fn exposed(doctor: &Doctor<'_>) -> Found {
    let origin = origins(doctor.origins)[0];
    let key = doctor.sent("exposed");
    let put = Ask {
        signed: &SIGNED,
        added: &[("origin", origin)],
        body: BYTES,
        ..Ask::new(Who::Uploader, "PUT", At::Staging, &key)
    };
    let answer = doctor.wire.send(&put).await?;
    let exposed = listed(&answer, "access-control-expose-headers", "etag");
    Ok(if !answer.done() {
        skipped(format!("no PUT is answered ({answer})"))
    } else if reads(&answer, origin) && exposed {
        holds("a page sees the answer to its PUT, the ETag with it")
    } else {
        breached(
            "a page does not see the ETag in the answer to its PUT",
            PROVISION,
        )
    })
}

/// A page that cannot read a refusal takes it for a broken network, and tries again.
async fn errors_shown(doctor: &Doctor<'_>) -> Found {
    let origin = origins(doctor.origins)[0];
    let key = doctor.sent("error");
    let put = Ask {
        added: &[("origin", origin)],
        body: BYTES,
        ..Ask::new(Who::Stranger, "PUT", At::Staging, &key)
    };
    let answer = doctor.wire.send(&put).await?;
    Ok(if reads(&answer, origin) {
        holds("a page sees why it was refused")
    } else {
        super::chart::lacking(
            "a page does not see why it was refused: it takes that for a network error",
        )
    })
}

async fn ask(
    doctor: &Doctor<'_>,
    at: At,
    origin: &str,
    method: &str,
) -> Result<Answer, Unreachable> {
    let key = doctor.sent("page");
    let asked = Ask {
        added: &[
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", ASKED),
        ],
        ..Ask::new(Who::Stranger, "OPTIONS", at, &key)
    };
    doctor.wire.send(&asked).await
}

/// Whether a browser goes on after this answer to its preflight (Fetch standard, "CORS-preflight fetch").
fn allows(answer: &Answer, origin: &str, method: &str) -> bool {
    answer.status.is_success()
        && reads(answer, origin)
        && listed(answer, "access-control-allow-methods", method)
        && ASKED
            .split(',')
            .all(|name| listed(answer, "access-control-allow-headers", name))
}

fn reads(answer: &Answer, origin: &str) -> bool {
    answer
        .header("access-control-allow-origin")
        .is_some_and(|allowed| allowed == origin || allowed == "*")
}

fn listed(answer: &Answer, header: &str, wanted: &str) -> bool {
    let values = answer.headers.get_all(header).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|item| item == "*" || item.eq_ignore_ascii_case(wanted))
}
