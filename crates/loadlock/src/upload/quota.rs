//! Quotas: how much may be stored, under way and begun, and what an upload counts as.

mod exceeded;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    ops::{Add, Sub},
};

pub use self::exceeded::Exceeded;
use super::{State, Upload};

/// The most there may be; what is not said is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// What is under way counts too: it may be stored yet.
    pub stored_bytes: Option<u64>,
    pub stored_files: Option<u64>,
    /// Begun and not finished.
    pub open_bytes: Option<u64>,
    pub open_files: Option<u64>,
    /// From 00:00 UTC on, whatever became of them.
    pub uploads_per_day: Option<u64>,
}

/// A profile's quotas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// For each owner.
    pub owner: Quota,
    /// For all owners together.
    pub all: Quota,
}

/// All quotas of a process.
#[derive(Debug, Clone, Default)]
pub struct Allowances {
    /// For each owner over all profiles.
    pub total: Quota,
    /// By the profile's name.
    pub profiles: BTreeMap<String, Quotas>,
}

/// What uploads count as, or by how much that changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub stored_bytes: i64,
    pub stored_files: i64,
    pub open_bytes: i64,
    pub open_files: i64,
}

/// How a counter stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub usage: Usage,
    /// The last day on which something began, from 1970-01-01 UTC on.
    pub day: i64,
    /// How many began on that day.
    pub begun: i64,
}

/// What a quota is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One owner within one profile.
    Owner,
    /// All owners within one profile.
    All,
    /// One owner over all profiles.
    Total,
}

/// Whose uploads are counted together. What is empty is not told apart by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counter {
    pub profile: String,
    pub owner: String,
    /// Tells apart those who did not sign in.
    pub address: String,
}

/// What a quota bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    StoredBytes,
    StoredFiles,
    OpenBytes,
    OpenFiles,
    UploadsPerDay,
}

impl Counter {
    /// An owner's uploads within a profile, or over all of them where none is named; a profile's where no owner is.
    pub fn of(profile: &str, owner: &str) -> Self {
        Self {
            profile: profile.to_owned(),
            owner: owner.to_owned(),
            address: String::new(),
        }
    }
}

impl Upload {
    /// What it counts as, as it stands. What is kept of a rejected one counts as stored.
    pub fn usage(&self) -> Usage {
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let bytes = signed(self.reserved_bytes);
        let open = Usage {
            open_bytes: bytes,
            open_files: 1,
            ..Usage::default()
        };
        let stored = |bytes: i64| Usage {
            stored_bytes: bytes,
            stored_files: 1,
            ..Usage::default()
        };
        let usage = match &self.state {
            _ if self.lingers => open,
            State::Issued | State::Received { .. } | State::Ready { .. } => open,
            State::Stored {
                deleted_at: None, ..
            } => stored(bytes),
            State::Stored { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Aborted { .. } => Usage::default(),
        };
        let kept = self.state.kept_bytes().map(signed);
        usage + kept.map_or(Usage::default(), stored)
    }

    /// Where it counts.
    pub fn counters(&self) -> [(Reach, Counter); 3] {
        let owner = |profile: &str| Counter {
            address: self.counted_at(),
            ..Counter::of(profile, self.owner.as_str())
        };
        [
            (Reach::Owner, owner(&self.profile)),
            (Reach::Total, owner("")),
            (Reach::All, Counter::of(&self.profile, "")),
        ]
    }

    /// Whether whoever begins it may know how much is used. An API key may be for some profiles only: what an owner uses over
    /// all of them, one that may know asks for.
    fn may_be_told(&self, reach: Reach) -> bool {
        match reach {
            Reach::Owner => true,
            Reach::Total => self.api_key.is_none(),
            Reach::All => false,
        }
    }

    /// By what those who did not sign in are told apart; nothing for others.
    pub fn counted_at(&self) -> String {
        match self.address {
            Some(address) if self.owner.is_anonymous() => network(address).to_string(),
            _ => String::new(),
        }
    }
}

/// What stands for an address where clients are counted: of IPv6 its /64, which is one subscriber's at least.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

impl Allowances {
    /// The quota of this reach for uploads of a profile.
    pub fn quota(&self, reach: Reach, profile: &str) -> Quota {
        let here = self.profiles.get(profile).copied().unwrap_or_default();
        match reach {
            Reach::Owner => here.owner,
            Reach::All => here.all,
            Reach::Total => self.total,
        }
    }
}

impl Quota {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// The limits there are.
    pub fn limits(&self) -> impl Iterator<Item = (Measure, u64)> {
        let all = [
            (Measure::StoredBytes, self.stored_bytes),
            (Measure::StoredFiles, self.stored_files),
            (Measure::OpenBytes, self.open_bytes),
            (Measure::OpenFiles, self.open_files),
            (Measure::UploadsPerDay, self.uploads_per_day),
        ];
        all.into_iter()
            .filter_map(|(measure, limit)| Some((measure, limit?)))
    }
}

impl Standing {
    /// How many began today.
    pub fn begun_on(&self, today: i64) -> i64 {
        if self.day < today { 0 } else { self.begun }
    }

