//! The flow against the real embedded store, in process, with the clock in hand.

mod claims;
mod ends;
mod faults;
mod hostile;
mod leases;
mod methods;
mod proxy;
mod world;
