//! HTTP/1.1 as a client speaks it (RFC 9112), carried by whoever waits for the answer.
//!
//! hyper's client runs each connection in a task of its own, and request, answer and both bodies cross to it through
//! channels. A call to a provider needs none of that: it writes, it waits, it reads. Here its own task does so, and a call
//! costs two system calls, no hand-over and, while its answer streams, one buffer. What it gains is in `bench/NOTES.md`.
//!
//! Answers are read strictly: whoever answers may be a stranger (webhooks, tool servers), and an end that is guessed at is an
//! answer that may not be whole.

mod alarm;
mod chunks;
mod connection;
mod framing;
mod head;
mod outgoing;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use connection::{Connection, Unanswered};
pub(crate) use framing::Framing;
pub(crate) use stream::Stream;

use std::io;

/// An answer that breaks the rules of its protocol.
fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
