//! What servers ask their clients: requests of their own in the older era, `inputRequests` inside a result in the newer
//! (2026-07-28, multi round-trip requests).

use std::sync::Arc;

use crate::era::meta::key;
use crate::era::{Method, Revision};
use crate::wire::{Id, Raw, Request, Response, RpcError, code, shown};

use super::answers::{ResultType, result_type};
use super::forms;

/// The most questions of one result, and answers of one call.
pub const QUESTIONS_MAX: usize = 64;

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

impl Ask {
    /// Its method on the wire.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Elicitation => "elicitation/create",
            Self::Sampling => "sampling/createMessage",
            Self::Roots => "roots/list",
        }
    }

    /// What this method asks for; `None` if no client answers it.
    #[must_use]
    pub fn of(method: &str) -> Option<Self> {
        [Self::Elicitation, Self::Sampling, Self::Roots].into_iter().find(|ask| ask.method() == method)
    }
}

/// What a legacy server calls the page that this request asks its user to open: the name by which it says, later, that the user
/// is done there (`notifications/elicitation/complete`).
#[must_use]
pub fn page_name(request: &Request) -> Option<Arc<str>> {
    request.params.as_ref()?.text_at(&["elicitationId"]).map(Arc::from)
}

impl InputRequired {
    /// Reads the result of a modern server; `None` if it does not ask.
    ///
    /// # Errors
    /// When it asks in a way that cannot be read, or from where it may not.
    pub fn read(method: Method, result: &Raw) -> Result<Option<Self>, BadQuestion> {
        if result_type(result) != ResultType::InputRequired {
            return Ok(None);
        }
        if !method.may_ask() {
            return Err(BadQuestion::Misplaced(method));
        }
        let (requests, state) = (result.get(&["inputRequests"]), result.get(&["requestState"]));
        if requests.is_none() && state.is_none() {
            return Err(BadQuestion::Shape("neither `inputRequests` nor `requestState` is there"));
        }
        let state =
            state.map(|state| state.as_text().map(Arc::from).ok_or(BadQuestion::Shape("`requestState` is no string")));
        let requests = requests.unwrap_or_else(Raw::empty);
        if !requests.is_object() {
            return Err(BadQuestion::Shape("`inputRequests` is no object"));
        }
        if requests.names().count() > QUESTIONS_MAX {
            return Err(BadQuestion::Shape("there are too many `inputRequests`"));
        }
        let questions =
            requests.members().map(|(key, request)| Question::read(&key, &request)).collect::<Result<_, _>>()?;
        Ok(Some(Self { questions, state: state.transpose()? }))
    }

    /// As a result for a modern client.
    #[must_use]
    pub fn write(&self) -> Raw {
        let mut members = vec![("resultType", Raw::text("input_required"))];
        if !self.questions.is_empty() {
            let entries = self.questions.iter().map(|question| (&*question.key, question.entry()));
            members.push(("inputRequests", Raw::object(entries)));
        }
        members.extend(self.state.as_ref().map(|state| ("requestState", Raw::text(state))));
        Raw::object(members)
    }
}

impl Question {
    fn read(key: &str, request: &Raw) -> Result<Self, BadQuestion> {
        let method = request.text_at(&["method"]).ok_or(BadQuestion::Shape("an input request has no method"))?;
        Self::new(key.into(), &method, request.get(&["params"]))
    }

    /// Reads a request of a legacy server.
    ///
    /// # Errors
    /// When it is none that a client answers.
    pub fn of_request(key: impl Into<Arc<str>>, request: &Request) -> Result<Self, BadQuestion> {
        let mut question = Self::new(key.into(), &request.method, request.params.clone())?;
        // Tokens, tasks and ids of the server's own connection mean nothing to a client that is not on it.
        question.params = question.params.map(|params| {
            let params = params.without_each(&["elicitationId", "task"]);
            params.without(&["_meta", key::PROGRESS_TOKEN]).without(&["_meta", key::RELATED_TASK])
        });
        Ok(question)
    }

    fn new(key: Arc<str>, method: &str, params: Option<Raw>) -> Result<Self, BadQuestion> {
        let ask = Ask::of(method).ok_or_else(|| BadQuestion::Unknown(shown(method).into()))?;
        if params.as_ref().is_some_and(|params| !params.is_object()) {
            return Err(BadQuestion::Shape("the `params` of an input request are no object"));
        }
        if params.is_none() && ask != Ask::Roots {
            return Err(BadQuestion::Shape("an input request has no `params`"));
        }
        Ok(Self { key, ask, params })
    }

    pub(super) fn entry(&self) -> Raw {
        let method = ("method", Raw::text(self.ask.method()));
        match &self.params {
            Some(params) => Raw::object([method, ("params", params.clone())]),
            None => Raw::object([method]),
        }
    }

    /// As a request to a legacy client of this revision. `elicitation_id` is what a question with a URL is called there.
    #[must_use]
    pub fn request(&self, id: Id, revision: Revision, elicitation_id: &str) -> Request {
        let params = match (&self.params, self.ask) {
            (Some(params), Ask::Elicitation) if self.is_by_url() => {
                Some(params.with(&["elicitationId"], &Raw::text(elicitation_id)))
            }
            (Some(params), Ask::Elicitation) if !revision.has_url_elicitation() => Some(forms::of_2025_06_18(params)),
            (params, _) => params.clone(),
        };
        Request::new(id, self.ask.method(), params)
    }

