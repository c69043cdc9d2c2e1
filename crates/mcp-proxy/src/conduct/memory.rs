//! What is kept for a session of the older era while it lasts and there is room: its log level, its streams for a client that
//! comes back, its subscriptions. All of it may be lost, with a restart or for want of room; the session itself is its id.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::HashMap;
use gatehouse_mcp_gateway::era::LogLevel;
use gatehouse_mcp_gateway::{Id, Notification, sse};
use tokio::sync::Notify;

use super::feed::{Feed, Subscribed};
use super::window::Windows;

/// Sessions of which anything is kept.
const SESSIONS_MAX: usize = 100_000;
/// Streams kept for a session.
const RINGS_MAX: usize = 16;
/// Events kept of a stream, and their bytes.
const EVENTS_MAX: usize = 512;
const EVENT_BYTES_MAX: usize = 4 << 20;
/// Notifications that wait for somebody to listen.
const NOTES_MAX: usize = 256;

/// Every session that was heard of lately.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_name: HashMap<Arc<str>, Arc<Memory>>,
    /// In the order in which they came; the first is asked first whether it can go.
    order: VecDeque<Arc<str>>,
}

/// What is kept for one.
#[derive(Default)]
pub(super) struct Memory {
    kept: Mutex<Kept>,
    streams: AtomicU64,
    ended: AtomicBool,
    /// What its listener will hear.
    pub(super) mail: Arc<Mailbox>,
    /// Which of its `GET` streams is the one that is spoken on: the last.
    pub(super) listener: AtomicU64,
    /// Rung when it ends, or another listener takes over.
    pub(super) rung: Notify,
}

#[derive(Default)]
struct Kept {
    level: Option<LogLevel>,
    told: HashMap<Arc<str>, (u64, LogLevel)>,
    rings: VecDeque<Arc<Ring>>,
    running: HashMap<Id, Arc<Notify>>,
    subscriptions: HashMap<Arc<str>, Subscribed>,
    /// What servers say beside their calls, by server.
    feeds: HashMap<Arc<str>, Arc<Feed>>,
}

impl Sessions {
    /// What is kept for this session; nothing yet, where it was not heard of.
    pub(super) fn of(&self, name: &Arc<str>) -> Arc<Memory> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(memory) = known.by_name.get(name) {
            memory.mail.touch();
            return Arc::clone(memory);
        }
        known.make_room();
        let memory = Arc::new(Memory::default());
        known.by_name.insert(Arc::clone(name), Arc::clone(&memory));
        known.order.push_back(Arc::clone(name));
        memory
    }
}

impl Known {
    fn make_room(&mut self) {
        // One that is in use goes to the end of the queue; after a few of those the table grows by one.
        for _ in 0..8 {
            if self.by_name.len() < SESSIONS_MAX {
                return;
            }
            let Some(first) = self.order.pop_front() else { return };
            match self.by_name.get(&first) {
                Some(memory) if Arc::strong_count(memory) > 1 => self.order.push_back(first),
                _ => drop(self.by_name.remove(&first)),
            }
        }
    }
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the session: whatever is under way in it is stopped, and its id is no longer good.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let kept = std::mem::take(&mut *self.kept());
        for running in kept.running.values() {
            running.notify_one();
        }
        self.rung.notify_waiters();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// From now on this much is logged.
    pub(super) fn set_level(&self, level: LogLevel) {
        self.kept().level = Some(level);
    }

    pub(super) fn level(&self) -> Option<LogLevel> {
        self.kept().level
    }

    /// Must a server be told of this level? Asked once for each of its sessions and levels.
    pub(super) fn must_tell(&self, server: &Arc<str>, incarnation: u64, level: LogLevel) -> bool {
        self.kept().told.insert(Arc::clone(server), (incarnation, level)) != Some((incarnation, level))
    }

    /// A call begins that the client may stop; dropped, it has ended.
    pub(super) fn begin(self: &Arc<Self>, id: &Id) -> Running {
        let stop = Arc::new(Notify::new());
        self.kept().running.insert(id.clone(), Arc::clone(&stop));
        Running { memory: Arc::clone(self), id: id.clone(), stop }
    }

    /// The client stops a call.
    pub(super) fn cancel(&self, id: &Id) {
        if let Some(stop) = self.kept().running.get(id) {
            stop.notify_one();
        }
    }

    /// A new stream that can be listened to again.
    pub(super) fn ring(&self) -> Arc<Ring> {
        let ring = Arc::new(Ring::new(self.streams.fetch_add(1, Ordering::Relaxed)));
        let mut kept = self.kept();
        if kept.rings.len() >= RINGS_MAX {
            let done = kept.rings.iter().position(|ring| ring.events().ended).unwrap_or(0);
            kept.rings.remove(done);
        }
        kept.rings.push_back(Arc::clone(&ring));
        ring
    }

    /// The stream an event was of, and its place there.
    pub(super) fn ring_of(&self, event: &str) -> Option<(Arc<Ring>, u64)> {
        let (stream, place) = event.split_once('-')?;
        let (stream, place) = (stream.parse::<u64>().ok()?, place.parse().ok()?);
        let kept = self.kept();
        kept.rings.iter().find(|ring| ring.stream == stream).map(|ring| (Arc::clone(ring), place))
    }

    /// Does it hear what this server says beside its calls?
    pub(super) fn hears(&self, server: &str) -> bool {
        self.kept().feeds.get(server).is_some_and(|feed| !feed.has_closed())
    }

    pub(super) fn hear(&self, server: &Arc<str>, feed: Arc<Feed>) {
        self.kept().feeds.insert(Arc::clone(server), feed);
    }

