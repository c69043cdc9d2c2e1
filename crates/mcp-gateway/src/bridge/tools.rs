//! Tools in lists, as each revision has them.

use crate::era::{Era, Revision};
use crate::wire::Raw;

/// A tool of a server of revision `from` as a client of revision `to` is shown it: an output schema that is no object's is
/// dropped for legacy clients, `execution` for those whose tasks are others, and what the client's revision does not
/// know otherwise stays.
#[must_use]
pub fn tool(from: Revision, to: Revision, tool: &Raw) -> Raw {
    let same_tasks = from.has_core_tasks() && to.has_core_tasks();
    let tool = if same_tasks { tool.clone() } else { tool.without(&["execution"]) };
    if to.era() == Era::Modern {
        return tool;
    }
    let of_object = tool.text_at(&["outputSchema", "type"]).is_some_and(|kind| kind == "object");
    if to.has_structured_content() && of_object { tool } else { tool.without(&["outputSchema"]) }
}
