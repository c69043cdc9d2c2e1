//! What a subscription wants: the filter of `subscriptions/listen`, and what takes its place in the older era.

use std::sync::Arc;

use crate::era::Refusal;
use crate::wire::{Id, Notification, Raw};

use super::notices::Notice;

/// The most resources and tasks one filter may name.
pub const NAMED_MAX: usize = 1024;

/// Which notifications are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `notifications/tools/list_changed`
    pub tools: bool,
    /// `notifications/prompts/list_changed`
    pub prompts: bool,
    /// `notifications/resources/list_changed`
    pub resources: bool,
    /// `notifications/resources/updated` of these URIs.
    pub uris: Vec<Arc<str>>,
    /// `notifications/tasks` of these tasks (tasks extension).
    pub tasks: Vec<Arc<str>>,
}

impl Filter {
    /// What a session of the older era hears without asking: all lists, no resource.
    #[must_use]
    pub fn of_session() -> Self {
        Self { tools: true, prompts: true, resources: true, ..Self::default() }
    }

    /// Reads the `params` of `subscriptions/listen`.
    ///
    /// # Errors
    /// `Params` when the filter is missing, in the wrong shape, or names too much.
    pub fn read(_params: Option<&Raw>) -> Result<Self, Refusal> {
        todo!()
    }

    /// The `notifications` object.
    #[must_use]
    pub fn write(&self) -> Raw {
        todo!()
    }

    /// The part of it that a server with these capabilities can honour.
    #[must_use]
    pub fn honoured_by(&self, _capabilities: &Raw) -> Self {
        todo!()
    }

    /// Is nothing wanted?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Is this wanted?
    #[must_use]
    pub fn wants(&self, _notice: &Notice) -> bool {
        todo!()
    }

    /// `notifications/subscriptions/acknowledged` for the subscription with this id: the first message of its stream.
    #[must_use]
    pub fn acknowledged(&self, _listen: &Id) -> Notification {
        todo!()
    }
}

/// The result that ends a subscription in peace.
#[must_use]
pub fn ended(_listen: &Id, _server_info: Option<&Raw>) -> Raw {
    todo!()
}
