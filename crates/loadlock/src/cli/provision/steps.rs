//! What is done to one bucket, step by step: read, compare, change what differs, read again.
use aws_sdk_s3::{
    Client,
    types::{
        AbortIncompleteMultipartUpload, BucketLocationConstraint, CorsRule,
        CreateBucketConfiguration, LifecycleExpiration, LifecycleRule,
        PublicAccessBlockConfiguration,
    },
};
use serde::Serialize;

use crate::cli::rules::{
    self, Change, Rule, plan,
    stored::{self, Refusal},
};

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Apply,
    Plan,
}

/// What became of one thing that a bucket should have.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub(super) bucket: String,
    pub(super) what: &'static str,
    pub(super) outcome: Outcome,
    pub(super) says: String,
}

/// The same in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was as it should be.
    Kept,
    Made,
    Changed,
    /// It is not ours, and stays.
    Left,
    /// The store has no such thing.
    Lacking,
    Failed,
}

/// One bucket, and what has been done to it.
pub(super) struct Bucket<'a> {
    client: &'a Client,
    name: &'a str,
    mode: Mode,
    pub(super) steps: Vec<Step>,
}

impl<'a> Bucket<'a> {
    pub(super) fn new(client: &'a Client, name: &'a str, mode: Mode) -> Self {
        Self {
            client,
            name,
            mode,
            steps: Vec::new(),
        }
    }

    /// Sees to it that there is such a bucket; tells whether there is.
    pub(super) async fn exist(&mut self, region: &str) -> bool {
        let head = self.client.head_bucket().bucket(self.name).send().await;
        let made = match head.map_err(Refusal::from) {
            Ok(_) => {
                self.note("bucket", Outcome::Kept, "is there".to_owned());
                return true;
            }
            Err(Refusal::Absent) if self.mode == Mode::Plan => Ok(()),
            Err(Refusal::Absent) => self.make(region).await,
            Err(refusal) => Err(refusal),
        };
        match made {
            Ok(()) => {
                let says = self.verb(Outcome::Made).to_owned();
                self.note("bucket", Outcome::Made, says);
                true
            }
            Err(refusal) => {
                self.refused("bucket", refusal);
                false
            }
        }
    }

    async fn make(&self, region: &str) -> Result<(), Refusal> {
        let mut create = self.client.create_bucket().bucket(self.name);
        // The oldest region is the one that is not named.
        if region != "us-east-1" {
            let place = BucketLocationConstraint::from(region);
            let place = CreateBucketConfiguration::builder().location_constraint(place);
            create = create.create_bucket_configuration(place.build());
        }
        create.send().await?;
        Ok(())
    }

    /// Shuts out whoever comes without a signature.
    pub(super) async fn close(&mut self) {
        const WHAT: &str = "public access block";
        let (client, name) = (self.client, self.name);
        let dialect = match stored::access(client, name).await {
            Ok((_, dialect)) => dialect,
            Err(refusal) => return self.refused(WHAT, refusal),
        };
        let read = async || Ok(stored::access(client, name).await?.0);
        let write = async |mut all: Vec<PublicAccessBlockConfiguration>| match all.pop() {
            Some(settings) => stored::put_access(client, name, settings).await,
            None => Ok(()),
        };
        match self.settle(read, write, &[rules::closed(dialect)]).await {
            Ok(settled) => self.settled(WHAT, settled, "nobody is let in without a signature"),
            Err(refusal) => self.refused(WHAT, refusal),
        }
    }

    /// Lets pages send, by these rules; none: by none of ours.
    pub(super) async fn open_to(&mut self, pages: &[CorsRule]) {
        const WHAT: &str = "cors";
        let (client, name) = (self.client, self.name);
        let read = async || stored::pages(client, name).await;
        let write = async |all| stored::put_pages(client, name, all).await;
        let origins: Vec<_> = pages.iter().flat_map(CorsRule::allowed_origins).collect();
        let says = if origins.is_empty() {
            "no page may send or read".to_owned()
        } else {
            let origins: Vec<_> = origins.into_iter().map(String::as_str).collect();
            format!("pages of {} may send", origins.join(", "))
        };
        match self.settle(read, write, pages).await {
            Ok((_, foreign)) if pages.is_empty() && !foreign.is_empty() => {
                let foreign = foreign.join(", ");
                let says = format!("not ours, and left, though pages may send or read: {foreign}");
                self.note(WHAT, Outcome::Left, says);
            }
            Ok(settled) => self.settled(WHAT, settled, &says),
            // What the store has not, it need not forbid.
            Err(Refusal::Lacking) if pages.is_empty() => {}
            Err(refusal) => self.refused(WHAT, refusal),
        }
    }

