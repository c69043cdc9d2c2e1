//! One channel, many conversations: which message of a child, or of an event stream that all answers share, belongs to whom.
//!
//! Responses find their request by id, progress by its token, messages of a subscription by its id, questions of a task whoever
//! waits for its result. What the older protocol does not address (log messages, other questions of the server) goes to the
//! request that began last, as all requests of one channel are of one principal; on a channel that principals share it goes to nobody, and questions are refused. What concerns no request
//! goes to the listener. Nobody who listens slowly holds up the others: responses have a place of their own, and what does not fit
//! into a queue is dropped and counted.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gatehouse_mcp_gateway::bridge::tasks;
use gatehouse_mcp_gateway::era::meta;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Id, Message, Notification, Raw, Request, Response, RpcError};
use tokio::sync::{mpsc, oneshot};

use super::{Doing, Exchange, Failure};

/// Messages kept for one request, or for the listener, before any more are dropped.
const QUEUE: usize = 256;
/// Requests under way on one channel.
const UNDER_WAY_MAX: usize = 4096;

/// What the response of a request comes through.
type Done = oneshot::Sender<Result<Response, Failure>>;

/// Who waits for what on one channel.
pub(super) struct Switchboard {
    board: Mutex<Board>,
    /// Do principals share the channel?
    shared: bool,
}

#[derive(Default)]
struct Board {
    waiting: HashMap<Id, Waiting>,
    tokens: HashMap<Id, Id>,
    listener: Option<mpsc::Sender<Message>>,
    begun: u64,
    dropped: u64,
    ended: Option<Failure>,
}

struct Waiting {
    notes: mpsc::Sender<Message>,
    done: Done,
    token: Option<Id>,
    /// Does it only listen? Then nothing without an address is for it.
    listens: bool,
    /// The task whose result it waits for: what has no address is rather for others.
    task: Option<String>,
    begun: u64,
}

impl Switchboard {
    pub(super) fn new(shared: bool) -> Self {
        Self { board: Mutex::default(), shared }
    }

    /// Expects the response to a request and what goes with it.
    ///
    /// # Errors
    /// When the channel has ended, when too much is under way, or when the id is.
    pub(super) fn expect(&self, request: &Request) -> Result<Ticket, Failure> {
        let mut board = self.board();
        if let Some(failure) = &board.ended {
            return Err(failure.clone());
        }
        if board.waiting.len() >= UNDER_WAY_MAX || board.waiting.contains_key(&request.id) {
            let message = "too many calls of this MCP server are under way; try again in a moment";
            return Err(Failure::new(gatehouse_domain::Code::Overloaded, message));
        }
        let (notes, heard) = mpsc::channel(QUEUE);
        let (done, answer) = oneshot::channel();
        let token = meta::progress_token(request.params.as_ref());
        if let Some(token) = &token {
            board.tokens.insert(token.clone(), request.id.clone());
        }
        board.begun += 1;
        let listens = &*request.method == "subscriptions/listen";
        let waits = &*request.method == "tasks/result";
        let task = request.params.as_ref().filter(|_| waits).and_then(|params| params.text_at(&["taskId"]));
        let waiting = Waiting { notes, done, token, listens, task, begun: board.begun };
        board.waiting.insert(request.id.clone(), waiting);
        Ok(Ticket { heard, answer: Some(answer) })
    }

    /// Nobody waits for this request any more. Was it still under way?
    pub(super) fn forget(&self, id: &Id) -> bool {
        self.board().take(id).is_some()
    }

