//! What servers ask their clients: requests of their own in the older era, `inputRequests` inside a result in the newer
//! (2026-07-28, multi round-trip requests).

use std::sync::Arc;

use crate::era::{Method, Revision};
use crate::wire::{Id, Raw, Request, Response, RpcError};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// `elicitation/create`: the user.
    Elicitation,
    /// `sampling/createMessage`: the client's model.
    Sampling,
    /// `roots/list`: the client's folders.
    Roots,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name its answer goes under.
    pub key: Arc<str>,
    /// What is asked for.
    pub ask: Ask,
    /// The `params` of the request.
    pub params: Option<Raw>,
}

/// A result that wants answers before it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputRequired {
    /// The questions; none: just call again with the state.
    pub questions: Vec<Question>,
    /// What the server wants to see again.
    pub state: Option<Arc<str>>,
}

/// What a client sends with a call that it repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Each answer under its question's key.
    pub answers: Vec<(Arc<str>, Raw)>,
    /// The state it was given.
    pub state: Option<Arc<str>>,
}

/// A question that is none, or that may not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuestion {
    /// The result does not hold questions in the form it says.
    #[error("the server asked for input in a way that cannot be read: {0}")]
    Shape(&'static str),
    /// A request that no client has to answer.
    #[error("the server sent a request `{0}`, which clients do not answer")]
    Unknown(Arc<str>),
    /// Nothing of this method may ask.
    #[error("a result of `{}` may not ask for input", .0.as_str())]
    Misplaced(Method),
}

impl InputRequired {
    /// Reads the result of a modern server; `None` if it does not ask.
    ///
    /// # Errors
    /// When it asks in a way that cannot be read, or from where it may not.
    pub fn read(_method: Method, _result: &Raw) -> Result<Option<Self>, BadQuestion> {
        todo!()
    }

    /// As a result for a modern client.
    #[must_use]
    pub fn write(&self) -> Raw {
        todo!()
    }
}

impl Question {
    /// Reads a request of a legacy server.
    ///
    /// # Errors
    /// When it is none that a client answers.
    pub fn of_request(_key: impl Into<Arc<str>>, _request: &Request) -> Result<Self, BadQuestion> {
        todo!()
    }

    /// As a request to a legacy client of this revision. `elicitation_id` is what a question with a URL is called there.
    #[must_use]
    pub fn request(&self, _id: Id, _revision: Revision, _elicitation_id: &str) -> Request {
        todo!()
    }

    /// May a client that declared these capabilities be asked? Mode of an elicitation and tools of sampling are looked at.
    #[must_use]
    pub fn is_for(&self, _capabilities: &Raw) -> bool {
        todo!()
    }

    /// The capabilities a client needs to be asked this: `data.requiredCapabilities` of `-32021`.
    #[must_use]
    pub fn needs(&self) -> Raw {
        todo!()
    }

    /// What a legacy client responded, as an answer. A refusal of an elicitation is the answer `cancel`.
    ///
    /// # Errors
    /// The client's error, which is the call's.
    pub fn answer(&self, _response: &Response) -> Result<Raw, RpcError> {
        todo!()
    }
}

impl Answers {
    /// Reads them from the `params` of a modern call.
    ///
    /// # Errors
    /// `-32602` when they are there in the wrong shape.
    pub fn read(_params: Option<&Raw>) -> Result<Self, RpcError> {
        todo!()
    }

    /// The `params` of the call repeated with these in place of any that were there.
    #[must_use]
    pub fn on(&self, _params: Option<&Raw>) -> Raw {
        todo!()
    }
}

/// The `params` without answers and state: the call as such, what digests are made of.
#[must_use]
pub fn bare(_params: &Raw) -> Raw {
    todo!()
}