    /// Lets expire by itself what is left behind.
    pub(super) async fn forget(&mut self, wanted: Vec<LifecycleRule>) {
        const WHAT: &str = "expiry";
        let (client, name) = (self.client, self.name);
        let read = async || Ok(stored::expiry(client, name).await?.0);
        let write = async |all| {
            let least = stored::expiry(client, name).await?.1;
            stored::put_expiry(client, name, (all, least)).await
        };
        let says: Vec<_> = wanted.iter().map(expiry).collect();
        match self.settle(read, write, &wanted).await {
            Ok(settled) => self.settled(WHAT, settled, &says.join(", ")),
            Err(refusal) => self.refused(WHAT, refusal),
        }
    }

    /// Reads, compares, writes what differs and reads again: what was changed, and whose rules were left.
    async fn settle<R: Rule>(
        &self,
        read: impl AsyncFn() -> Result<Vec<R>, Refusal>,
        write: impl AsyncFn(Vec<R>) -> Result<(), Refusal>,
        wanted: &[R],
    ) -> Result<(Option<Change>, Vec<String>), Refusal> {
        let planned = plan(&read().await?, wanted);
        if planned.change.is_some() && self.mode == Mode::Apply {
            write(planned.rules).await?;
            // A store may take what it does not know, and forget it.
            if plan(&read().await?, wanted).change.is_some() {
                return Err(Refusal::Forgotten);
            }
        }
        Ok((planned.change, planned.foreign))
    }

    fn settled(
        &mut self,
        what: &'static str,
        (change, foreign): (Option<Change>, Vec<String>),
        says: &str,
    ) {
        let outcome = match change {
            None => Outcome::Kept,
            Some(Change::Add) => Outcome::Made,
            Some(Change::Replace) => Outcome::Changed,
        };
        self.note(what, outcome, format!("{}: {says}", self.verb(outcome)));
        if !foreign.is_empty() {
            let says = format!("not ours, and left: {}", foreign.join(", "));
            self.note(what, Outcome::Left, says);
        }
    }

    fn refused(&mut self, what: &'static str, refusal: Refusal) {
        let (outcome, says) = match refusal {
            Refusal::Lacking => (
                Outcome::Lacking,
                format!("the store has no {what} of a bucket's own"),
            ),
            Refusal::Forgotten => (
                Outcome::Lacking,
                format!("the store takes the {what}, and does not keep it as it was given"),
            ),
            Refusal::Absent => (Outcome::Failed, "there is no such bucket".to_owned()),
            Refusal::Denied(why) => (Outcome::Failed, format!("these credentials may not: {why}")),
            Refusal::Failed(why) => (Outcome::Failed, why),
        };
        self.note(what, outcome, says);
    }

    fn note(&mut self, what: &'static str, outcome: Outcome, says: String) {
        self.steps.push(Step {
            bucket: self.name.to_owned(),
            what,
            outcome,
            says,
        });
    }

    fn verb(&self, outcome: Outcome) -> &'static str {
        match (outcome, self.mode) {
            (Outcome::Made, Mode::Apply) => "made",
            (Outcome::Made, Mode::Plan) => "would be made",
            (Outcome::Changed, Mode::Apply) => "changed",
            (Outcome::Changed, Mode::Plan) => "would be changed",
            (Outcome::Kept | Outcome::Left | Outcome::Lacking | Outcome::Failed, _) => {
                "as it should be"
            }
        }
    }
}

fn expiry(rule: &LifecycleRule) -> String {
    let days = |days: i32| format!("{days} day{}", if days == 1 { "" } else { "s" });
    let whole = rule.expiration().and_then(LifecycleExpiration::days);
    let unfinished = rule.abort_incomplete_multipart_upload();
    match (
        whole,
        unfinished.and_then(AbortIncompleteMultipartUpload::days_after_initiation),
    ) {
        (Some(after), _) => {
            let prefix = rules::plain_prefix(rule).unwrap_or_default();
            format!("`{prefix}` after {}", days(after))
        }
        (None, after) => format!(
            "unfinished uploads after {}",
            days(after.unwrap_or_default())
        ),
    }
}
