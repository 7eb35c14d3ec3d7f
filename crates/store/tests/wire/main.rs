//! The store over HTTP, in process, on a clock that moves by hand: what depends on time and on slow clients.

mod connections;
mod time;
mod world;
