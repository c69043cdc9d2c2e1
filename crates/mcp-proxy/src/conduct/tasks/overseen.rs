//! Tasks of servers of 2025-11-25 that may ask their modern clients something. A server asks in messages, on the stream of
//! whoever wants the task's result or wherever it can; a client is shown what is open when it asks how the task stands, and
//! answers when it pleases. What lies in between lies here, for as long as somebody comes to ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_domain::{Code, Fault, KeyId};
use gatehouse_mcp_gateway::bridge::questions::{Answers, Question};
use gatehouse_mcp_gateway::bridge::tasks;
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::{Id, Message, Request};
use gatehouse_upstream::Pool;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::{Whose, naming};
use crate::conduct::across::cannot;
use crate::conduct::carry::refused;
use crate::conduct::desk::{Desk, random_name};
use crate::conduct::errand::boxed;
use crate::conduct::feed::{Feeds, Source};
use crate::conduct::reach::Way;
use crate::conduct::talk::Context;
use crate::link::{Client, Failure, Link, Outgoing};

/// A task that nobody has asked about for so long is not listened to any more.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Tasks that are listened to at once, and questions that one of them may have open.
const TASKS_MAX: usize = 10_000;
const QUESTIONS_MAX: usize = 16;
/// How long the first question of a task that says it has some is waited for, and the next one after it.
const FIRST_WITHIN: Duration = Duration::from_secs(1);
const TOGETHER: Duration = Duration::from_millis(40);
/// Between two requests for a result that broke off.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Every such task. The lock is held for a look-up, and only by what is about tasks.
#[derive(Default)]
pub(in crate::conduct) struct Overseen(Mutex<HashMap<Whose, Arc<Task>>>);

/// One of them.
pub(in crate::conduct) struct Task {
    whose: Whose,
    link: Arc<dyn Link>,
    client: Client,
    open: watch::Sender<Vec<Open>>,
    /// Rung when its questions are wanted: then the server is asked for the result, as it may ask nowhere else.
    wanted: Notify,
    /// Rung when nobody needs it any more.
    over: Notify,
    touched: Mutex<Instant>,
}

/// A question that is open, and where its answer goes.
#[derive(Clone)]
struct Open {
    question: Question,
    id: Id,
    link: Arc<dyn Link>,
    client: Client,
}

impl Overseen {
    fn tasks(&self) -> MutexGuard<'_, HashMap<Whose, Arc<Task>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens to a task from now on, if that is not done already.
    ///
    /// # Errors
    /// `Overloaded` when too many are listened to.
    pub(super) fn begin(desk: &Arc<Desk>, whose: Whose, way: &Way) -> Result<Arc<Task>, Box<Refusal>> {
        let mut tasks = desk.overseen.tasks();
        if let Some(task) = tasks.get(&whose) {
            task.touch();
            return Ok(Arc::clone(task));
        }
        if tasks.len() >= TASKS_MAX {
            let message = "too many tasks wait for answers; ask again in a while";
            return Err(boxed(Fault::new(Code::Overloaded, message).retry_after(5)));
        }
        let task = Arc::new(Task {
            whose: whose.clone(),
            link: Arc::clone(&way.link),
            client: way.client.clone(),
            open: watch::Sender::default(),
            wanted: Notify::new(),
            over: Notify::new(),
            touched: Mutex::new(Instant::now()),
        });
        tasks.insert(whose, Arc::clone(&task));
        desk.control.spawn(oversee(Arc::clone(desk), Arc::clone(&task)));
        Ok(task)
    }

    /// The task of this name, if it is listened to.
    pub(super) fn find(&self, whose: &Whose) -> Option<Arc<Task>> {
        self.tasks().get(whose).cloned()
    }

    /// The task that a request of a server is of.
    pub(in crate::conduct) fn asking(
        &self,
        principal: &KeyId,
        server: &Arc<str>,
        request: &Request,
    ) -> Option<Arc<Task>> {
        let task = tasks::related(request.params.as_ref())?;
        self.find(&(Arc::clone(principal), Arc::clone(server), task.into()))
    }

    /// Nobody needs this one any more.
    pub(super) fn forget(&self, whose: &Whose) {
        if let Some(task) = self.tasks().remove(whose) {
            task.over.notify_one();
        }
    }
}