    /// Takes what concerns no request, in place of whoever did before.
    pub(super) fn listen(&self) -> mpsc::Receiver<Message> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut board = self.board();
        if board.ended.is_none() {
            board.listener = Some(sender);
        }
        receiver
    }

    /// Brings a message to whom it concerns. What the server has to be answered at once is returned.
    pub(super) fn deliver(&self, message: Message) -> Option<Response> {
        let mut board = self.board();
        match message {
            Message::Response(response) => {
                board.respond(response);
                None
            }
            Message::Request(request) if &*request.method == "ping" => Some(Response::result(request.id, Raw::empty())),
            Message::Request(request) => board.question(request, self.shared),
            Message::Notification(notification) => {
                board.note(notification, self.shared);
                None
            }
        }
    }

    /// Something came that was meant for somebody but cannot be read: if one request alone is under way, it was meant for that.
    pub(super) fn spoil(&self, failure: Failure) {
        let mut board = self.board();
        let mut ids = board.waiting.iter().filter(|(_, waiting)| !waiting.listens).map(|(id, _)| id.clone());
        if let (Some(id), None) = (ids.next(), ids.next()) {
            drop(ids);
            if let Some(waiting) = board.take(&id) {
                drop(waiting.done.send(Err(failure)));
            }
        }
    }

    /// The channel has ended: everybody is told, and whoever comes later.
    pub(super) fn end(&self, failure: &Failure) {
        let mut board = self.board();
        board.ended.get_or_insert_with(|| failure.clone());
        board.tokens.clear();
        board.listener = None;
        for (_, waiting) in board.waiting.drain() {
            drop(waiting.done.send(Err(failure.clone())));
        }
    }

    /// Has it ended?
    pub(super) fn has_ended(&self) -> bool {
        self.board().ended.is_some()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn take(&mut self, id: &Id) -> Option<Waiting> {
        let waiting = self.waiting.remove(id)?;
        if let Some(token) = &waiting.token {
            self.tokens.remove(token);
        }
        Some(waiting)
    }

    fn respond(&mut self, response: Response) {
        // An error without an id is about whatever was sent last, if that alone is under way.
        let id = match &response.id {
            Some(id) => Some(id.clone()),
            None if self.waiting.len() == 1 => self.waiting.keys().next().cloned(),
            None => None,
        };
        match id.and_then(|id| self.take(&id)) {
            Some(waiting) => drop(waiting.done.send(Ok(response))),
            None => self.dropped += 1,
        }
    }

    fn question(&mut self, request: Request, shared: bool) -> Option<Response> {
        let id = request.id.clone();
        let refused = |what| Some(Response::error(Some(id), RpcError::new(code::METHOD_NOT_FOUND, what)));
        if shared {
            return refused("This connection is shared: there is no one client to ask");
        }
        let task = tasks::related(request.params.as_ref());
        let to = task.and_then(|task| self.waiting_for(&task)).or_else(|| self.newest());
        let Some(to) = to.or(self.listener.as_ref()) else { return refused("There is no client to ask") };
        match to.try_send(request.into()) {
            Ok(()) => None,
            Err(_) => refused("The client does not listen"),
        }
    }

    fn note(&mut self, notification: Notification, shared: bool) {
        let to = match self.addressee(&notification) {
            Addressee::Request(id) => self.waiting.get(&id).map(|waiting| &waiting.notes),
            Addressee::Newest if shared => None,
            Addressee::Newest => self.newest().or(self.listener.as_ref()),
            Addressee::Listener => self.listener.as_ref(),
            Addressee::Nobody => None,
        };
        if to.is_none_or(|to| to.try_send(notification.into()).is_err()) {
            self.dropped += 1;
        }
    }

    fn addressee(&self, notification: &Notification) -> Addressee {
        let params = notification.params.as_ref();
        if let Some(id) = params.and_then(|params| Id::read(&params.get(&["_meta", meta::key::SUBSCRIPTION_ID])?)) {
            return Addressee::Request(id);
        }
        match &*notification.method {
            "notifications/progress" => params
                .and_then(|params| self.tokens.get(&Id::read(&params.get(&["progressToken"])?)?))
                .map_or(Addressee::Nobody, |id| Addressee::Request(id.clone())),
            // A server that ends a subscription may say it this way.
            "notifications/cancelled" => params
                .and_then(|params| Id::read(&params.get(&["requestId"])?))
                .filter(|id| self.waiting.contains_key(id))
                .map_or(Addressee::Newest, Addressee::Request),
            "notifications/message" => Addressee::Newest,
            _ => Addressee::Listener,
        }
    }

    fn newest(&self) -> Option<&mpsc::Sender<Message>> {
        let talking = self.waiting.values().filter(|waiting| !waiting.listens);
        talking.max_by_key(|waiting| (waiting.task.is_none(), waiting.begun)).map(|waiting| &waiting.notes)
    }

    fn waiting_for(&self, task: &str) -> Option<&mpsc::Sender<Message>> {
        let waiting = self.waiting.values().find(|waiting| waiting.task.as_deref() == Some(task));
        waiting.map(|waiting| &waiting.notes)
    }
}

/// Whom a notification concerns.
enum Addressee {
    Request(Id),
    Newest,
    Listener,
    Nobody,
}

/// Where everything that belongs to one request comes out.
pub(super) struct Ticket {
    heard: mpsc::Receiver<Message>,
    answer: Option<oneshot::Receiver<Result<Response, Failure>>>,
}

