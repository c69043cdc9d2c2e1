//! Results and errors.

use crate::era::{Method, Revision};
use crate::wire::{Raw, RpcError};

/// What a result is dressed in for a modern client.
#[derive(Clone, Debug)]
pub struct Dress {
    /// Who answers: our `serverInfo`, never the upstream's.
    pub server_info: Option<Raw>,
    /// How long it may be kept, in milliseconds; 0 where nobody knows.
    pub ttl_ms: u64,
    /// May it be kept for other callers, too?
    pub public: bool,
}

/// What a client of revision `to` gets of what a server of revision `from` answered to `method`: a result or an error, which
/// may not be the same of the two as what came (`-32042` of a legacy server is a result that asks for input to a modern
/// client). A result with `input_required` is for [`super::questions`] first; here it passes to modern clients and is an
/// internal error to others.
///
/// # Errors
/// The error the client gets.
pub fn outcome(
    _from: Revision,
    _to: Revision,
    _method: Method,
    _outcome: Result<Raw, RpcError>,
    _dress: &Dress,
) -> Result<Raw, RpcError> {
    todo!()
}

/// A result of our own making (lists from the catalogue, …) as a client of this revision gets it.
#[must_use]
pub fn dressed(_to: Revision, _method: Method, _result: &Raw, _dress: &Dress) -> Raw {
    todo!()
}

/// A server's hint how long a result may be kept: milliseconds and whether it is public. 0 and private where it says
/// nothing, or nonsense.
#[must_use]
pub fn cache_hint(_result: &Raw) -> (u64, bool) {
    todo!()
}

/// The `resultType` of a result; what has none is `complete`.
#[must_use]
pub fn result_type(_result: &Raw) -> ResultType {
    todo!()
}

/// What a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultType {
    /// The answer.
    Complete,
    /// Questions to the client.
    InputRequired,
    /// A task that goes on (tasks extension).
    Task,
    /// Something nobody here knows: not a valid result.
    Unknown,
}