impl Task {
    fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn untouched_for(&self) -> Duration {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Everything it asks now, with a moment for what it may be about to ask.
    pub(super) async fn questions(&self) -> Vec<Question> {
        self.touch();
        self.wanted.notify_one();
        let mut open = self.open.subscribe();
        let asked = |open: &Vec<Open>| !open.is_empty();
        if !asked(&open.borrow_and_update()) {
            drop(timeout(FIRST_WITHIN, open.wait_for(asked)).await);
            while timeout(TOGETHER, open.changed()).await.is_ok_and(|changed| changed.is_ok()) {}
        }
        open.borrow().iter().map(|open| open.question.clone()).collect()
    }

    /// The server asks something. What its client cannot be asked is answered at once.
    pub(in crate::conduct) async fn put(&self, pool: &Pool, from: (&Arc<dyn Link>, &Client), request: &Request) {
        let (link, client) = from;
        let question = random_name().ok().and_then(|key| Question::of_request(key, request).ok());
        let mut taken = false;
        if let Some(question) = question.filter(|question| question.is_for(&self.client.capabilities)) {
            let one = Open { question, id: request.id.clone(), link: Arc::clone(link), client: client.clone() };
            self.open.send_modify(|open| {
                taken = open.len() < QUESTIONS_MAX;
                if taken {
                    open.push(one);
                }
            });
        }
        if !taken && let Err(failure) = link.answer(pool, client, cannot(request.id.clone())).await {
            tracing::debug!(fault = %failure.fault, "a task was not told that its client cannot be asked");
        }
    }

    /// Brings the server those answers that it waits for.
    ///
    /// # Errors
    /// When the server cannot be reached; what it was not told stays open.
    pub(super) async fn answer(&self, context: &Context, way: &Way, answers: &Answers) -> Result<(), Box<Refusal>> {
        self.touch();
        let answered: Vec<Open> =
            self.open.borrow().iter().filter(|open| answers.to(&open.question.key).is_some()).cloned().collect();
        for open in answered {
            let response = open.question.response(open.id.clone(), answers.to(&open.question.key));
            let answered = open.link.answer(&way.pool, &open.client, response).await;
            answered.map_err(|failure| refused(context, failure))?;
            self.open.send_modify(|all| all.retain(|other| other.question.key != open.question.key));
        }
        Ok(())
    }

    /// Returns when nobody has asked about it for long.
    async fn abandoned(&self) {
        while let Some(left) = PATIENCE.checked_sub(self.untouched_for()) {
            sleep(left).await;
        }
    }

    /// Asks for the result, again and again if it must be, until there is one.
    async fn listened(&self, desk: &Desk) {
        self.wanted.notified().await;
        loop {
            match self.result(desk).await {
                Ok(()) => return,
                // A server that says nothing has nothing to say yet.
                Err(failure) if failure.fault.code == Code::UpstreamTimeout => sleep(AGAIN_AFTER).await,
                Err(failure) => {
                    tracing::debug!(fault = %failure.fault, "a task of an MCP server was lost sight of");
                    sleep(AGAIN_AFTER).await;
                    self.wanted.notified().await;
                }
            }
        }
    }

    /// Hears what is said until the result has come. It is not kept: who asks how the task stands gets it from the server.
    async fn result(&self, desk: &Desk) -> Result<(), Failure> {
        let request = Request::new(desk.next_id(), Method::TasksResult.as_str(), Some(naming(&self.whose.2)));
        let client = self.client.clone();
        let outgoing = Outgoing { request, client, param_headers: Vec::new(), repeatable: true, visit: None };
        let mut exchange = self.link.ask(&desk.pool, outgoing).await?;
        loop {
            match exchange.next().await {
                Some(Ok(Message::Request(request))) => {
                    let other = desk.overseen.asking(&self.whose.0, &self.whose.1, &request);
                    let of = other.as_deref().unwrap_or(self);
                    of.put(&desk.pool, (&self.link, &self.client), &request).await;
                }
                Some(Ok(Message::Notification(_))) => {}
                Some(Ok(Message::Response(_))) | None => return Ok(()),
                Some(Err(failure)) => return Err(failure),
            }
        }
    }
}

/// Listens to a task, on every stream its questions may come on, until it ends or nobody asks about it any more.
async fn oversee(desk: Arc<Desk>, task: Arc<Task>) {
    let (principal, server, _) = &task.whose;
    let source = Source {
        server: Arc::clone(server),
        principal: Arc::clone(principal),
        session: None,
        link: Arc::clone(&task.link),
        client: task.client.clone(),
        mail: None,
        speaker: None,
    };
    let attended = Feeds::open(&desk, source).attend();
    tokio::select! {
        () = task.listened(&desk) => {}
        () = task.abandoned() => {}
        () = task.over.notified() => {}
    }
    drop(attended);
    let mut tasks = desk.overseen.tasks();
    if tasks.get(&task.whose).is_some_and(|known| Arc::ptr_eq(known, &task)) {
        tasks.remove(&task.whose);
    }
}