impl Ticket {
    /// The next message; the response is the last.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Failure>> {
        let answer = self.answer.as_mut()?;
        let response = tokio::select! {
            biased;
            Some(message) = self.heard.recv() => return Some(Ok(message)),
            response = answer => response,
        };
        self.answer = None;
        // Nobody lets go of the other end but by an answer or the channel's end.
        response.ok().map(|outcome| outcome.map(Message::Response))
    }

    /// The response alone.
    pub(super) async fn response(mut self) -> Option<Result<Response, Failure>> {
        loop {
            match self.next().await? {
                Ok(Message::Response(response)) => return Some(Ok(response)),
                Ok(_) => {}
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    /// Is the response still to come?
    pub(super) fn is_open(&self) -> bool {
        self.answer.is_some()
    }
}

/// What concerns no request, as an exchange without a response.
pub(super) struct Overheard(pub(super) mpsc::Receiver<Message>);

impl Exchange for Overheard {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        Box::pin(async { self.0.recv().await.map(Ok) })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gatehouse_domain::Code;
    use gatehouse_mcp_gateway::wire::read;

    use super::*;

    fn message(text: &str) -> Message {
        read(Bytes::from(text.to_owned())).unwrap()
    }

    fn call(board: &Switchboard, id: i64) -> Ticket {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t","_meta":{{"progressToken":"p{id}"}}}}}}"#
        );
        let Message::Request(request) = message(&text) else { panic!("no request") };
        board.expect(&request).unwrap()
    }

    fn log(board: &Switchboard, text: &str) {
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":"{text}"}}}}"#
        );
        assert_eq!(board.deliver(message(&text)), None);
    }

    async fn heard(ticket: &mut Ticket) -> String {
        String::from_utf8(ticket.next().await.unwrap().unwrap().write().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn progress_and_responses_find_their_request_in_any_order() {
        let board = Switchboard::new(false);
        let (mut first, mut second) = (call(&board, 1), call(&board, 2));
        let progress =
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p1","progress":1}}"#;
        board.deliver(message(progress));
        board.deliver(message(r#"{"jsonrpc":"2.0","id":2,"result":{"b":2}}"#));
        board.deliver(message(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}}"#));
        assert!(heard(&mut second).await.contains("\"b\":2"));
        assert!(heard(&mut first).await.contains("progress"));
        assert!(heard(&mut first).await.contains("\"a\":1"));
        assert!(first.next().await.is_none());
    }

    #[tokio::test]
    async fn what_has_no_address_goes_to_the_request_that_began_last() {
        let board = Switchboard::new(false);
        let (_first, mut second) = (call(&board, 1), call(&board, 2));
        log(&board, "hello");
        let question = r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#;
        assert_eq!(board.deliver(message(question)), None);
        assert!(heard(&mut second).await.contains("hello"));
        assert!(heard(&mut second).await.contains("roots/list"));
    }

    #[tokio::test]
    async fn a_question_of_a_task_goes_to_who_waits_for_it_and_any_other_to_a_call() {
        let board = Switchboard::new(false);
        let mut call = call(&board, 1);
        let text = r#"{"jsonrpc":"2.0","id":2,"method":"tasks/result","params":{"taskId":"t"}}"#;
        let Message::Request(request) = message(text) else { panic!("no request") };
        let mut waiting = board.expect(&request).unwrap();
        let related = r#"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}"#;
        for (id, params) in [(7, related), (8, "{}")] {
            let question = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list","params":{params}}}"#);
            assert_eq!(board.deliver(message(&question)), None);
        }
        assert!(heard(&mut waiting).await.contains("\"id\":7"));
        assert!(heard(&mut call).await.contains("\"id\":8"));
    }

    #[tokio::test]
    async fn a_shared_channel_tells_nobody_what_may_be_another_s_and_refuses_questions() {
        let board = Switchboard::new(true);
        let mut call = call(&board, 1);
        log(&board, "a secret of somebody");
        let question = r#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}"#;
        assert!(board.deliver(message(question)).unwrap().outcome.is_err());
        board.deliver(message(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
        assert!(heard(&mut call).await.contains("result"));
    }

    #[tokio::test]
    async fn a_slow_listener_loses_notes_but_never_the_response() {
        let board = Switchboard::new(false);
        let mut call = call(&board, 1);
        for n in 0..QUEUE * 2 {
            log(&board, &n.to_string());
        }
        board.deliver(message(r#"{"jsonrpc":"2.0","id":1,"result":{"done":true}}"#));
        let mut last = String::new();
        while call.is_open() {
            last = heard(&mut call).await;
        }
        assert!(last.contains("done"));
    }

    #[tokio::test]
    async fn everybody_hears_of_the_end_and_whoever_comes_later_too() {
        let board = Switchboard::new(false);
        let mut call = call(&board, 1);
        board.end(&Failure::new(Code::UpstreamBroken, "gone"));
        assert_eq!(call.next().await.unwrap().unwrap_err().fault.code, Code::UpstreamBroken);
        let late = Request::new(Id::Number(2), "ping", None);
        assert!(board.expect(&late).is_err() && board.has_ended());
    }

    #[test]
    fn a_ping_is_answered_without_anybody() {
        let answer = Switchboard::new(true).deliver(message(r#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#)).unwrap();
        assert_eq!(answer, Response::result(Id::Text("x".into()), Raw::empty()));
    }
}
