//! A faulty way between service and store: any one call can be made to fail, before or after it is carried out.

use std::sync::{Arc, Mutex};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use loadlock::clock::Clock;
use reqwest::Client;
use tokio::{net::TcpListener, sync::Notify};

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    /// It is carried out, but the caller never hears of it.
    After,
}

/// Which call is to fail.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    calls: usize,
    fault: Option<(usize, When)>,
    all: Option<When>,
    hang: bool,
    copies: usize,
    copy: HeaderMap,
    held: Option<Arc<Held>>,
}

/// A call that is carried out and answered later.
#[derive(Debug, Default)]
pub(crate) struct Held {
    done: Notify,
    released: Notify,
}

impl Held {
    /// Once it is carried out.
    pub(crate) async fn done(&self) {
        self.done.notified().await;
    }

    /// Lets its answer go.
    pub(crate) fn release(&self) {
        self.released.notify_one();
    }
}

impl Faults {
    /// Counts from nought again, and lets call number `call` fail.
    pub(crate) fn plan(&self, call: usize, when: When) {
        *self.0.lock().unwrap() = Plan {
            calls: 0,
            fault: Some((call, when)),
            ..Plan::default()
        };
    }

    /// Lets every call fail from now on.
    pub(crate) fn plan_all(&self, when: When) {
        self.0.lock().unwrap().all = Some(when);
    }

    /// Lets the next call go unanswered for ever.
    pub(crate) fn plan_silence(&self) {
        self.0.lock().unwrap().hang = true;
    }

    /// Whether the call that is to go unanswered is yet to come.
    pub(crate) fn silence_is_to_come(&self) -> bool {
        self.0.lock().unwrap().hang
    }

    /// Holds the answer to the next call.
    pub(crate) fn plan_hold(&self) -> Arc<Held> {
        let held = Arc::new(Held::default());
        self.0.lock().unwrap().held = Some(held.clone());
        held
    }

    /// How often the store was asked to copy.
    pub(crate) fn copies(&self) -> usize {
        self.0.lock().unwrap().copies
    }

    /// A header of the last copy that the store was asked for.
    pub(crate) fn copied_with(&self, header: &str) -> Option<String> {
        let plan = self.0.lock().unwrap();
        let value = plan.copy.get(header)?;
        Some(value.to_str().unwrap().to_owned())
    }

    /// Takes the fault back if it has not come to pass; says whether it has.
    pub(crate) fn came_to_pass(&self) -> bool {
        let mut plan = self.0.lock().unwrap();
        plan.all = None;
        plan.fault.take().is_none()
    }

    fn next(&self) -> Option<When> {
        let mut plan = self.0.lock().unwrap();
        plan.calls += 1;
        if plan.all.is_some() {
            return plan.all;
        }
        let (call, when) = plan.fault?;
        (plan.calls > call).then(|| {
            plan.fault = None;
            when
        })
    }
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    pub(crate) faults: Faults,
}

#[derive(Clone)]
struct Way {
    target: String,
    http: Client,
    faults: Faults,
    clock: Clock,
}

impl Proxy {
    pub(crate) async fn start(target: &str, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let faults = Faults::default();
        let way = Way {
            target: target.to_owned(),
            http: Client::new(),
            faults: faults.clone(),
            clock,
        };
        let router = axum::Router::new().fallback(pass).with_state(way);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, faults }
    }
}

/// Answers carry the date of the clock in hand: the SDK believes the store's more than its own.
async fn pass(State(way): State<Way>, request: Request) -> Response<Body> {
    let mut response = forward(&way, request).await;
    let now = way
        .clock
        .now()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    let date = HeaderValue::from_str(&now).unwrap();
    response.headers_mut().insert(header::DATE, date);
    response
}

async fn forward(way: &Way, request: Request) -> Response<Body> {
    if std::mem::take(&mut way.faults.0.lock().unwrap().hang) {
        return std::future::pending().await;
    }
    if request.headers().contains_key("x-amz-copy-source") {
        let mut plan = way.faults.0.lock().unwrap();
        plan.copies += 1;
        plan.copy = request.headers().clone();
    }
    let held = way.faults.0.lock().unwrap().held.take();
    let fault = way.faults.next();
    if fault == Some(When::Before) {
        return failure();
    }
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().unwrap().as_str();
    let body = to_bytes(body, 64 << 20).await.unwrap();
    let mut forward = way
        .http
        .request(head.method, format!("{}{path}", way.target));
    // The host stays as it was signed.
    forward = forward.headers(head.headers);
    let answer = forward.body(body).send().await.unwrap();
    if fault == Some(When::After) {
        return failure();
    }
    if let Some(held) = held {
        held.done.notify_one();
        held.released.notified().await;
    }
    let mut response = Response::builder().status(answer.status());
    response
        .headers_mut()
        .unwrap()
        .extend(answer.headers().clone());
    response
        .body(Body::from(answer.bytes().await.unwrap()))
        .unwrap()
}

/// An error that no client tries again by itself.
fn failure() -> Response<Body> {
    let text = "<Error><Code>AccessDenied</Code><Message>a planned fault</Message></Error>";
    let response = Response::builder().status(StatusCode::FORBIDDEN);
    response.body(Body::from(text)).unwrap()
}