    /// May a client that declared these capabilities be asked? Mode of an elicitation and tools of sampling are looked at.
    #[must_use]
    pub fn is_for(&self, capabilities: &Raw) -> bool {
        let declared = |path: &[&str]| capabilities.get(path).is_some_and(|what| what.is_object());
        match self.ask {
            Ask::Elicitation if self.is_by_url() => declared(&["elicitation", "url"]),
            // The empty object says form.
            Ask::Elicitation => {
                let (form, url) = (declared(&["elicitation", "form"]), declared(&["elicitation", "url"]));
                declared(&["elicitation"]) && (form || !url)
            }
            Ask::Sampling => declared(&["sampling"]) && (!self.has_tools() || declared(&["sampling", "tools"])),
            Ask::Roots => declared(&["roots"]),
        }
    }

    /// The capabilities a client needs to be asked this: `data.requiredCapabilities` of `-32021`.
    #[must_use]
    pub fn needs(&self) -> Raw {
        let path: &[&str] = match self.ask {
            Ask::Elicitation if self.is_by_url() => &["elicitation", "url"],
            Ask::Elicitation => &["elicitation"],
            Ask::Sampling if self.has_tools() => &["sampling", "tools"],
            Ask::Sampling => &["sampling"],
            Ask::Roots => &["roots"],
        };
        Raw::empty().with(path, &Raw::empty())
    }

    /// What a legacy client responded, as an answer. A refusal of an elicitation is the answer `cancel`.
    ///
    /// # Errors
    /// The client's error, which is the call's.
    pub fn answer(&self, response: &Response) -> Result<Raw, RpcError> {
        match &response.outcome {
            Ok(result) => Ok(result.clone()),
            Err(_) if self.ask == Ask::Elicitation => Ok(cancel()),
            Err(error) => Err(error.clone()),
        }
    }

    /// The response to the legacy server's request with this id: the answer a modern client gave, or, where it gave none,
    /// that it gave none.
    #[must_use]
    pub fn response(&self, id: Id, answer: Option<&Raw>) -> Response {
        match answer {
            Some(answer) => Response::result(id, answer.without(&["resultType"])),
            None if self.ask == Ask::Elicitation => Response::result(id, cancel()),
            None => Response::error(Some(id), RpcError::new(code::INTERNAL, "The client did not answer")),
        }
    }

    /// Is it an elicitation that sends the user to a URL?
    #[must_use]
    pub fn is_by_url(&self) -> bool {
        let mode = self.params.as_ref().and_then(|params| params.text_at(&["mode"]));
        self.ask == Ask::Elicitation && mode.as_deref() == Some("url")
    }

    fn has_tools(&self) -> bool {
        self.params.as_ref().is_some_and(|params| params.has(&["tools"]) || params.has(&["toolChoice"]))
    }
}

fn cancel() -> Raw {
    Raw::object([("action", Raw::text("cancel"))])
}

impl Answers {
    /// Reads them from the `params` of a modern call.
    ///
    /// # Errors
    /// `-32602` when they are there in the wrong shape.
    pub fn read(params: Option<&Raw>) -> Result<Self, RpcError> {
        let wrong = |what: &str| RpcError::new(code::INVALID_PARAMS, format!("Invalid params: {what}"));
        let Some(params) = params.filter(|params| has_answers(params)) else { return Ok(Self::default()) };
        let member = |name: &str| params.get(&[name]);
        let state = member("requestState")
            .map(|state| state.as_text().map(Arc::from).ok_or_else(|| wrong("`requestState` must be a string")));
        let responses = member("inputResponses").unwrap_or_else(Raw::empty);
        let answers: Vec<(Arc<str>, Raw)> =
            responses.members().take(QUESTIONS_MAX + 1).map(|(key, answer)| (key.into(), answer)).collect();
        let right = responses.is_object() && answers.iter().all(|(_, answer)| answer.is_object());
        if !right || answers.len() > QUESTIONS_MAX {
            return Err(wrong("`inputResponses` must be an object of results"));
        }
        Ok(Self { answers, state: state.transpose()? })
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.state.is_none()
    }

    /// The answer to a question.
    #[must_use]
    pub fn to(&self, key: &str) -> Option<&Raw> {
        self.answers.iter().find(|(name, _)| **name == *key).map(|(_, answer)| answer)
    }

    /// The `params` of the call repeated with these in place of any that were there.
    #[must_use]
    pub fn on(&self, params: Option<&Raw>) -> Raw {
        let mut params = params.map_or_else(Raw::empty, bare);
        if !self.answers.is_empty() {
            let answers = self.answers.iter().map(|(key, answer)| (&**key, answer.clone()));
            params = params.with(&["inputResponses"], &Raw::object(answers));
        }
        match &self.state {
            Some(state) => params.with(&["requestState"], &Raw::text(state)),
            None => params,
        }
    }
}

/// The `params` without answers and state: the call as such, what digests are made of.
#[must_use]
pub fn bare(params: &Raw) -> Raw {
    if has_answers(params) { params.without_each(&["inputResponses", "requestState"]) } else { params.clone() }
}

fn has_answers(params: &Raw) -> bool {
    params.has(&["inputResponses"]) || params.has(&["requestState"])
}

/// The same of a modern client, which asks for nothing by `task`: whether a call becomes one is its server's to say.
#[must_use]
pub fn bare_of_modern(params: &Raw) -> Raw {
    if !params.has(&["task"]) {
        return bare(params);
    }
    params.without_each(&["inputResponses", "requestState", "task"])
}
