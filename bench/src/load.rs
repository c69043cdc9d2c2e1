//! The load generator: request bytes rendered once, answers only skimmed. Closed loop (each connection sends when its
//! answer is in) or open loop (requests have a timetable, and latency counts from it, so that a stall of the gateway is
//! not hidden by a generator that politely waits).

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Error;
use crate::wire::{Chunks, Progress, body_start, content_length, is_chunked};

/// What to send and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to.
    pub address: SocketAddr,
    /// Whole requests, head and body; sent in turn.
    pub requests: Vec<Bytes>,
    /// Connections at once.
    pub connections: usize,
    /// Requests in all; `None`: until `duration` is over.
    pub total: Option<u64>,
    /// Longest time.
    pub duration: Option<Duration>,
    /// Requests per second of an open loop; `None`: closed loop.
    pub rate: Option<f64>,
    /// Leave one answer in this many unread, by closing the connection in its middle.
    pub leave_every: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Answers that came whole with status 200.
    pub answered: u64,
    /// Answers that came whole with another status.
    pub refused: u64,
    /// Answers that broke off or never came.
    pub broken: u64,
    /// Answers left unread on purpose.
    pub left: u64,
    /// Server-sent events in all answers.
    pub events: u64,
    /// Seconds from the first request to the last answer.
    pub seconds: f64,
    /// Microseconds to the whole answer, sorted.
    pub latencies_us: Vec<u32>,
    /// Microseconds to the first byte of the body, sorted.
    pub first_byte_us: Vec<u32>,
}

impl Report {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let requests = self.answered + self.refused + self.broken + self.left;
        json!({
            "requests": requests, "answered": self.answered, "refused": self.refused, "errors": self.broken,
            "left": self.left, "events": self.events, "seconds": self.seconds,
            "rps": self.answered as f64 / self.seconds.max(1e-9),
            "p50_us": quantile(&self.latencies_us, 0.50), "p99_us": quantile(&self.latencies_us, 0.99),
            "first_byte_p50_us": quantile(&self.first_byte_us, 0.50),
            "first_byte_p99_us": quantile(&self.first_byte_us, 0.99),
        })
    }
}

/// The value below which this share of sorted values lies.
#[must_use]
pub fn quantile(sorted: &[u32], share: f64) -> u32 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// A whole request.
#[must_use]
pub fn render(path: &str, key: &str, body: &[u8]) -> Bytes {
    render_with(path, key, "host: gateway\r\n", body)
}

/// A whole request with these lines in its head, `host` among them.
#[must_use]
pub fn render_with(path: &str, key: &str, lines: &str, body: &[u8]) -> Bytes {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\n{lines}authorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    Bytes::from(request)
}

struct Shared {
    plan: Plan,
    started: Instant,
    next: Cell<u64>,
    report: RefCell<Report>,
}

/// Runs a plan on the current thread.
///
/// # Errors
/// When the runtime cannot be made. A gateway that is not there shows as broken answers.
pub fn run(plan: Plan) -> Result<Report, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared =
        Rc::new(Shared { plan, started: Instant::now(), next: Cell::new(0), report: RefCell::new(Report::default()) });
    let workers = tokio::task::LocalSet::new();
    for _ in 0..shared.plan.connections {
        workers.spawn_local(work(Rc::clone(&shared)));
    }
    runtime.block_on(workers);
    let mut report = shared.report.take();
    report.seconds = shared.started.elapsed().as_secs_f64();
    report.latencies_us.sort_unstable();
    report.first_byte_us.sort_unstable();
    Ok(report)
}

enum Ended {
    Whole { status_ok: bool, first_byte: Instant, events: u64, keep: bool },
    Left,
    Broken,
}

