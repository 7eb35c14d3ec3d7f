//! Those who are asked about content: a malware scanner, and hooks of the operator's.

mod clamd;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::Stream;
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::{
    error::{Error, Kind},
    hook::{Hook, Hooks},
};

/// Who is asked, and how.
#[derive(Debug, Clone)]
pub struct Scanning {
    /// Where `clamd` listens.
    pub clamd: Option<Address>,
    /// How long it may be silent.
    pub timeout: Duration,
    /// How many files are scanned at a time.
    pub at_once: usize,
    /// By their names.
    pub hooks: BTreeMap<String, Hook>,
}

impl Default for Scanning {
    fn default() -> Self {
        Self {
            clamd: None,
            timeout: Duration::from_mins(3),
            at_once: 4,
            hooks: BTreeMap::new(),
        }
    }
}

/// Where a scanner listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Host and port.
    Tcp(String),
    Unix(PathBuf),
}

/// What somebody says who was asked about content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// Nothing is wrong with it.
    Clean,
    /// The name of the malware that it contains.
    Malware(String),
    /// A sentence for people.
    Refused(String),
    /// They cannot say; what is in the way.
    Unknown(Fault),
}

/// Why there is no opinion. None is ever taken for a good one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// They were not asked: others were, for long.
    Busy,
    /// It may pass.
    Passing(String),
    /// Asked again, they could say no more.
    Lasting(String),
}

/// How long a free place is waited for at the most.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a hook's sentence may be.
const MOST_CHARACTERS: usize = 300;

/// Those who are asked. Clones share their places.
#[derive(Debug, Clone)]
pub struct Scanners {
    settings: Arc<Scanning>,
    places: Arc<Semaphore>,
    hooks: Hooks,
}

impl Scanners {
    /// Ready to ask; nobody is asked yet.
    pub fn new(settings: &Scanning, hooks: Hooks) -> Self {
        Self {
            places: Arc::new(Semaphore::new(settings.at_once)),
            settings: Arc::new(settings.clone()),
            hooks,
        }
    }

    /// A place to ask from, in turn; none if all are taken for as long as a scanner may be silent.
    pub async fn place(&self) -> Option<SemaphorePermit<'_>> {
        let patience = PATIENCE.min(self.settings.timeout);
        timeout(patience, self.places.acquire()).await.ok()?.ok()
    }

    /// What `clamd` says to content of this size. An error is the content's: it could not be read.
    pub async fn clamd(
        &self,
        content: impl Stream<Item = Result<Bytes, Error>> + Send,
        size_bytes: u64,
    ) -> Result<Opinion, Error> {
        let Some(address) = &self.settings.clamd else {
            let why = "no scanner is configured".to_owned();
            return Ok(Opinion::Unknown(Fault::Passing(why)));
        };
        clamd::scan(address, self.settings.timeout, content, size_bytes).await
    }

    /// How long a hook of this name may take to fetch the content.
    pub fn hook_timeout(&self, name: &str) -> Duration {
        let hook = self.settings.hooks.get(name);
        hook.map_or(Duration::ZERO, |hook| hook.timeout)
    }

    /// What a hook says to a question.
    pub async fn hook(&self, name: &str, id: &str, at: Timestamp, question: &Value) -> Opinion {
        let passing = |why: String| Opinion::Unknown(Fault::Passing(why));
        let Some(hook) = self.settings.hooks.get(name) else {
            return passing(format!("there is no hook `{name}`"));
        };
        let question = question.to_string().into_bytes();
        let answer = match self.hooks.call(hook, id, at, question).await {
            Ok(answer) => answer,
            Err(error) => return passing(format!("hook `{name}`: {}", error.sources())),
        };
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        match answer.get("pass").and_then(Value::as_bool) {
            Some(true) => Opinion::Clean,
            Some(false) => {
                let message = answer.get("message").and_then(Value::as_str);
                Opinion::Refused(sentence(message.unwrap_or_default()))
            }
            None => passing(format!("hook `{name}` did not say whether it passes")),
        }
    }
}

/// Text from outside, for people: without control characters, and bounded.
fn sentence(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    let kept: String = visible.take(MOST_CHARACTERS).collect();
    match kept.trim() {
        "" => "the file was refused".to_owned(),
        kept => kept.to_owned(),
    }
}

fn unreadable() -> Error {
    Kind::Unavailable.because("the store ended its answer too early")
}
