//! Tasks. Core tasks (2025-11-25) are asked for by the client, the tasks extension's (2026-07-28) begun by the server; their
//! ids are the gateway's own towards clients of both. Here a task of the older kind is put into the words of the newer: what a
//! call comes to, and what `tasks/get` inlines. The other way nothing is: who waits for a newer task is the gateway itself.

use crate::era::meta::key;
use crate::era::{Method, Revision};
use crate::wire::{Raw, RpcError, code};

use super::answers::{ResultType, result_type};
use super::questions::Question;

/// The name of the extension in `capabilities.extensions`.
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Did a party with these capabilities declare the extension?
#[must_use]
pub fn has_extension(capabilities: &Raw) -> bool {
    capabilities.has_object(&["extensions", EXTENSION])
}

/// Does a server with these capabilities make tasks of tool calls that ask for it (2025-11-25)?
#[must_use]
pub fn takes_calls(capabilities: &Raw) -> bool {
    capabilities.get(&["tasks", "requests", "tools", "call"]).is_some_and(|settings| settings.is_object())
}

/// Does this error say that the client lacks the extension, and nothing else?
#[must_use]
pub fn is_all_that_lacks(error: &RpcError) -> bool {
    let required = error.data.as_ref().and_then(|data| data.get(&["requiredCapabilities"])).unwrap_or_else(Raw::empty);
    let extensions = required.get(&["extensions"]).unwrap_or_else(Raw::empty);
    error.code == code::MISSING_CAPABILITY && required.names().eq(["extensions"]) && extensions.names().eq([EXTENSION])
}

/// The same capabilities and the extension.
#[must_use]
pub fn with_extension(capabilities: &Raw) -> Raw {
    capabilities.with(&["extensions", EXTENSION], &Raw::empty())
}

