//! Notifications: which one is what, and what has to change in it on its way.

use std::sync::Arc;

use crate::era::{LogLevel, Revision};
use crate::wire::{Id, Notification};

/// What a notification is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `notifications/progress`, with its token.
    Progress(Id),
    /// `notifications/message`, with its level.
    Log(LogLevel),
    /// `notifications/cancelled`, with the request it is about.
    Cancelled(Id),
    /// `notifications/tools/list_changed`
    ToolsChanged,
    /// `notifications/prompts/list_changed`
    PromptsChanged,
    /// `notifications/resources/list_changed`
    ResourcesChanged,
    /// `notifications/resources/updated`, with the URI.
    Updated(Arc<str>),
    /// `notifications/subscriptions/acknowledged` (modern)
    Acknowledged,
    /// `notifications/tasks/status` (2025-11-25) or `notifications/tasks` (extension), with the task's id.
    Task(Arc<str>),
    /// `notifications/elicitation/complete` (2025-11-25)
    ElicitationComplete,
    /// `notifications/initialized` (legacy client)
    Initialized,
    /// `notifications/roots/list_changed` (legacy client)
    RootsChanged,
    /// Any other, and those above that lack what they are about.
    Other,
}

impl Notice {
    /// What this one is.
    #[must_use]
    pub fn of(_notification: &Notification) -> Self {
        todo!()
    }

    /// Does a party of this revision know it?
    #[must_use]
    pub fn is_known_to(&self, _revision: Revision) -> bool {
        todo!()
    }
}

/// The same progress under another token.
#[must_use]
pub fn with_token(_notification: &Notification, _token: &Id) -> Notification {
    todo!()
}

/// The same cancellation of another request.
#[must_use]
pub fn with_request_id(_notification: &Notification, _id: &Id) -> Notification {
    todo!()
}

/// The same update of another URI.
#[must_use]
pub fn with_uri(_notification: &Notification, _uri: &str) -> Notification {
    todo!()
}

/// The same as part of a subscription (modern).
#[must_use]
pub fn with_subscription(_notification: &Notification, _listen: &Id) -> Notification {
    todo!()
}

/// The same as part of none.
#[must_use]
pub fn without_subscription(_notification: &Notification) -> Notification {
    todo!()
}

/// The subscription a modern notification belongs to.
#[must_use]
pub fn subscription(_notification: &Notification) -> Option<Id> {
    todo!()
}

/// `notifications/cancelled`.
#[must_use]
pub fn cancelled(_id: &Id, _reason: Option<&str>) -> Notification {
    todo!()
}