    /// Counts one more that begins today.
    pub fn begin(&mut self, upload: &Upload, today: i64) {
        self.usage = self.usage + upload.usage();
        self.begun = self.begun_on(today) + 1;
        self.day = self.day.max(today);
    }

    /// Whether one more upload fits, of so many bytes at most.
    pub fn admit(
        &self,
        (reach, quota): (Reach, Quota),
        upload: &Upload,
        today: i64,
    ) -> Result<(), Exceeded> {
        for (measure, limit) in quota.limits() {
            let (used, asked) = self.weigh(measure, upload, today);
            if used.saturating_add(asked) > limit {
                return Err(Exceeded {
                    reach,
                    measure,
                    profile: upload.profile.clone(),
                    limit,
                    used: upload.may_be_told(reach).then_some(used),
                    asked,
                });
            }
        }
        Ok(())
    }

    fn weigh(&self, measure: Measure, upload: &Upload, today: i64) -> (u64, u64) {
        let Usage {
            stored_bytes,
            stored_files,
            open_bytes,
            open_files,
        } = self.usage;
        let (used, asked) = match measure {
            Measure::StoredBytes => (stored_bytes + open_bytes, upload.reserved_bytes),
            Measure::StoredFiles => (stored_files + open_files, 1),
            Measure::OpenBytes => (open_bytes, upload.reserved_bytes),
            Measure::OpenFiles => (open_files, 1),
            Measure::UploadsPerDay => (self.begun_on(today), 1),
        };
        (u64::try_from(used).unwrap_or(0), asked)
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            stored_bytes: self.stored_bytes.saturating_add(other.stored_bytes),
            stored_files: self.stored_files + other.stored_files,
            open_bytes: self.open_bytes.saturating_add(other.open_bytes),
            open_files: self.open_files + other.open_files,
        }
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            stored_bytes: self.stored_bytes - other.stored_bytes,
            stored_files: self.stored_files - other.stored_files,
            open_bytes: self.open_bytes - other.open_bytes,
            open_files: self.open_files - other.open_files,
        }
    }
}

impl Reach {
    /// Its name in settings and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::All => "all",
            Self::Total => "total",
        }
    }
}

impl Measure {
    /// Its name in settings and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StoredBytes => "stored_bytes",
            Self::StoredFiles => "stored_files",
            Self::OpenBytes => "open_bytes",
            Self::OpenFiles => "open_files",
            Self::UploadsPerDay => "uploads_per_day",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_apart_by_what_one_subscriber_has() {
        let check = |address: &str, expected: &str| {
            let found = network(address.parse().unwrap()).to_string();
            assert_eq!(found, expected, "{address}");
        };
        check("203.0.113.7", "203.0.113.7");
        check("::ffff:203.0.113.7", "203.0.113.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }
}
