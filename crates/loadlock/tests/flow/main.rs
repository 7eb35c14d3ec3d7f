//! The flow against the real embedded store, in process, with the clock in hand.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]
#![expect(
    clippy::similar_names,
    reason = "a `begin` is asked for, a `begun` is answered"
)]

mod audit;
mod authorizer;
mod claimed;
mod claims;
mod credentials;
mod elsewhere;
mod embedded;
mod ends;
mod faults;
mod forms;
mod gate;
mod hostile;
mod issuers;
mod keys;
mod leases;
mod many;
mod methods;
mod pictures;
mod pretenders;
mod provider;
mod proxy;
mod quarantine;
mod quotas;
mod rates;
mod reading;
mod reasons;
mod repeats;
mod revocations;
mod rules;
mod scanning;
mod sessions;
mod sign_in;
mod tokens;
mod upload_url;
mod usage;
mod vending;
mod world;
