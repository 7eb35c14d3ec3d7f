//! The steps from state to state: a step that the upload's state does not allow leaves it as it is.

use jiff::Timestamp;

use super::{Refused, State, Unscanned};
use crate::upload::{Inspected, Method, ObjectKey, Promote, Rejection, Upload, UploadId};

impl Upload {
    /// The bytes have arrived.
    pub fn receive(self) -> Result<Self, Refused> {
        match self.state {
            State::Issued => Ok(self.into_state(State::Received { unscanned: None })),
            _ => Err(self.state.refusal()),
        }
    }

    /// Inspection found nothing wrong. If the profile promotes on a claim, the file now waits for one until `deadline`.
    pub fn pass(
        self,
        inspected: Inspected,
        promote: Promote,
        deadline: Timestamp,
    ) -> Result<Self, Refused> {
        let claim_by = (promote == Promote::OnClaim).then_some(deadline);
        match self.state {
            State::Received { .. } => Ok(Self {
                lingers: self.may_grow(),
                reserved_bytes: if self.may_grow() {
                    self.reserved_bytes
                } else {
                    inspected.size_bytes
                },
                ..self.into_state(State::Ready {
                    inspected,
                    claim_by,
                    deadline,
                })
            }),
            _ => Err(self.state.refusal()),
        }
    }

    /// A claim takes it: uploads that wait for one go on to promotion, stored ones get the claim's form data.
    pub fn claim(self, claim: UploadId) -> Result<Self, Refused> {
        if self.claim.is_some() {
            return Err(Refused::Claimed);
        }
        let state = match self.state {
            State::Ready {
                inspected,
                claim_by: Some(_),
                deadline,
            } => State::Ready {
                inspected,
                claim_by: None,
                deadline,
            },
            State::Stored {
                deleted_at: None, ..
            } => self.state,
            State::Stored { .. } => return Err(Refused::Ended),
            _ => return Err(self.state.refusal()),
        };
        Ok(Self {
            claim: Some(claim),
            state,
            attempt: self.attempt + 1,
            ..self
        })
    }

    /// The copy in the final bucket is made.
    pub fn store(self, key: ObjectKey) -> Result<Self, Refused> {
        match self.state {
            State::Ready {
                claim_by: None,
                ref inspected,
                ..
            } => Ok(Self {
                reserved_bytes: if self.lingers {
                    self.reserved_bytes
                } else {
                    inspected.size_bytes
                },
                ..self.into_state(State::Stored {
                    key,
                    deleted_at: None,
                })
            }),
            _ => Err(self.state.refusal()),
        }
    }

    /// Inspection, or the store, found it wanting; or its permission was taken back.
    pub fn reject(self, reason: Rejection) -> Result<Self, Refused> {
        match self.state {
            State::Issued | State::Received { .. } | State::Ready { .. } => {
                let copy = self.state.copy().cloned();
                Ok(self.into_end(State::Rejected {
                    reason,
                    copy,
                    quarantined: None,
                }))
            }
            _ => Err(self.state.refusal()),
        }
    }

    /// What was inspected is gone from the store, or has become something else.
    pub fn lose(self) -> Result<Self, Refused> {
        match self.state {
            State::Received { .. } | State::Ready { .. } => self.reject(Rejection::Lost),
            _ => Err(self.state.refusal()),
        }
    }

    /// A claim that cannot be fulfilled gives it back: a stored file is as before, others wait for another claim.
    pub fn release(self) -> Result<Self, Refused> {
        let state = match self.state {
            _ if self.claim.is_none() => return Err(self.state.refusal()),
            State::Ready {
                inspected,
                claim_by: None,
                deadline,
            } => State::Ready {
                inspected,
                claim_by: Some(deadline),
                deadline,
            },
            State::Stored {
                deleted_at: None, ..
            } => self.state,
            _ => return Err(self.state.refusal()),
        };
        Ok(Self {
            claim: None,
            state,
            attempt: self.attempt + 1,
            ..self
        })
    }

    /// Its time is over. What is being promoted no longer expires.
    pub fn expire(self) -> Result<Self, Refused> {
        let copy = self.state.copy().cloned();
        self.end(State::Expired { copy })
    }

    /// Its owner gives it up. What is being promoted can no longer be aborted.
    pub fn abort(self) -> Result<Self, Refused> {
        let copy = self.state.copy().cloned();
        self.end(State::Aborted { copy })
    }

