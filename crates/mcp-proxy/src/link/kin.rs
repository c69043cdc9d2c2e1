//! What has been found of a server by whoever asked it first.

use std::sync::{Mutex, PoisonError};

/// What is known of a server's kind; shared by all links to it, and asked again when it turns out wrong.
#[derive(Default)]
pub(crate) struct Kin(Mutex<Option<Kind>>);

/// The kinds of server there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of the newer era.
    Modern,
    /// Opened by `initialize`.
    Legacy,
    /// The same, over HTTP with SSE.
    Sse,
}

impl Kin {
    pub(super) fn get(&self) -> Option<Kind> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Is it known to need no session?
    pub(crate) fn is_modern(&self) -> bool {
        self.get() == Some(Kind::Modern)
    }
    pub(super) fn set(&self, kind: Option<Kind>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }
}
