//! The accept loop: connection caps, TLS, HTTP/1.1 and HTTP/2 with their timers and caps, drain.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use gatehouse_cork::{Corked, Departure};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::io::{HTTP2_PREFACE, Watched};
use crate::lookout::{Calls, Lookout, Patience};
use crate::service::{Front, Peer};
use crate::tls::TlsReload;

/// Most bytes hyper reads at once, and with that the largest head of HTTP/1.1: large enough for a request of 64 KB to come in
/// one read with its head, whose body need not be put together then.
const READ_BYTES_MAX: usize = 128 << 10;

/// Caps and timers of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Connections open at once on this core's listener.
    pub connections_max: usize,
    /// Most time for a request head.
    pub header_timeout: Duration,
    /// Most time without a request.
    pub idle_timeout: Duration,
    /// Most time for a TLS handshake.
    pub handshake_timeout: Duration,
    /// Most time a write may stall.
    pub write_timeout: Duration,
    /// Largest request head of HTTP/2.
    pub head_bytes_max: usize,
    /// HTTP/2 streams at once on one connection.
    pub streams_max: u32,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            handshake_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(60),
            head_bytes_max: 64 << 10,
            streams_max: 100,
        }
    }
}

/// A socket that shares its address with the other cores' (`SO_REUSEPORT`): the kernel spreads connections.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Inherited by accepted sockets: without it a streamed event can wait 40 ms for a delayed acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// Accepts until `stop` turns true, then lets running calls finish. Returns when the last connection has closed.
pub(crate) async fn accept(
    listener: TcpListener,
    front: Arc<Front>,
    caps: Caps,
    tls: TlsReload,
    mut stop: watch::Receiver<bool>,
) {
    let lookout = Arc::new(Lookout::default());
    let patience = Patience { head: caps.header_timeout, idle: caps.idle_timeout };
    let mut looks = tokio::time::interval(patience.look_every());
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (all_closed, mut closing) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = looks.tick() => {
                lookout.look(patience);
                continue;
            }
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors, most likely: let some calls finish before the next try.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if lookout.open() >= caps.connections_max {
            continue;
        }
        let calls = Calls::default();
        let place = lookout.enter(calls.clone());
        let number = place.number();
        let (front, tls, alive) = (Arc::clone(&front), tls.clone(), all_closed.clone());
        let task = tokio::spawn(async move {
            connection(stream, Peer(peer.ip()), front, calls, caps, tls).await;
            drop((place, alive));
        });
        lookout.driven_by(number, task.abort_handle());
    }
    drop(listener);
    drop(all_closed);
    lookout.finish();
    loop {
        tokio::select! {
            _ = closing.recv() => return,
            _ = looks.tick() => lookout.look(patience),
        }
    }
}

async fn connection(stream: TcpStream, peer: Peer, front: Arc<Front>, calls: Calls, caps: Caps, tls: TlsReload) {
    let mut stream = Corked::new(stream);
    // Boxed is what few connections need, so that the others have no room for it: kilobytes each.
    if let Some(config) = tls.current() {
        let stream = Watched::new(stream, caps.write_timeout, calls.clone());
        return Box::pin(serve_tls(config, stream, peer, front, calls, caps)).await;
    }
    let Some(Ok(may_be_http2)) = calls.unless_finished(may_be_http2(&mut stream)).await else { return };
    let departure = stream.departure();
    let stream = Watched::new(stream, caps.write_timeout, calls.clone());
    if may_be_http2 {
        Box::pin(serve(Either::Left(stream), peer, front, calls, caps)).await;
    } else {
        serve_http1(stream, departure, peer, front, calls).await;
    }
}

/// Does a connection begin as one of HTTP/2 does? hyper finds out by itself as well, but by taking the first bytes off: what
/// comes behind them then no longer fits into its first buffer, and one of twice the size stays with the connection.
async fn may_be_http2(stream: &mut Corked) -> io::Result<bool> {
    let mut begin = [0; HTTP2_PREFACE.len()];
    let begin = stream.peek(&mut begin).await.map(|peeked| &begin[..peeked])?;
    Ok(!begin.is_empty() && HTTP2_PREFACE.starts_with(begin))
}

async fn serve_tls(
    config: Arc<ServerConfig>,
    stream: Watched<Corked>,
    peer: Peer,
    front: Arc<Front>,
    calls: Calls,
    caps: Caps,
) {
    let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
    if let Ok(Ok(stream)) = tokio::time::timeout(caps.handshake_timeout, handshake).await {
        calls.nothing_yet();
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            calls.speaks_http2();
        }
        serve(Either::Right(stream), peer, front, calls, caps).await;
    }
}

/// A connection without TLS, or with it.
type MayBeTls = Either<Watched<Corked>, TlsStream<Watched<Corked>>>;

async fn serve(stream: MayBeTls, peer: Peer, front: Arc<Front>, calls: Calls, caps: Caps) {
    let builder = http(&caps);
    let begun = calls.clone();
    let service = service_fn(move |request| Front::call(&front, begun.begin(), peer, request));
    let connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // How a connection ended is its calls' business, and they have noted it.
    drop(calls.drive(connection, |connection| connection.graceful_shutdown()).await);
}

/// The same for a connection that is known to speak HTTP/1.1.
///
/// hyper looks for a client that leaves during a call by reading on. As the request still holds the buffer it was read into, that
/// takes another one for each call, and the first stays half used among its like. So hyper is told to let clients close their side,
/// and whether they have is found out beside it.
async fn serve_http1(stream: Watched<Corked>, departure: Departure, peer: Peer, front: Arc<Front>, calls: Calls) {
    let begun = calls.clone();
    let service = service_fn(move |request| Front::call(&front, begun.begin(), peer, request));
    let connection = http1::Builder::new()
        .max_buf_size(READ_BYTES_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let connection = pin!(connection);
    let mut driven = pin!(calls.drive(connection, |connection| connection.graceful_shutdown()));
    poll_fn(|context| match driven.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending if calls.are_open() => departure.poll(context),
        Poll::Pending => Poll::Pending,
    })
    .await;
}

// Of HTTP/1.1, above and below:
// No timer: the lookout watches heads and idle connections.
// At most 100 headers is hyper's default; to say it would have it make room for them on the heap for each request.
// No flushing of pipelines: with it, hyper copies every body behind its head, into a buffer that stays with the connection.

fn http(caps: &Caps) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(READ_BYTES_MAX).half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(caps.streams_max)
        .max_header_list_size(u32::try_from(caps.head_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(1024)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(4 << 20)
        .max_send_buf_size(64 << 10)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}
