//! Where changes of resources come from. However many clients want to hear of a resource, its server is asked once for each
//! principal: a feed is one such connection, with a task of its own on the control plane that opens it, opens it again after it
//! broke, and ends when nobody wants to hear anything any more.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use gatehouse_domain::{Code, Fault, KeyId};
use gatehouse_mcp_gateway::bridge::listen::{self, Filter};
use gatehouse_mcp_gateway::bridge::notices::{self, Notice};
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::{Message, Notification, Raw, Request};
use tokio::sync::Notify;

use super::desk::Desk;
use super::memory::Mailbox;
use crate::link::{Client, Exchange, Failure, Link, Outgoing};

/// Subscriptions of one feed.
const WANTED_MAX: usize = 4_096;
/// Between two attempts to open a feed.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// Every feed, by server, principal and session.
#[derive(Default)]
pub(super) struct Feeds(Mutex<HashMap<Whose, Weak<Feed>>>);

type Whose = (Arc<str>, KeyId, Option<Arc<str>>);

/// One connection that tells of changes.
pub(super) struct Feed {
    link: Arc<dyn Link>,
    client: Client,
    wanted: Mutex<Wanted>,
    changed: Notify,
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

/// What somebody wants to hear of.
pub(super) struct Wish {
    pub(super) server: Arc<str>,
    pub(super) principal: KeyId,
    pub(super) session: Option<Arc<str>>,
    /// The server's name for the resource, and the client's.
    pub(super) uri: Arc<str>,
    pub(super) exposed: Arc<str>,
}

impl Feeds {
    /// Hears of a resource from now on, over this link.
    ///
    /// # Errors
    /// `Overloaded` when the principal hears of too many already.
    pub(super) fn subscribe(
        desk: &Arc<Desk>,
        wish: Wish,
        link: Arc<dyn Link>,
        client: Client,
        mail: Arc<Mailbox>,
    ) -> Result<Subscribed, Fault> {
        let whose = (wish.server, wish.principal, wish.session);
        let mut feeds = desk.feeds.0.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = match feeds.get(&whose).and_then(Weak::upgrade) {
            Some(feed) => feed,
            None => {
                let feed = Arc::new(Feed { link, client, wanted: Mutex::default(), changed: Notify::new() });
                feeds.insert(whose, Arc::downgrade(&feed));
                desk.control.spawn(run(Arc::downgrade(&feed), Arc::clone(desk)));
                feed
            }
        };
        drop(feeds);
        let number = feed.want(&wish.uri, wish.exposed, mail)?;
        Ok(Subscribed { feed, uri: wish.uri, number })
    }
}

impl Feed {
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

/// Keeps a feed open for as long as anybody holds it.
async fn run(feed: Weak<Feed>, desk: Arc<Desk>) {
    let mut back_off = BACK_OFF_FIRST;
    loop {
        let Some(open) = feed.upgrade() else { return };
        if open.uris().is_empty() {
            // Nobody holds a feed but its subscriptions, so the next look will find it gone, or wanted again.
            let changed = wait_for_change(&open);
            drop(open);
            changed.await;
            continue;
        }
        match once(&open, &desk).await {
            Ok(()) => back_off = BACK_OFF_FIRST,
            Err(failure) => {
                tracing::debug!(fault = %failure.fault, "a subscription to an MCP server broke and is opened again");
                drop(open);
                tokio::time::sleep(back_off).await;
                back_off = (back_off * 2).min(BACK_OFF_MAX);
            }
        }
    }
}

/// A short wait that does not hold the feed.
fn wait_for_change(_: &Arc<Feed>) -> impl Future<Output = ()> + use<> {
    tokio::time::sleep(BACK_OFF_FIRST)
}

/// Opens the feed and listens until it ends, or other resources are wanted.
async fn once(feed: &Arc<Feed>, desk: &Arc<Desk>) -> Result<(), Failure> {
    let hello = feed.link.hello(&desk.pool, &feed.client).await?;
    if hello.modern { modern(feed, desk).await } else { legacy(feed, desk).await }
}

/// One `subscriptions/listen` for all that is wanted; another filter is another request.
async fn modern(feed: &Arc<Feed>, desk: &Arc<Desk>) -> Result<(), Failure> {
    let filter = Filter { uris: feed.uris(), ..Filter::default() };
    let mut exchange = ask(feed, desk, Method::Listen, Some(listen::params(&filter))).await?;
    loop {
        tokio::select! {
            message = exchange.next() => if !heard(feed, message)? { return Ok(()) },
            () = feed.changed.notified() => return Ok(()),
        }
    }
}

/// Each resource is subscribed to, and the server's own stream brings what changes.
async fn legacy(feed: &Arc<Feed>, desk: &Arc<Desk>) -> Result<(), Failure> {
    let mut told: Vec<Arc<str>> = Vec::new();
    let Some(mut stream) = feed.link.overhear(&desk.pool, &feed.client).await? else {
        // A server without a stream cannot tell of anything.
        feed.changed.notified().await;
        return Ok(());
    };
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
        if told.is_empty() {
            return Ok(());
        }
        loop {
            tokio::select! {
                message = stream.next() => if !heard(feed, message)? { return Ok(()) },
                () = feed.changed.notified() => break,
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
    feed.link.ask(&desk.pool, Outgoing { request, client, param_headers: Vec::new(), repeatable: true }).await
}

/// Takes a message of a feed. `false`: it was the last.
fn heard(feed: &Feed, message: Option<Result<Message, Failure>>) -> Result<bool, Failure> {
    match message {
        Some(Ok(Message::Notification(note))) => {
            if let Notice::Updated(uri) = Notice::of(&note) {
                feed.tell(&note, &uri);
            }
            Ok(true)
        }
        Some(Ok(Message::Request(_))) => Ok(true),
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
