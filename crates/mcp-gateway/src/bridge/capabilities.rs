//! Capabilities in the words of each revision. What a revision does not know is taken off; what nobody here knows stays.

use crate::era::{Era, Revision};
use crate::wire::Raw;

use super::tasks;

/// The capabilities of a server as a client of this revision is told them. Each era's tasks are its own here: what crosses is
/// the gateway's to offer.
#[must_use]
pub fn of_server(capabilities: &Raw, from: Revision, to: Revision) -> Raw {
    let capabilities = own_tasks(capabilities, from, to);
    if to.has_completions() { capabilities } else { capabilities.without(&["completions"]) }
}

/// The capabilities of a client as a server of this revision is told them: never more than the client declared, nor more
/// than can be carried. Tasks that a server makes of its questions to a client (`tasks`, 2025-11-25) cannot.
#[must_use]
pub fn of_client(capabilities: &Raw, from: Revision, to: Revision) -> Raw {
    if capabilities.is_bare() {
        return capabilities.clone();
    }
    let mut told = own_tasks(capabilities, from, to).without(&["tasks"]);
    if to.era() == Era::Modern {
        // There is no notification for it any more.
        told = told.without(&["roots", "listChanged"]);
    }
    if !to.has_sampling_tools() {
        told = told.without(&["sampling", "tools"]).without(&["sampling", "context"]);
    }
    if to.has_url_elicitation() {
        return told;
    }
    let declared = |mode: &str| capabilities.has(&["elicitation", mode]);
    let by_url_only = declared("url") && !declared("form");
    if by_url_only || !to.has_elicitation() {
        return told.without(&["elicitation"]);
    }
    // Before there were two modes, the empty object was said.
    told.change(&["elicitation"], |modes| modes.without_each(&["url", "form"]))
}

/// Tasks stay between revisions that mean the same by them.
fn own_tasks(capabilities: &Raw, from: Revision, to: Revision) -> Raw {
    let core = from.has_core_tasks() && to.has_core_tasks();
    let extension = from.era() == Era::Modern && to.era() == Era::Modern;
    let capabilities = if core { capabilities.clone() } else { capabilities.without(&["tasks"]) };
    if extension { capabilities } else { capabilities.without(&["extensions", tasks::EXTENSION]) }
}