/// How a task stands; the words are the same in both eras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is being worked at.
    Working,
    /// It waits for answers of the client.
    InputRequired,
    /// It has ended with a result.
    Completed,
    /// It has ended with an error; in the older era also with a result that says so.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl Status {
    /// How this task stands; `None` where it does not say so.
    #[must_use]
    pub fn of(task: &Raw) -> Option<Self> {
        match &*task.text_at(&["status"])? {
            "working" => Some(Self::Working),
            "input_required" => Some(Self::InputRequired),
            "completed" => Some(Self::Completed),
            "failed" => Some(Self::Failed),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::InputRequired => "input_required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The `params` of a call that asks for a task of 2025-11-25, kept for `ttl_ms`, or for as long as the server pleases.
#[must_use]
pub fn asking(params: &Raw, ttl_ms: Option<u64>) -> Raw {
    let ttl = ttl_ms.map(|ttl| ("ttl", Raw::trusted(ttl.to_string().into())));
    params.with(&["task"], &Raw::object(ttl))
}

/// The id of the task that a server of 2025-11-25 has made of a call; `None` if it made none.
#[must_use]
pub fn made(result: &Raw) -> Option<String> {
    result.text_at(&["task", "taskId"])
}

/// The task that a call has become, as the extension says it; a result that is no task stays as it is.
#[must_use]
pub fn created(result: &Raw) -> Raw {
    let Some(task) = result.get(&["task"]).filter(|_| made(result).is_some()) else { return result.clone() };
    let task = extended(&task);
    let mut members = vec![("resultType", Some(Raw::text("task")))];
    let meta = result.get(&["_meta"]);
    members.extend(meta.map(|meta| ("_meta", Some(meta))));
    task.edited(members)
}

/// What a task of the extension has come to; `None` while it has not ended, or where it does not say what its end is.
#[must_use]
pub fn end(task: &Raw) -> Option<Result<Raw, RpcError>> {
    match Status::of(task)? {
        Status::Completed => task.get(&["result"]).filter(Raw::is_object).map(Ok),
        Status::Failed => {
            let error = task.get(&["error"])?;
            let number = error.get(&["code"]).and_then(|number| number.as_whole()).unwrap_or(code::INTERNAL);
            let message = error.text_at(&["message"]).unwrap_or_default();
            Some(Err(RpcError { code: number, message, data: error.get(&["data"]) }))
        }
        Status::Cancelled => Some(Err(RpcError::new(code::INTERNAL, "the server has cancelled the task of this call"))),
        Status::Working | Status::InputRequired => None,
    }
}

/// What `tasks/get` of the extension inlines.
#[derive(Clone, Debug)]
pub enum Inlined {
    /// Nothing: it goes on, or was cancelled.
    Nothing,
    /// What the client is asked.
    Questions(Vec<Question>),
    /// What the call has come to.
    End(Result<Raw, RpcError>),
}

/// A task of 2025-11-25 as `tasks/get` of the extension shows it, under this id. That a result is an error of the tool does not
/// make the task a failed one, as it does in the older era; and one that waits for answers nobody was asked for goes on.
#[must_use]
pub fn detailed(task: &Raw, id: &str, inlined: Inlined) -> Raw {
    let task = extended(task).with(&["taskId"], &Raw::text(id));
    let (status, member) = match inlined {
        Inlined::Questions(questions) if !questions.is_empty() => {
            let asked = Raw::object(questions.iter().map(|question| (&*question.key, question.entry())));
            (Status::InputRequired, Some(("inputRequests", asked)))
        }
        Inlined::End(Ok(result)) => (Status::Completed, Some(("result", unrelated(&result)))),
        Inlined::End(Err(error)) => (Status::Failed, Some(("error", error.raw()))),
        Inlined::Questions(_) => (Status::Working, None),
        Inlined::Nothing => return task,
    };
    let status = ("status", Some(Raw::text(status.as_str())));
    task.edited(std::iter::once(status).chain(member.map(|(name, value)| (name, Some(value)))))
}

/// Members that a task of the extension has and one of the older era cannot mean.
const FOREIGN: [&str; 5] = ["resultType", "requestState", "inputRequests", "result", "error"];

/// The same task under the extension's names. Times are whole milliseconds there, and how long it is kept is always said.
fn extended(task: &Raw) -> Raw {
    let whole = |name: &str| {
        let number = task.get(&[name])?.as_whole().filter(|number| *number > 0)?;
        Some(Raw::trusted(number.to_string().into()))
    };
    let unlimited = || Raw::trusted("null".into());
    let edits = FOREIGN.into_iter().chain(["ttl", "pollInterval"]).map(|name| (name, None));
    let ttl = ("ttlMs", Some(whole("ttl").unwrap_or_else(unlimited)));
    task.edited(edits.chain([ttl, ("pollIntervalMs", whole("pollInterval"))]))
}

/// A result without the task it is of: that stands around it.
fn unrelated(result: &Raw) -> Raw {
    let Some(meta) = result.get(&["_meta"]).filter(|meta| meta.has(&[key::RELATED_TASK])) else {
        return result.clone();
    };
    let meta = meta.without(&[key::RELATED_TASK]);
    result.edited([("_meta", Some(meta).filter(|meta| meta.names().next().is_some()))])
}

/// The task of 2025-11-25 that a message belongs to.
#[must_use]
pub fn related(params: Option<&Raw>) -> Option<String> {
    params?.text_at(&RELATED)
}

/// What becomes of a task's id; `None`: it stays, or, in a list, its task is left out.
pub type Rename<'r> = &'r mut dyn FnMut(&str) -> Option<String>;

/// The same result with every task's id as `rename` makes it; a task of a list that it makes nothing of is left out.
#[must_use]
pub fn rename_in_result(revision: Revision, method: Method, result: &Raw, rename: Rename<'_>) -> Raw {
    let result = renamed(result, &RELATED, rename);
    match method {
        Method::TasksGet | Method::TasksCancel | Method::TasksUpdate => renamed(&result, &["taskId"], rename),
        Method::TasksList => result.change(&["tasks"], |tasks| {
            tasks.each(|task| {
                let id = rename(&task.text_at(&["taskId"])?)?;
                Some(task.with(&["taskId"], &Raw::text(&id)))
            })
        }),
        _ if revision.has_core_tasks() => renamed(&result, &["task", "taskId"], rename),
        _ if result_type(&result) == ResultType::Task => renamed(&result, &["taskId"], rename),
        _ => result,
    }
}

/// The same params (of a request or a notification) with the task's id as `rename` makes it, in `taskId` and in the
/// `related-task` of `_meta`.
#[must_use]
pub fn rename_in_params(params: &Raw, rename: Rename<'_>) -> Raw {
    let params = renamed(params, &["taskId"], rename);
    renamed(&params, &RELATED, rename)
}

const RELATED: [&str; 3] = ["_meta", key::RELATED_TASK, "taskId"];

fn renamed(raw: &Raw, path: &[&str], rename: Rename<'_>) -> Raw {
    match raw.said(path).and_then(|id| rename(&id)) {
        Some(id) => raw.with(path, &Raw::text(&id)),
        None => raw.clone(),
    }
}
