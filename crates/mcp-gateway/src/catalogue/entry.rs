//! One thing a client can be offered: a tool, a prompt, a resource, a template. Its text is ready to be put into a list.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::checks;
use super::finding::{Finding, Kind, Severity};
use super::json;
use crate::bridge;
use crate::era::Revision;
use crate::era::headers::Mirror;
use crate::weight;
use crate::wire::Raw;

/// One item as one server lists it, under the name clients know it by.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which list it is of.
    pub kind: Kind,
    /// The server.
    pub server: Arc<str>,
    /// The name the server knows it by (a resource's URI, a template's URI template).
    pub real: Arc<str>,
    /// The name clients know it by.
    pub exposed: Arc<str>,
    /// `server.tool`: what policies, limits, the ledger and toolsets call it.
    pub canonical: Arc<str>,
    /// The item as it stands in a list.
    pub json: Raw,
    /// What only tools have.
    pub tool: Option<Arc<ToolFacts>>,
    /// Tokens it takes in a model's context, about.
    pub weight: u32,
}

/// What a tool says of itself besides its texts.
#[derive(Clone, Debug, Default)]
pub struct ToolFacts {
    /// Its annotations: hints of the server, to be believed only of a trusted one.
    pub annotations: Annotations,
    /// Its `inputSchema` as it came.
    pub input_schema: Option<Raw>,
    /// Its `outputSchema` as it came.
    pub output_schema: Option<Raw>,
    /// Arguments that a modern server wants mirrored in headers.
    pub param_headers: Vec<Mirror>,
    /// Can a call of it be made a task, in the way of 2025-11-25? `None`: it cannot.
    pub task_support: Option<TaskSupport>,
    /// The revision its server lists it in, where it has members that are not the same in all of them.
    revision: Option<Revision>,
}

/// Whether who calls a tool asks for a task (2025-11-25, tasks, tool-level negotiation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskSupport {
    /// As they please.
    Optional,
    /// They must.
    Required,
}

/// Where an item comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// The server.
    pub(crate) server: &'a Arc<str>,
    /// The revision it speaks.
    pub(crate) revision: Option<Revision>,
    /// Does it make tasks of calls that ask for it?
    pub(crate) makes_tasks: bool,
}

/// The hints of a tool. Absent is absent: the specification's defaults are the reader's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// What it changes, it may destroy.
    pub destructive: Option<bool>,
    /// Twice is like once.
    pub idempotent: Option<bool>,
    /// It reaches beyond a closed world.
    pub open_world: Option<bool>,
}

impl Entry {
    /// Reads an item of a list; its exposed name is the real one.
    ///
    /// # Errors
    /// A finding that says why it cannot be offered.
    pub(crate) fn read(origin: Origin<'_>, kind: Kind, raw: &Raw) -> Result<Self, Finding> {
        let server = origin.server;
        let drop = |code, item: &str, message: String| Finding {
            severity: Severity::Medium,
            code,
            server: Arc::clone(server),
            kind,
            item: Arc::from(checks::shown(item)),
            message,
        };
        let text = raw_text(raw);
        let name = json::member(text, naming_member(kind)).and_then(json::text);
        let Some(name) = name.filter(|name| !name.is_empty() && name.len() <= checks::NAME_BYTES) else {
            let message = format!(
                "An item of the server's {kind} list has no usable `{}`: it is left out. Tell whoever runs the server.",
                naming_member(kind)
            );
            return Err(drop("unusable_item", "", message));
        };
        if let Some(message) = checks::name(&name) {
            return Err(drop("unusable_name", &name, message));
        }
        if json::depth(text) > json::DEPTH {
            let message = format!("It nests deeper than {} levels and is left out.", json::DEPTH);
            return Err(drop("too_deep", &name, message));
        }
        let tool = match kind {
            Kind::Tool => Some(Arc::new(ToolFacts::read(text, origin).map_err(|(code, why)| drop(code, &name, why))?)),
            _ => None,
        };
        let real: Arc<str> = Arc::from(&*name);
        Ok(Self {
            kind,
            server: Arc::clone(server),
            exposed: Arc::clone(&real),
            canonical: Arc::from(format!("{server}.{real}")),
            real,
            json: raw.clone(),
            tool,
            weight: weight::tokens(text),
        })
    }

