//! Tools in lists, as each revision has them.

use crate::era::Revision;
use crate::wire::Raw;

/// A tool of a server of revision `from` as a client of revision `to` is shown it: an output schema that is no object's is
/// dropped for legacy clients, `execution` for those whose tasks are others, and what the client's revision does not
/// know otherwise stays.
#[must_use]
pub fn tool(_from: Revision, _to: Revision, _tool: &Raw) -> Raw {
    todo!()
}
