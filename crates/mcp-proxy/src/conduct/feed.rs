//! Where changes of resources come from. However many clients want to hear of a resource, its server is asked once for each
//! principal: a feed is one such connection, with a task of its own on the control plane that opens it, opens it again after it
//! broke, and ends when nobody wants to hear anything any more. What a server of the older era asks there is for
//! [`super::beside`].

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use gatehouse_domain::{Code, Fault, KeyId};
use gatehouse_mcp_gateway::bridge::listen::{self, Filter};
use gatehouse_mcp_gateway::bridge::notices::{self, Notice};
use gatehouse_mcp_gateway::era::{Method, Speaker};
use gatehouse_mcp_gateway::{Message, Notification, Raw, Request};
use tokio::sync::{Notify, Semaphore, watch};

use super::across::cannot;
use super::desk::Desk;
use super::memory::Mailbox;
use super::{beside, result};
use crate::link::{Client, Exchange, Failure, Link, Outgoing};

/// Subscriptions of one feed.
const WANTED_MAX: usize = 4_096;
/// A session that was not heard of for so long is not listened for any more; how often that is looked at.
const SESSION_IDLE: Duration = Duration::from_secs(15 * 60);
const LOOKS_EVERY: Duration = Duration::from_secs(60);
/// A call waits for so long for what is said beside it to be heard.
const OPENS_WITHIN: Duration = Duration::from_secs(1);
/// Questions of one feed that wait for their answers; one more is refused.
const QUESTIONS_MAX: usize = 16;
/// Between two attempts to open a feed.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// Every feed, by server, principal and session.
#[derive(Default)]
pub(super) struct Feeds(Mutex<HashMap<Whose, Weak<Feed>>>);

/// Server, principal and session.
pub(super) type Whose = (Arc<str>, KeyId, Option<Arc<str>>);

/// One connection that tells of changes.
pub(super) struct Feed {
    pub(super) link: Arc<dyn Link>,
    pub(super) client: Client,
    wanted: Mutex<Wanted>,
    changed: Notify,
    /// Who hears what the server says to nobody in particular: the session that the connection is of.
    pub(super) session: Option<Arc<Mailbox>>,
    /// Who is asked what the server asks; `None`: nobody, as nobody knows whom it means.
    pub(super) speaker: Option<Speaker>,
    asking: Arc<Semaphore>,
    /// Is it open, as far as it can be?
    open: watch::Sender<bool>,
    /// Its session was not heard of for long, and a new feed is made should it come back.
    closed: AtomicBool,
    /// Tasks whose questions may come here.
    tasks: AtomicUsize,
    pub(super) whose: Whose,
}

/// Who wants to hear of which resource, by the server's name for it.
#[derive(Default)]
struct Wanted {
    by_uri: BTreeMap<Arc<str>, Vec<Listener>>,
    next: u64,
}

struct Listener {
    number: u64,
    /// The client's name for the resource.
    exposed: Arc<str>,
    mail: Arc<Mailbox>,
}

/// Somebody wants to hear of a resource, until this is dropped.
pub(super) struct Subscribed {
    feed: Arc<Feed>,
    uri: Arc<str>,
    number: u64,
}

/// A task whose questions may come in a feed, until this is dropped.
pub(super) struct Attended(Arc<Feed>);

/// Whose a feed is, and how it is reached.
pub(super) struct Source {
    pub(super) server: Arc<str>,
    pub(super) principal: KeyId,
    pub(super) session: Option<Arc<str>>,
    pub(super) link: Arc<dyn Link>,
    pub(super) client: Client,
    /// The session's, where the feed is of one.
    pub(super) mail: Option<Arc<Mailbox>>,
    /// The same of its client, where what the server asks is for no other.
    pub(super) speaker: Option<Speaker>,
}

/// What somebody wants to hear of.
pub(super) struct Wish {
    /// The server's name for the resource, and the client's.
    pub(super) uri: Arc<str>,
    pub(super) exposed: Arc<str>,
}

impl Feeds {
    /// The feed of this source; made if there is none.
    pub(super) fn open(desk: &Arc<Desk>, source: Source) -> Arc<Feed> {
        let Source { server, principal, session, link, client, mail, speaker } = source;
        let whose = (server, principal, session);
        let mut feeds = desk.feeds.0.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, feed| feed.strong_count() > 0);
        // A client that can other things has another session with its server.
        let is_it = |feed: &Arc<Feed>| !feed.has_closed() && Arc::ptr_eq(&feed.link, &link);
        if let Some(feed) = feeds.get(&whose).and_then(Weak::upgrade).filter(is_it) {
            return feed;
        }
        let feed = Arc::new(Feed {
            link,
            client,
            wanted: Mutex::default(),
            changed: Notify::new(),
            session: mail,
            speaker,
            asking: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            open: watch::Sender::new(false),
            closed: AtomicBool::new(false),
            tasks: AtomicUsize::new(0),
            whose: whose.clone(),
        });
        feeds.insert(whose, Arc::downgrade(&feed));
        desk.control.spawn(run(Arc::downgrade(&feed), Arc::clone(desk)));
        feed
    }
}

