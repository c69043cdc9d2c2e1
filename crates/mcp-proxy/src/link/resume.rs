//! A stream of the older era that outlives its connection: when that ends before the stream does, another one is opened after the
//! last event that came (2025-11-25, transports, resumability).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_mcp_gateway::Message;
use gatehouse_mcp_gateway::wire::read_batch;
use gatehouse_upstream::Pool;
use tokio::time::{Instant, sleep_until};

use super::Failure;
use super::answer::{self, Events, Stopped};
use super::http_legacy::{self, Session};

/// How often in a row a stream is taken up again that gives nothing.
const ATTEMPTS: u32 = 6;
/// How long is waited before that, where the server does not say.
const WAIT: Duration = Duration::from_secs(1);
/// The shortest and the longest wait a server can ask for.
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// A connection that held so long counts as good even if nothing came.
const HELD_WELL: Duration = Duration::from_secs(20);

/// A stream, whatever connection it is on.
pub(super) struct Resumable {
    events: Option<Events>,
    ready: VecDeque<Message>,
    last_id: Option<Arc<str>>,
    retry: Option<Duration>,
    attempts: u32,
    since: Instant,
    wake_at: Option<Instant>,
    /// Is it the stream for what the server says unasked? That one is opened again without an id, too.
    unasked: bool,
}

impl Resumable {
    /// The answer to a request.
    pub(super) fn answer(events: Events) -> Self {
        Self::new(events, false)
    }

    /// The stream for what the server says unasked.
    pub(super) fn unasked(events: Events) -> Self {
        Self::new(events, true)
    }

    fn new(events: Events, unasked: bool) -> Self {
        Self {
            events: Some(events),
            ready: VecDeque::new(),
            last_id: None,
            retry: None,
            attempts: 0,
            since: Instant::now(),
            wake_at: None,
            unasked,
        }
    }

    /// The next message; `None` at the end of the stream, or when it cannot be taken up again. A future that is dropped has lost
    /// nothing.
    ///
    /// # Errors
    /// What cannot be read, and a session that is lost.
    pub(super) async fn next(&mut self, session: &Arc<Session>, pool: &Pool) -> Result<Option<Message>, Failure> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            let Some(events) = &mut self.events else {
                if !self.reconnect(session, pool).await? {
                    return Ok(None);
                }
                continue;
            };
            match events.next().await {
                Some(Ok(event)) => {
                    self.attempts = 0;
                    if answer::is_message(&event) {
                        let unread =
                            |why| session.endpoint.broken(&format!("sent an event that cannot be read: {why}"));
                        let (messages, _) = read_batch(event.data).map_err(|error| unread(error.why))?;
                        self.ready.extend(messages);
                    }
                }
                Some(Err(Stopped::TooLong)) => {
                    return Err(session.endpoint.broken("sent an event longer than a message may be"));
                }
                None | Some(Err(Stopped::Cut)) => self.disconnected(),
            }
        }
    }

    /// Nothing more is wanted of it.
    pub(super) fn finish(&mut self) {
        if let Some(events) = self.events.take() {
            events.finish();
        }
    }

    fn disconnected(&mut self) {
        let Some(events) = self.events.take() else { return };
        self.last_id = events.last_id().cloned().or(self.last_id.take());
        self.retry = events.retry().or(self.retry);
        if self.since.elapsed() >= HELD_WELL {
            self.attempts = 0;
        }
        self.wake_at = Some(Instant::now() + self.wait());
    }

    /// As long as the server said, twice as long after each attempt that gave nothing.
    fn wait(&self) -> Duration {
        let wait = self.retry.unwrap_or(WAIT).saturating_mul(1 << self.attempts.saturating_sub(1).min(5));
        wait.clamp(WAIT_MIN, WAIT_MAX)
    }

    /// Opens another connection when it is time. `false`: there will be none.
    async fn reconnect(&mut self, session: &Arc<Session>, pool: &Pool) -> Result<bool, Failure> {
        if self.attempts >= ATTEMPTS || (self.last_id.is_none() && !self.unasked) {
            return Ok(false);
        }
        if let Some(at) = self.wake_at {
            sleep_until(at).await;
        }
        let opened = session.listen(pool, self.last_id.as_deref()).await;
        self.attempts += 1;
        self.wake_at = Some(Instant::now() + self.wait());
        match opened {
            Ok(Some(events)) => {
                self.events = Some(events);
                self.since = Instant::now();
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(super::http::Missed::SessionLost) => Err(http_legacy::lost(&session.endpoint)),
            // The server may be on its way up again.
            Err(_) => Ok(true),
        }
    }
}
