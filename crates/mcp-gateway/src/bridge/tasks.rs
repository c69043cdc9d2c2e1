//! Ids of tasks. Core tasks (2025-11-25) and the tasks extension (2026-07-28) are two things and are not translated into one
//! another; of both, the ids are the gateway's own towards clients.

use crate::era::{Method, Revision};
use crate::wire::Raw;

/// The name of the extension in `capabilities.extensions`.
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Did a party with these capabilities declare the extension?
#[must_use]
pub fn has_extension(_capabilities: &Raw) -> bool {
    todo!()
}

/// Does a legacy call ask to be made a task (`params.task`)?
#[must_use]
pub fn wants_task(_params: Option<&Raw>) -> bool {
    todo!()
}

/// The same result with every task's id as `rename` makes it; a task of a list that it makes nothing of is left out.
#[must_use]
pub fn rename_in_result(
    _revision: Revision,
    _method: Method,
    _result: &Raw,
    _rename: &mut dyn FnMut(&str) -> Option<String>,
) -> Raw {
    todo!()
}

/// The same params (of a request or a notification) with the task's id as `rename` makes it, in `taskId` and in the
/// `related-task` of `_meta`.
#[must_use]
pub fn rename_in_params(_params: &Raw, _rename: &mut dyn FnMut(&str) -> Option<String>) -> Raw {
    todo!()
}
