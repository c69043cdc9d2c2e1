//! What a subscription wants: the filter of `subscriptions/listen`, and what takes its place in the older era.

use std::sync::Arc;

use crate::era::Refusal;
use crate::era::meta::key;
use crate::wire::{Id, Notification, Raw};

use super::notices::{Notice, with_subscription};
use super::tasks;

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
    pub fn read(params: Option<&Raw>) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::Params(format!("`notifications` of subscriptions/listen {what}"));
        let filter = params.and_then(|params| params.get(&["notifications"])).filter(Raw::is_object);
        let mut wanted = Self::default();
        for (name, value) in filter.ok_or_else(|| wrong("must be an object"))?.members() {
            let flag = || value.as_bool().ok_or_else(|| wrong("must say true or false for a list"));
            let names = || {
                names(&value).ok_or_else(|| wrong("must name resources and tasks in lists of strings, not too long"))
            };
            match &*name {
                "toolsListChanged" => wanted.tools = flag()?,
                "promptsListChanged" => wanted.prompts = flag()?,
                "resourcesListChanged" => wanted.resources = flag()?,
                "resourceSubscriptions" => wanted.uris = names()?,
                "taskIds" => wanted.tasks = names()?,
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// The `notifications` object.
    #[must_use]
    pub fn write(&self) -> Raw {
        let flags = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ];
        let flags = flags.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| (name, Raw::of(&true.into())));
        let lists = [("resourceSubscriptions", &self.uris), ("taskIds", &self.tasks)];
        let lists = lists
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(name, names)| (name, Raw::array(&names.iter().map(|name| Raw::text(name)).collect::<Vec<_>>())));
        Raw::object(flags.chain(lists))
    }

    /// The part of it that a server with these capabilities can honour.
    #[must_use]
    pub fn honoured_by(&self, capabilities: &Raw) -> Self {
        let can = |path: &[&str]| capabilities.get(path).and_then(|can| can.as_bool()) == Some(true);
        Self {
            tools: self.tools && can(&["tools", "listChanged"]),
            prompts: self.prompts && can(&["prompts", "listChanged"]),
            resources: self.resources && can(&["resources", "listChanged"]),
            uris: if can(&["resources", "subscribe"]) { self.uris.clone() } else { Vec::new() },
            tasks: if tasks::has_extension(capabilities) { self.tasks.clone() } else { Vec::new() },
        }
    }

    /// Is nothing wanted?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Is this wanted?
    #[must_use]
    pub fn wants(&self, notice: &Notice) -> bool {
        match notice {
            Notice::ToolsChanged => self.tools,
            Notice::PromptsChanged => self.prompts,
            Notice::ResourcesChanged => self.resources,
            Notice::Updated(uri) => self.uris.contains(uri),
            Notice::Task(id) => self.tasks.contains(id),
            _ => false,
        }
    }

    /// `notifications/subscriptions/acknowledged` for the subscription with this id: the first message of its stream.
    #[must_use]
    pub fn acknowledged(&self, listen: &Id) -> Notification {
        let params = Raw::object([("notifications", self.write())]);
        let notification = Notification::new("notifications/subscriptions/acknowledged", Some(params));
        with_subscription(&notification, listen)
    }
}

/// The `params` of `subscriptions/listen` for this filter, still without `_meta`.
#[must_use]
pub fn params(filter: &Filter) -> Raw {
    Raw::object([("notifications", filter.write())])
}

/// The result that ends a subscription in peace.
#[must_use]
pub fn ended(listen: &Id, server_info: Option<&Raw>) -> Raw {
    let mut meta = vec![(key::SUBSCRIPTION_ID, listen.raw())];
    meta.extend(server_info.map(|info| (key::SERVER_INFO, info.clone())));
    Raw::object([("resultType", Raw::text("complete")), ("_meta", Raw::object(meta))])
}

fn names(list: &Raw) -> Option<Vec<Arc<str>>> {
    let names = list.elements();
    if !list.bytes().starts_with(b"[") || names.len() > NAMED_MAX {
        return None;
    }
    names.iter().map(|name| name.as_text().map(Arc::from)).collect()
}