    /// Its text for a client of this revision.
    pub(crate) fn json_for(&self, to: Revision) -> Cow<'_, Raw> {
        match self.tool.as_ref().and_then(|tool| tool.revision) {
            Some(from) if from != to => Cow::Owned(bridge::tools::tool(from, to, &self.json)),
            _ => Cow::Borrowed(&self.json),
        }
    }

    /// The same under another name, and another description where one is given.
    pub(crate) fn renamed(&self, exposed: &Arc<str>, description: Option<&str>) -> Self {
        if self.exposed == *exposed && description.is_none() {
            return self.clone();
        }
        let text = raw_text(&self.json);
        let mut cuts = json::Cuts::of(text);
        if let Some(value) = json::member(text, naming_member(self.kind)) {
            cuts.replace(value, json::quoted(exposed));
        }
        match (description, json::member(text, "description")) {
            (Some(new), Some(old)) => cuts.replace(old, json::quoted(new)),
            (Some(new), None) => cuts.add(text, "description", &json::quoted(new)),
            (None, _) => {}
        }
        self.with_json(cuts.apply(), exposed)
    }

    /// The same with another text.
    pub(crate) fn with_json(&self, json: Bytes, exposed: &Arc<str>) -> Self {
        let json = Raw::trusted(json);
        let weight = weight::tokens(raw_text(&json));
        Self { exposed: Arc::clone(exposed), json, weight, ..self.clone() }
    }

    /// The description clients see.
    #[must_use]
    pub fn description(&self) -> Option<String> {
        json::member(raw_text(&self.json), "description").and_then(json::text).map(Into::into)
    }
}

impl ToolFacts {
    fn read(text: &str, origin: Origin<'_>) -> Result<Self, (&'static str, String)> {
        let raw = |name: &str| json::member(text, name);
        let input = raw("inputSchema").filter(|schema| schema.starts_with('{'));
        let Some(input) = input else {
            return Err(("no_schema", "It has no `inputSchema` object and is left out.".to_owned()));
        };
        for schema in [Some(input), raw("outputSchema")].into_iter().flatten() {
            checks::references(schema)?;
        }
        let hints = raw("annotations").unwrap_or("{}");
        let hint = |name: &str| json::member(hints, name).and_then(|value| value.parse().ok());
        Ok(Self {
            annotations: Annotations {
                read_only: hint("readOnlyHint"),
                destructive: hint("destructiveHint"),
                idempotent: hint("idempotentHint"),
                open_world: hint("openWorldHint"),
            },
            param_headers: checks::param_headers(input)?,
            input_schema: Some(owned(input)),
            output_schema: raw("outputSchema").map(owned),
            task_support: if origin.makes_tasks { TaskSupport::read(text) } else { None },
            revision: origin.revision.filter(|_| ["outputSchema", "execution"].iter().any(|name| raw(name).is_some())),
        })
    }
}

impl TaskSupport {
    /// What the text of a tool says; nothing, and any word that is not known, forbid it.
    fn read(text: &str) -> Option<Self> {
        match &*json::reach(text, &["execution", "taskSupport"]).and_then(json::text)? {
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

/// The member an item of a list is called by.
pub(crate) const fn naming_member(kind: Kind) -> &'static str {
    match kind {
        Kind::Tool | Kind::Prompt | Kind::Instructions => "name",
        Kind::Resource => "uri",
        Kind::Template => "uriTemplate",
    }
}

/// The text of a value; empty if it is none, which strict reading rules out.
pub(crate) fn raw_text(raw: &Raw) -> &str {
    std::str::from_utf8(raw.bytes()).unwrap_or_default()
}

fn owned(text: &str) -> Raw {
    Raw::trusted(Bytes::copy_from_slice(text.as_bytes()))
}
