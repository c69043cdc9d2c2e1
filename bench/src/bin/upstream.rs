//! `bench-upstream --port N`: a provider of six dialects that costs next to nothing. The end of the model's name says how
//! it behaves: `instant`, `paced` (2 ms between events), `holding` (a few events, then an open stream for `--hold`
//! seconds), `stalling` (never answers), `cutting` (breaks off after half), `failing` (503). `GET /served` tells how many
//! requests it took.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::server::serve;
use gatehouse_bench::wire::body_start;
use gatehouse_bench::{Error, canned};
use gatehouse_tests::Dialect;
use memchr::memmem;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Events of a `holding` stream before it is held.
const HELD_AFTER: usize = 3;
const PACE: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Instant,
    Paced,
    Holding,
    Stalling,
    Cutting,
    Failing,
}

type Streamed = Rc<(Bytes, Vec<Bytes>)>;

/// Everything it can say, rendered once.
struct Repertoire {
    unary: RefCell<HashMap<&'static str, Bytes>>,
    streams: RefCell<HashMap<&'static str, Streamed>>,
    served: Cell<u64>,
    hold: Duration,
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::of_process();
    let repertoire = Repertoire {
        unary: RefCell::default(),
        streams: RefCell::default(),
        served: Cell::new(0),
        hold: Duration::from_secs(arguments.or("hold", 10)?),
    };
    serve(arguments.or("port", 0)?, async move |stream: &mut TcpStream, request: &[u8]| {
        answer(stream, request, &repertoire).await
    })
}

async fn answer(stream: &mut TcpStream, request: &[u8], repertoire: &Repertoire) -> std::io::Result<()> {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if line.starts_with(b"GET /served") {
        let served = repertoire.served.get().to_string();
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{served}", served.len());
        return stream.write_all(response.as_bytes()).await;
    }
    repertoire.served.set(repertoire.served.get() + 1);
    let path = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let path = std::str::from_utf8(path).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let dialect = Dialect::of_path(path).unwrap_or(Dialect::OpenAiChat);
    let body = &request[body_start(request).unwrap_or(request.len())..];
    let manner = manner(path, body);
    match manner {
        Manner::Stalling => std::future::pending().await,
        Manner::Failing => stream.write_all(&canned::failure(dialect)).await,
        _ if !streamed(dialect, path, body) => {
            let unary = repertoire.unary(dialect);
            match manner {
                Manner::Cutting => cut(stream, &unary[..unary.len() / 2]).await,
                _ => stream.write_all(&unary).await,
            }
        }
        _ => send_stream(stream, &repertoire.stream(dialect), manner, repertoire.hold).await,
    }
}

async fn send_stream(
    stream: &mut TcpStream,
    (head, events): &(Bytes, Vec<Bytes>),
    manner: Manner,
    hold: Duration,
) -> std::io::Result<()> {
    match manner {
        Manner::Instant => {
            let mut burst = head.to_vec();
            events.iter().for_each(|event| burst.extend_from_slice(event));
            stream.write_all(&burst).await
        }
        Manner::Cutting => cut(stream, &[&head[..], &events[..events.len() / 2].concat()].concat()).await,
        _ => {
            stream.write_all(head).await?;
            for (at, event) in events.iter().enumerate() {
                stream.write_all(event).await?;
                match manner {
                    Manner::Paced => tokio::time::sleep(PACE).await,
                    Manner::Holding if at == HELD_AFTER => tokio::time::sleep(hold).await,
                    _ => {}
                }
            }
            Ok(())
        }
    }
}

async fn cut(stream: &mut TcpStream, part: &[u8]) -> std::io::Result<()> {
    stream.write_all(part).await?;
    Err(std::io::ErrorKind::ConnectionAborted.into())
}

impl Repertoire {
    fn unary(&self, dialect: Dialect) -> Bytes {
        let mut known = self.unary.borrow_mut();
        known.entry(dialect.name()).or_insert_with(|| canned::unary(dialect, "bench-model")).clone()
    }

    fn stream(&self, dialect: Dialect) -> Streamed {
        let mut known = self.streams.borrow_mut();
        Rc::clone(known.entry(dialect.name()).or_insert_with(|| Rc::new(canned::stream(dialect, "bench-model"))))
    }
}

fn streamed(dialect: Dialect, path: &str, body: &[u8]) -> bool {
    match dialect {
        Dialect::Gemini => path.ends_with(":streamGenerateContent"),
        Dialect::Bedrock => path.ends_with("/converse-stream"),
        // The gateway forwards bytes and writes compact JSON: no other spelling reaches this place.
        _ => memmem::find(body, b"\"stream\":true").is_some(),
    }
}

/// By the model's name, which stands in the path or in the body.
fn manner(path: &str, body: &[u8]) -> Manner {
    let manners = [
        ("bench-paced", Manner::Paced),
        ("bench-holding", Manner::Holding),
        ("bench-stalling", Manner::Stalling),
        ("bench-cutting", Manner::Cutting),
        ("bench-failing", Manner::Failing),
    ];
    // Only the first and last bytes of a big body can hold the name: the generator writes it there.
    let start = &body[..body.len().min(256)];
    let end = &body[body.len().saturating_sub(256)..];
    let named = |name: &str| {
        path.contains(name)
            || memmem::find(start, name.as_bytes()).is_some()
            || memmem::find(end, name.as_bytes()).is_some()
    };
    if path.contains("bench-instant") || memmem::find(start, b"bench-instant").is_some() {
        return Manner::Instant;
    }
    manners.into_iter().find(|(name, _)| named(name)).map_or(Manner::Instant, |(_, manner)| manner)
}