    pub(super) fn subscribe(&self, uri: &Arc<str>, subscribed: Subscribed) {
        self.kept().subscriptions.insert(Arc::clone(uri), subscribed);
    }

    pub(super) fn unsubscribe(&self, uri: &str) {
        drop(self.kept().subscriptions.remove(uri));
    }
}

/// A call under way in a session.
pub(super) struct Running {
    memory: Arc<Memory>,
    id: Id,
    stop: Arc<Notify>,
}

impl Running {
    /// Waits until the client stops the call.
    pub(super) async fn stopped(&self) {
        self.stop.notified().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.memory.kept().running.remove(&self.id);
    }
}

/// The last events of one stream.
pub(super) struct Ring {
    stream: u64,
    events: Mutex<Events>,
    more: Notify,
}

#[derive(Default)]
struct Events {
    kept: VecDeque<(u64, Bytes)>,
    bytes: usize,
    next: u64,
    ended: bool,
}

impl Ring {
    fn new(stream: u64) -> Self {
        Self { stream, events: Mutex::default(), more: Notify::new() }
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event a stream begins with: an id, and how long to wait before coming back for more.
    pub(super) fn primer(&self, retry_ms: u64) -> Bytes {
        let mut events = self.events();
        let place = events.next;
        events.next += 1;
        sse::primer(&format!("{}-{place}", self.stream), Some(retry_ms))
    }

    /// A message as the next event, kept for who comes back.
    pub(super) fn event(&self, message: &[u8]) -> Bytes {
        let mut events = self.events();
        let place = events.next;
        let event = sse::event(message, Some(&format!("{}-{place}", self.stream)));
        events.next += 1;
        events.bytes += event.len();
        events.kept.push_back((place, event.clone()));
        while events.kept.len() > EVENTS_MAX || (events.bytes > EVENT_BYTES_MAX && events.kept.len() > 1) {
            if let Some((_, gone)) = events.kept.pop_front() {
                events.bytes -= gone.len();
            }
        }
        drop(events);
        self.more.notify_one();
        event
    }

    /// Nothing more will be said.
    pub(super) fn end(&self) {
        self.events().ended = true;
        self.more.notify_one();
    }

    /// The events behind a place, and whether those were the last. Waits until there are any.
    pub(super) async fn after(&self, place: u64) -> (Vec<(u64, Bytes)>, bool) {
        loop {
            {
                let events = self.events();
                let new: Vec<_> = events.kept.iter().filter(|(at, _)| *at > place).cloned().collect();
                if !new.is_empty() || events.ended {
                    return (new, events.ended);
                }
            }
            self.more.notified().await;
        }
    }
}

/// Notifications for somebody who listens now and then. A full one loses its oldest.
pub(super) struct Mailbox {
    notes: Mutex<VecDeque<Notification>>,
    more: Notify,
    /// When its owner was last heard of.
    touched: Mutex<Instant>,
    /// Where its owner can be asked.
    pub(super) windows: Arc<Windows>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            notes: Mutex::default(),
            more: Notify::new(),
            touched: Mutex::new(Instant::now()),
            windows: Arc::default(),
        }
    }
}

impl Mailbox {
    /// Its owner is there.
    pub(super) fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long its owner was not heard of.
    pub(super) fn idle_for(&self) -> Duration {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Puts one in. The same one twice is there once.
    pub(super) fn put(&self, note: Notification) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.contains(&note) {
            return;
        }
        if notes.len() >= NOTES_MAX {
            notes.pop_front();
        }
        notes.push_back(note);
        drop(notes);
        self.more.notify_one();
    }

    /// Takes the oldest out, waiting for one.
    pub(super) async fn take(&self) -> Notification {
        loop {
            if let Some(note) = self.notes.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
                return note;
            }
            self.more.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_back_gets_what_it_missed_of_its_own_stream() {
        let memory = Memory::default();
        let (ring, other) = (memory.ring(), memory.ring());
        for text in ["a", "b", "c"] {
            ring.event(text.as_bytes());
        }
        other.event(b"not mine");
        ring.end();
        let (found, place) = memory.ring_of("0-0").unwrap();
        let (events, ended) = found.after(place).await;
        assert!(ended && events.iter().map(|(at, _)| *at).eq([1, 2]), "{events:?}");
        assert!(memory.ring_of("7-0").is_none() && memory.ring_of("x").is_none());
    }

    #[test]
    fn a_stream_keeps_no_more_than_its_room() {
        let ring = Ring::new(0);
        for _ in 0..EVENTS_MAX * 2 {
            ring.event(b"{}");
        }
        assert_eq!(ring.events().kept.len(), EVENTS_MAX);
        ring.event(&vec![b'x'; EVENT_BYTES_MAX]);
        assert_eq!(ring.events().kept.len(), 1);
    }

    #[test]
    fn sessions_that_nobody_is_in_make_room_for_new_ones() {
        let sessions = Sessions::default();
        let held = sessions.of(&"held".into());
        for n in 0..SESSIONS_MAX + 1_000 {
            drop(sessions.of(&n.to_string().into()));
        }
        assert!(sessions.0.lock().unwrap().by_name.len() <= SESSIONS_MAX);
        assert!(Arc::ptr_eq(&held, &sessions.of(&"held".into())), "one that is in use is kept");
    }

    #[tokio::test]
    async fn a_full_mailbox_loses_its_oldest_and_says_nothing_twice() {
        let mailbox = Mailbox::default();
        for n in 0..=NOTES_MAX {
            mailbox.put(Notification::new(n.to_string(), None));
            mailbox.put(Notification::new(n.to_string(), None));
        }
        assert_eq!(&*mailbox.take().await.method, "1");
        assert_eq!(&*mailbox.take().await.method, "2");
    }
}
