//! Notifications: which one is what, and what has to change in it on its way.

use std::sync::Arc;

use crate::era::meta::key;
use crate::era::{Era, LogLevel, Revision};
use crate::wire::{Id, Notification, Raw};

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
    /// `notifications/tasks/status` (2025-11-25), with the task's id.
    TaskStatus(Arc<str>),
    /// `notifications/tasks` (tasks extension), with the task's id.
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
    pub fn of(notification: &Notification) -> Self {
        Self::known(notification).unwrap_or(Self::Other)
    }

    fn known(notification: &Notification) -> Option<Self> {
        let member = |name: &str| notification.params.as_ref()?.get(&[name]);
        let text = |name: &str| member(name)?.as_text().map(Arc::<str>::from);
        Some(match &*notification.method {
            "notifications/progress" => Self::Progress(Id::read(&member("progressToken")?)?),
            "notifications/message" => Self::Log(text("level")?.parse().ok()?),
            "notifications/cancelled" => Self::Cancelled(Id::read(&member("requestId")?)?),
            "notifications/tools/list_changed" => Self::ToolsChanged,
            "notifications/prompts/list_changed" => Self::PromptsChanged,
            "notifications/resources/list_changed" => Self::ResourcesChanged,
            "notifications/resources/updated" => Self::Updated(text("uri")?),
            "notifications/subscriptions/acknowledged" => Self::Acknowledged,
            "notifications/tasks/status" => Self::TaskStatus(text("taskId")?),
            "notifications/tasks" => Self::Task(text("taskId")?),
            "notifications/elicitation/complete" => Self::ElicitationComplete,
            "notifications/initialized" => Self::Initialized,
            "notifications/roots/list_changed" => Self::RootsChanged,
            _ => return None,
        })
    }

    /// Does a party of this revision know it?
    #[must_use]
    pub fn is_known_to(&self, revision: Revision) -> bool {
        match self {
            Self::Acknowledged | Self::Task(_) => revision.era() == Era::Modern,
            Self::Initialized | Self::RootsChanged => revision.era() == Era::Legacy,
            Self::TaskStatus(_) => revision.has_core_tasks(),
            Self::ElicitationComplete => revision == Revision::V2025_11_25,
            _ => true,
        }
    }
}

/// The same progress under another token.
#[must_use]
pub fn with_token(notification: &Notification, token: &Id) -> Notification {
    with(notification, &["progressToken"], &token.raw())
}

/// The same update of another URI.
#[must_use]
pub fn with_uri(notification: &Notification, uri: &str) -> Notification {
    with(notification, &["uri"], &Raw::text(uri))
}

/// The same as part of a subscription (modern).
#[must_use]
pub fn with_subscription(notification: &Notification, listen: &Id) -> Notification {
    with(notification, &["_meta", key::SUBSCRIPTION_ID], &listen.raw())
}

/// The same as part of none.
#[must_use]
pub fn without_subscription(notification: &Notification) -> Notification {
    let params = notification.params.as_ref().map(|params| params.without(&["_meta", key::SUBSCRIPTION_ID]));
    Notification { method: notification.method.clone(), params }
}

/// The subscription a modern notification belongs to.
#[must_use]
pub fn subscription(notification: &Notification) -> Option<Id> {
    Id::read(&notification.params.as_ref()?.get(&["_meta", key::SUBSCRIPTION_ID])?)
}

/// `notifications/cancelled`.
#[must_use]
pub fn cancelled(id: &Id, reason: Option<&str>) -> Notification {
    let mut params = vec![("requestId", id.raw())];
    params.extend(reason.map(|reason| ("reason", Raw::text(reason))));
    Notification::new("notifications/cancelled", Some(Raw::object(params)))
}

fn with(notification: &Notification, path: &[&str], value: &Raw) -> Notification {
    let params = notification.params.clone().unwrap_or_else(Raw::empty).with(path, value);
    Notification { method: notification.method.clone(), params: Some(params) }
}