    /// Its work has failed for long, and its time is over: it expires, even if it was being promoted.
    pub fn give_up(self) -> Result<Self, Refused> {
        let copy = self.state.copy().cloned();
        match self.state {
            State::Issued | State::Received { .. } | State::Ready { .. } => {
                Ok(self.into_end(State::Expired { copy }))
            }
            _ => Err(self.state.refusal()),
        }
    }

    /// When its time is over, if it has not reached an end.
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Received {
                unscanned: Some(Unscanned { until, .. }),
            } => Some(self.expires_at.max(*until)),
            State::Issued | State::Received { .. } => Some(self.expires_at),
            State::Ready { deadline, .. } => Some(*deadline),
            _ => None,
        }
    }

    fn end(self, end: State) -> Result<Self, Refused> {
        match self.state {
            State::Issued
            | State::Received { .. }
            | State::Ready {
                claim_by: Some(_), ..
            } => Ok(self.into_end(end)),
            State::Ready { claim_by: None, .. } => Err(Refused::Claimed),
            _ => Err(self.state.refusal()),
        }
    }

    /// The stored file is deleted.
    pub fn delete(self, now: Timestamp) -> Result<Self, Refused> {
        match self.state {
            State::Stored {
                key,
                deleted_at: None,
            } => Ok(Self {
                state: State::Stored {
                    key,
                    deleted_at: Some(now),
                },
                lingers: true,
                attempt: self.attempt + 1,
                ..self
            }),
            _ => Err(self.state.refusal()),
        }
    }

    /// When the background next has something to do with it, just after it came into its state at `now`.
    pub fn next_due(&self, now: Timestamp) -> Timestamp {
        match &self.state {
            // It was begun because it has arrived.
            State::Issued if self.method == Method::Credentials => now,
            State::Issued => self.grant_expires_at.min(self.expires_at),
            State::Ready {
                claim_by: Some(claim_by),
                ..
            } if self.lingers => self.grant_dead_at().min(*claim_by),
            State::Ready { claim_by, .. } => claim_by.unwrap_or(now),
            State::Received { .. }
            | State::Stored { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Aborted { .. } => now,
        }
    }

    /// It counts on until what it leaves behind is cleared away.
    fn into_end(self, end: State) -> Self {
        Self {
            lingers: true,
            ..self.into_state(end)
        }
    }

    /// Into a state of another name. Within one name a step counts the attempt up instead: name and attempt together tell
    /// a late writer.
    fn into_state(self, state: State) -> Self {
        Self {
            state,
            attempt: 0,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::after,
        upload::{Metadata, Narrowed, inspection::Confirmed, state::Quarantined},
    };

    fn upload() -> Upload {
        let at = Timestamp::UNIX_EPOCH;
        Upload {
            id: UploadId::from_bytes([1; 16]),
            profile: "image".to_owned(),
            owner: "me".parse().unwrap(),
            api_key: None,
            address: None,
            staged_key: ObjectKey::new("in/x".to_owned()),
            filename: "a.png".to_owned(),
            content_type: "image/png".parse().ok(),
            size_bytes: Some(3),
            reserved_bytes: 3,
            lingers: false,
            checksum: None,
            metadata: Metadata::new(),
            method: Method::Put,
            narrowed: Narrowed::default(),
            multipart_id: None,
            return_to: None,
            grant_expires_at: after(at, Duration::from_mins(1)),
            expires_at: after(at, Duration::from_mins(10)),
            claim: None,
            state: State::Issued,
            attempt: 0,
        }
    }

    fn inspected() -> Inspected {
        Inspected {
            source: ObjectKey::new("in/x".to_owned()),
            key: ObjectKey::new("f".to_owned()),
            confirmed: Confirmed::No,
            etag: "e".to_owned(),
            size_bytes: 3,
            content_type: "image/png".parse().unwrap(),
            dimensions: None,
        }
    }

    fn waiting() -> Unscanned {
        Unscanned {
            source: ObjectKey::new("held/x".to_owned()),
            etag: "e".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            busy_since: None,
            until: after(Timestamp::UNIX_EPOCH, Duration::from_hours(24)),
            why: "clamd cannot be reached".to_owned(),
        }
    }

    fn kept() -> Quarantined {
        Quarantined {
            key: ObjectKey::new("quarantine/x".to_owned()),
            until: Timestamp::UNIX_EPOCH,
            size_bytes: Some(3),
        }
    }

    fn step(upload: Upload, step: u8) -> Result<Upload, Refused> {
        let now = Timestamp::UNIX_EPOCH;
        match step {
            0 => upload.receive(),
            1 => upload.pass(inspected(), Promote::OnClaim, now),
            2 => upload.pass(inspected(), Promote::OnComplete, now),
            3 => upload.claim(UploadId::from_bytes([2; 16])),
            4 => upload.store(ObjectKey::new("f".to_owned())),
            5 => upload.reject(Rejection::SizeMismatch {
                declared: 3,
                found: 4,
            }),
            6 => upload.expire(),
            7 => upload.abort(),
            8 => upload.give_up(),
            9 => upload.wait(waiting()),
            10 => upload.quarantine(Rejection::Lost, kept()),
            _ => upload.delete(now),
        }
    }

    fn rank(state: &State) -> u8 {
        match state {
            State::Issued => 0,
            State::Received { unscanned } => 1 + u8::from(unscanned.is_some()),
            State::Ready { claim_by, .. } => 3 + u8::from(claim_by.is_none()),
            State::Stored { deleted_at, .. } => 5 + u8::from(deleted_at.is_some()),
            State::Rejected { .. } | State::Expired { .. } | State::Aborted { .. } => 7,
        }
    }

    proptest! {
        #[test]
        fn steps_only_lead_forward_and_an_end_is_an_end(steps in prop::collection::vec(0_u8..12, 0..40)) {
            let mut at = upload();
            for n in steps {
                let before = at.clone();
                match step(at.clone(), n) {
                    Ok(next) => {
                        prop_assert!(!before.state.is_ended());
                        let mark = |upload: &Upload| (upload.state.name(), upload.attempt);
                        prop_assert_ne!(mark(&next), mark(&before), "a late writer would not be told");
                        let claims_stored = n == 3 && before.claim.is_none();
                        let waits = n == 9 && next.state.unscanned().is_some();
                        prop_assert!(rank(&next.state) > rank(&before.state) || claims_stored || waits);
                        let is_stored = |upload: &Upload| matches!(upload.state, State::Stored { .. });
                        prop_assert!(is_stored(&next) || !is_stored(&before));
                        at = next;
                    }
                    Err(refused) if before.state.is_ended() => prop_assert_eq!(refused, if n == 3 && before.claim.is_some() { Refused::Claimed } else { Refused::Ended }),
                    Err(_) => {}
                }
            }
        }
    }

    #[test]
    fn what_is_being_promoted_neither_expires_nor_aborts() {
        let waiting = step(step(upload(), 0).unwrap(), 1).unwrap();
        let claimed = step(waiting.clone(), 3).unwrap();
        assert_eq!(claimed.clone().abort(), Err(Refused::Claimed));
        assert_eq!(claimed.clone().expire(), Err(Refused::Claimed));
        let copy = Some(inspected().key);
        let lost = claimed.clone().lose().unwrap();
        assert_eq!(
            (lost.state.copy(), claimed.clone().give_up().unwrap().state),
            (copy.as_ref(), State::Expired { copy: copy.clone() })
        );
        assert!(waiting.abort().unwrap().state.is_ended());
        assert!(matches!(
            step(claimed, 4).unwrap().state,
            State::Stored { .. }
        ));
    }

    #[test]
    fn what_waits_for_a_scanner_is_not_given_up_before_its_time() {
        let received = step(upload(), 0).unwrap();
        let waiting = received.clone().wait(waiting()).unwrap();
        assert!(waiting.deadline() > received.deadline());
        assert_eq!(waiting.deadline(), Some(waiting.token_expires_at()));
    }

    #[test]
    fn records_from_before_there_were_scanners_are_read() {
        let read = |text: &str| serde_json::from_str::<State>(text).unwrap();
        let received = State::Received { unscanned: None };
        assert_eq!(read(r#"{"state":"received"}"#), received);
        let written = serde_json::to_string(&received).unwrap();
        assert_eq!(written, r#"{"state":"received"}"#);
        let rejected = r#"{"state":"rejected","reason":{"code":"lost"},"copy":null}"#;
        assert_eq!(read(rejected).name(), "rejected");
    }
}
