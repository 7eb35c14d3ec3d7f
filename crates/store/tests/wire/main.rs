//! The store over HTTP, in process, on a clock that moves by hand: what depends on time and on slow clients.

#[cfg(test)]
mod connections;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod time;
#[cfg(test)]
mod world;