impl Feed {
    /// Hears of a resource from now on.
    ///
    /// # Errors
    /// `Overloaded` when the principal hears of too many already.
    pub(super) fn subscribe(self: &Arc<Self>, wish: Wish, mail: Arc<Mailbox>) -> Result<Subscribed, Fault> {
        let number = self.want(&wish.uri, wish.exposed, mail)?;
        Ok(Subscribed { feed: Arc::clone(self), uri: wish.uri, number })
    }

    /// Listens for the questions of a task.
    pub(super) fn attend(self: &Arc<Self>) -> Attended {
        self.tasks.fetch_add(1, Ordering::Relaxed);
        Attended(Arc::clone(self))
    }

    /// Waits until the feed is open, but not for long.
    pub(super) async fn opened(&self) {
        let mut open = self.open.subscribe();
        drop(tokio::time::timeout(OPENS_WITHIN, open.wait_for(|open| *open)).await);
    }

    pub(super) fn has_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Is there nothing to hear, or nobody to hear it?
    fn is_idle(&self) -> bool {
        let heard = self.session.as_ref().is_some_and(|mail| mail.idle_for() < SESSION_IDLE);
        !heard && self.tasks.load(Ordering::Relaxed) == 0 && self.wanted().by_uri.is_empty()
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want(&self, uri: &Arc<str>, exposed: Arc<str>, mail: Arc<Mailbox>) -> Result<u64, Fault> {
        let mut wanted = self.wanted();
        if wanted.by_uri.len() >= WANTED_MAX {
            let message = "this caller hears of too many resources of this server already; unsubscribe from some";
            return Err(Fault::new(Code::Overloaded, message));
        }
        wanted.next += 1;
        let number = wanted.next;
        let listeners = wanted.by_uri.entry(Arc::clone(uri)).or_default();
        let new = listeners.is_empty();
        listeners.push(Listener { number, exposed, mail });
        drop(wanted);
        if new {
            self.changed.notify_one();
        }
        Ok(number)
    }

    /// Waits until other resources are wanted, or it is time to look whether anybody still listens.
    async fn waits(&self) {
        drop(tokio::time::timeout(LOOKS_EVERY, self.changed.notified()).await);
    }

    fn uris(&self) -> Vec<Arc<str>> {
        self.wanted().by_uri.keys().cloned().collect()
    }

    /// A resource has changed.
    fn tell(&self, note: &Notification, uri: &str) {
        let note = notices::without_subscription(note);
        for listener in self.wanted().by_uri.get(uri).into_iter().flatten() {
            listener.mail.put(notices::with_uri(&note, &listener.exposed));
        }
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        let mut wanted = self.feed.wanted();
        let Some(listeners) = wanted.by_uri.get_mut(&self.uri) else { return };
        listeners.retain(|listener| listener.number != self.number);
        if listeners.is_empty() {
            wanted.by_uri.remove(&self.uri);
            drop(wanted);
            self.feed.changed.notify_one();
        }
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        self.0.tasks.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps a feed open for as long as anybody holds it.
async fn run(feed: Weak<Feed>, desk: Arc<Desk>) {
    let mut back_off = BACK_OFF_FIRST;
    loop {
        let Some(open) = feed.upgrade() else { return };
        if open.is_idle() {
            if open.session.is_some() {
                open.closed.store(true, Ordering::Relaxed);
                return;
            }
            // Only subscriptions hold it, so the next look will find it gone, or wanted again.
            drop(open);
            tokio::time::sleep(BACK_OFF_FIRST).await;
            continue;
        }
        match once(&open, &desk).await {
            Ok(()) => back_off = BACK_OFF_FIRST,
            Err(failure) => {
                // Whoever waits for it need not wait any longer.
                open.open.send_replace(true);
                tracing::debug!(fault = %failure.fault, "a subscription to an MCP server broke and is opened again");
                drop(open);
                tokio::time::sleep(back_off).await;
                back_off = (back_off * 2).min(BACK_OFF_MAX);
            }
        }
    }
}

/// Opens the feed and listens until it ends, or other resources are wanted.
async fn once(feed: &Arc<Feed>, desk: &Arc<Desk>) -> Result<(), Failure> {
    let hello = feed.link.hello(&desk.pool, &feed.client).await?;
    if hello.modern && feed.wanted().by_uri.is_empty() {
        // Over a modern link nobody says anything that was not asked for.
        feed.open.send_replace(true);
        feed.waits().await;
        return Ok(());
    }
    if hello.modern { modern(feed, desk).await } else { legacy(feed, desk).await }
}

/// One `subscriptions/listen` for all that is wanted; another filter is another request.
async fn modern(feed: &Arc<Feed>, desk: &Arc<Desk>) -> Result<(), Failure> {
    let filter = Filter { uris: feed.uris(), ..Filter::default() };
    let mut exchange = ask(feed, desk, Method::Listen, Some(listen::params(&filter))).await?;
    loop {
        tokio::select! {
            message = exchange.next() => if !heard(feed, desk, message).await? { return Ok(()) },
            () = feed.changed.notified() => return Ok(()),
        }
    }
}

/// Each resource is subscribed to, and the server's own stream brings what changes.
async fn legacy(feed: &Arc<Feed>, desk: &Arc<Desk>) -> Result<(), Failure> {
    let mut told: Vec<Arc<str>> = Vec::new();
    let Some(mut stream) = feed.link.overhear(&desk.pool, &feed.client).await? else {
        // A server without a stream cannot tell of anything.
        feed.open.send_replace(true);
        feed.waits().await;
        return Ok(());
    };
    feed.open.send_replace(true);
    loop {
        let wanted = feed.uris();
        for (uri, method) in difference(&told, &wanted) {
            let params = Raw::object([("uri", Raw::text(&uri))]);
            let mut exchange = ask(feed, desk, method, Some(params)).await?;
            while let Some(message) = exchange.next().await {
                if matches!(message?, Message::Response(_)) {
                    break;
                }
            }
        }
        told = wanted;
        if feed.is_idle() {
            return Ok(());
        }
        loop {
            tokio::select! {
                message = stream.next() => if !heard(feed, desk, message).await? { return Ok(()) },
                () = feed.waits() => break,
            }
        }
    }
}

/// What must be said for the server to know what is wanted now.
fn difference(told: &[Arc<str>], wanted: &[Arc<str>]) -> Vec<(Arc<str>, Method)> {
    let new = wanted.iter().filter(|uri| !told.contains(uri)).map(|uri| (Arc::clone(uri), Method::Subscribe));
    let old = told.iter().filter(|uri| !wanted.contains(uri)).map(|uri| (Arc::clone(uri), Method::Unsubscribe));
    new.chain(old).collect()
}

async fn ask(feed: &Feed, desk: &Desk, method: Method, params: Option<Raw>) -> Result<Box<dyn Exchange>, Failure> {
    let request = Request::new(desk.next_id(), method.as_str(), params);
    let client = feed.client.clone();
    feed.link
        .ask(&desk.pool, Outgoing { request, client, param_headers: Vec::new(), repeatable: true, visit: None })
        .await
}

/// Takes a message of a feed. `false`: it was the last.
async fn heard(feed: &Arc<Feed>, desk: &Arc<Desk>, message: Option<Result<Message, Failure>>) -> Result<bool, Failure> {
    match message {
        Some(Ok(Message::Notification(note))) => {
            match (Notice::of(&note), &feed.session) {
                (Notice::Updated(uri), _) => feed.tell(&note, &uri),
                // That a list has changed is ours to say, when it has been looked at.
                (Notice::ToolsChanged | Notice::PromptsChanged | Notice::ResourcesChanged, _) => {
                    desk.refresher.ask_again(&feed.whose.0);
                }
                // These are about calls that are not heard of here.
                (Notice::Progress(_) | Notice::Cancelled(_) | Notice::Acknowledged, _) => {}
                (_, Some(mail)) => {
                    let (server, principal, _) = &feed.whose;
                    mail.put(result::renamed_note(desk, principal, server, &note));
                }
                _ => {}
            }
            Ok(true)
        }
        Some(Ok(Message::Request(request))) => {
            match Arc::clone(&feed.asking).try_acquire_owned() {
                Ok(turn) => {
                    let (feed, desk) = (Arc::clone(feed), Arc::clone(desk));
                    tokio::spawn(async move {
                        beside::question(&feed, &desk, request).await;
                        drop(turn);
                    });
                }
                Err(_) => beside::reply(feed, desk, cannot(request.id)).await,
            }
            Ok(true)
        }
        Some(Ok(Message::Response(_))) | None => Ok(false),
        Some(Err(failure)) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_only_what_changes() {
        let uris = |all: &[&str]| all.iter().map(|uri| Arc::from(*uri)).collect::<Vec<_>>();
        let said = difference(&uris(&["a", "b"]), &uris(&["b", "c"]));
        assert_eq!(said, [("c".into(), Method::Subscribe), ("a".into(), Method::Unsubscribe)]);
    }
}
