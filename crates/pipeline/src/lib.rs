//! The one path of a call.

pub mod outbox;
