//! Questions that servers of the older era ask their clients, and modern servers through us. A question goes out on the stream of
//! the call it belongs to; its answer is a message of its own that may come in on any core, and is brought here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_domain::{Code, Fault};
use gatehouse_mcp_gateway::{Id, Response};
use tokio::sync::oneshot;

use super::desk::random_name;

/// Questions open at once, of all sessions.
const OPEN_MAX: usize = 20_000;

/// Every question that waits for its answer. The lock is held for a look-up, and only by questions and answers.
#[derive(Default)]
pub(super) struct Questions(Mutex<HashMap<Arc<str>, Waiting>>);

struct Waiting {
    session: Arc<str>,
    answer: oneshot::Sender<Response>,
}

/// A question that waits. Dropped, nobody waits for its answer any more.
pub(super) struct Asked<'q> {
    questions: &'q Questions,
    id: Arc<str>,
    answer: oneshot::Receiver<Response>,
}

impl Questions {
    /// Expects the answer to a question that is about to be asked in a session.
    ///
    /// # Errors
    /// `Overloaded` when too many are open.
    pub(super) fn expect(&self, session: &Arc<str>) -> Result<Asked<'_>, Fault> {
        let id: Arc<str> = format!("gatehouse-{}", random_name()?).into();
        let (sender, answer) = oneshot::channel();
        let mut open = self.open();
        if open.len() >= OPEN_MAX {
            let message = "too many questions to clients are open; try again in a moment";
            return Err(Fault::new(Code::Overloaded, message).retry_after(5));
        }
        open.insert(Arc::clone(&id), Waiting { session: Arc::clone(session), answer: sender });
        Ok(Asked { questions: self, id, answer })
    }

    /// Brings an answer to whoever waits for it in this session. `false`: nobody does.
    pub(super) fn answer(&self, session: &str, response: Response) -> bool {
        let Some(Id::Text(id)) = &response.id else { return false };
        let mut open = self.open();
        if open.get(id).is_none_or(|waiting| *waiting.session != *session) {
            return false;
        }
        open.remove(id).is_some_and(|waiting| waiting.answer.send(response).is_ok())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Arc<str>, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked<'_> {
    /// The id to ask under.
    pub(super) fn id(&self) -> Id {
        Id::Text(Arc::clone(&self.id))
    }

    /// The answer; `None` if the session has ended.
    pub(super) async fn answer(&mut self) -> Option<Response> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.questions.open().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_mcp_gateway::Raw;

    use super::*;

    #[tokio::test]
    async fn an_answer_finds_its_question_and_only_in_its_own_session() {
        let questions = Questions::default();
        let (mine, id) = (Arc::from("mine"), |asked: &Asked<'_>| asked.id());
        let mut asked = questions.expect(&mine).unwrap();
        assert!(!questions.answer("other", Response::result(id(&asked), Raw::empty())));
        assert!(questions.answer("mine", Response::result(id(&asked), Raw::empty())));
        assert!(asked.answer().await.is_some());
        assert!(!questions.answer("mine", Response::result(id(&asked), Raw::empty())));
    }

    #[test]
    fn a_question_nobody_waits_for_is_forgotten() {
        let questions = Questions::default();
        let id = questions.expect(&Arc::from("s")).unwrap().id();
        assert!(!questions.answer("s", Response::result(id, Raw::empty())));
        assert!(questions.open().is_empty());
    }
}