async fn work(shared: Rc<Shared>) {
    let mut connection: Option<TcpStream> = None;
    let mut buffer = vec![0; 64 << 10];
    while let Some((number, due)) = shared.take_turn().await {
        let leave = shared.plan.leave_every.is_some_and(|every| number % every == every - 1);
        let request = &shared.plan.requests[number as usize % shared.plan.requests.len()];
        let ended = match connect(&mut connection, shared.plan.address).await {
            Some(stream) => exchange(stream, request, &mut buffer, leave).await.unwrap_or(Ended::Broken),
            None => Ended::Broken,
        };
        if !matches!(ended, Ended::Whole { keep: true, .. }) {
            connection = None;
        }
        shared.note(&ended, due);
    }
}

async fn connect(connection: &mut Option<TcpStream>, address: SocketAddr) -> Option<&mut TcpStream> {
    if connection.is_none() {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        *connection = Some(stream);
    }
    connection.as_mut()
}

async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8], leave: bool) -> Result<Ended, Error> {
    stream.write_all(request).await?;
    let mut filled = 0;
    let start = loop {
        let len = stream.read(&mut buffer[filled..]).await?;
        if len == 0 {
            return Ok(Ended::Broken);
        }
        filled += len;
        if let Some(start) = body_start(&buffer[..filled]) {
            break start;
        }
    };
    let first_byte = Instant::now();
    if leave {
        return Ok(Ended::Left);
    }
    let head = &buffer[..start];
    let status_ok = head.get(9..12) == Some(b"200");
    let keep = memchr::memmem::find(head, b"connection: close").is_none();
    let mut events = Events::default();
    events.count(&buffer[start..filled]);
    if let Some(length) = content_length(head) {
        let mut left = length.saturating_sub(filled - start);
        while left > 0 {
            let len = stream.read(buffer).await?;
            if len == 0 {
                return Ok(Ended::Broken);
            }
            left = left.saturating_sub(len);
        }
    } else if is_chunked(head) {
        let mut chunks = Chunks::default();
        let mut progress = chunks.advance(&buffer[start..filled]);
        while progress == Progress::Partial {
            let len = stream.read(buffer).await?;
            if len == 0 {
                return Ok(Ended::Broken);
            }
            events.count(&buffer[..len]);
            progress = chunks.advance(&buffer[..len]);
        }
        if progress == Progress::Broken {
            return Ok(Ended::Broken);
        }
    }
    Ok(Ended::Whole { status_ok, first_byte, events: events.seen, keep })
}

/// Counts blank lines, which end events, across cuts.
#[derive(Default)]
struct Events {
    seen: u64,
    after_line_end: bool,
}

impl Events {
    fn count(&mut self, bytes: &[u8]) {
        if self.after_line_end && bytes.first() == Some(&b'\n') {
            self.seen += 1;
        }
        self.seen += memchr::memmem::find_iter(bytes, b"\n\n").count() as u64;
        self.after_line_end = bytes.last() == Some(&b'\n');
    }
}

impl Shared {
    /// The next request's number and when it is due, or `None` when all is done.
    async fn take_turn(&self) -> Option<(u64, Instant)> {
        let number = self.next.get();
        let over = self.plan.duration.is_some_and(|duration| self.started.elapsed() >= duration);
        if over || self.plan.total.is_some_and(|total| number >= total) {
            return None;
        }
        self.next.set(number + 1);
        let Some(rate) = self.plan.rate else { return Some((number, Instant::now())) };
        let due = self.started + Duration::from_secs_f64(number as f64 / rate);
        // The runtime's timer is coarse (1 ms): sleep most of the way, then give way to others until it is time.
        let coarse = due.checked_sub(Duration::from_millis(2)).unwrap_or(due);
        if coarse > Instant::now() {
            tokio::time::sleep_until(coarse.into()).await;
        }
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        Some((number, due))
    }

    fn note(&self, ended: &Ended, due: Instant) {
        let mut report = self.report.borrow_mut();
        match ended {
            Ended::Whole { status_ok: true, first_byte, events, .. } => {
                report.answered += 1;
                report.events += events;
                report.latencies_us.push(micros(due.elapsed()));
                report.first_byte_us.push(micros(first_byte.saturating_duration_since(due)));
            }
            Ended::Whole { .. } => report.refused += 1,
            Ended::Left => report.left += 1,
            Ended::Broken => report.broken += 1,
        }
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
