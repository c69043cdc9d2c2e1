//! Ids of tasks. Core tasks (2025-11-25) and the tasks extension (2026-07-28) are two things and are not translated into one
//! another; of both, the ids are the gateway's own towards clients.

use crate::era::meta::key;
use crate::era::{Method, Revision};
use crate::wire::Raw;

use super::answers::{ResultType, result_type};

/// The name of the extension in `capabilities.extensions`.
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Did a party with these capabilities declare the extension?
#[must_use]
pub fn has_extension(capabilities: &Raw) -> bool {
    capabilities.has_object(&["extensions", EXTENSION])
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
