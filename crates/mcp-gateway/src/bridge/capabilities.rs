//! Capabilities in the words of each revision. What a revision does not know is taken off; what nobody here knows stays.

use crate::era::Revision;
use crate::wire::Raw;

/// The capabilities of a server as a client of this revision is told them. Tasks are never translated: each era's are
/// its own.
#[must_use]
pub fn of_server(_capabilities: &Raw, _from: Revision, _to: Revision) -> Raw {
    todo!()
}

/// The capabilities of a client as a server of this revision is told them: never more than the client declared.
#[must_use]
pub fn of_client(_capabilities: &Raw, _from: Revision, _to: Revision) -> Raw {
    todo!()
}
