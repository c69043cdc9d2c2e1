//! The accept loop: connection caps, TLS, HTTP/1.1 and HTTP/2 with their timers and caps, drain.

use std::io;
use std::net::SocketAddr;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::io::{Calls, Patience, Watched};
use crate::service::{Front, Peer};
use crate::tls::TlsReload;

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
    /// Largest request head.
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
    let open = Arc::new(AtomicUsize::new(0));
    let (all_closed, mut closing) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors, most likely: let some calls finish before the next try.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if open.load(Ordering::Relaxed) >= caps.connections_max {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (front, tls, stop, open, alive) =
            (Arc::clone(&front), tls.clone(), stop.clone(), Arc::clone(&open), all_closed.clone());
        tokio::spawn(async move {
            connection(stream, Peer(peer.ip()), front, caps, tls, stop).await;
            open.fetch_sub(1, Ordering::Relaxed);
            drop(alive);
        });
    }
    drop(listener);
    drop(all_closed);
    closing.recv().await;
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    front: Arc<Front>,
    caps: Caps,
    tls: TlsReload,
    stop: watch::Receiver<bool>,
) {
    let calls = Calls::default();
    let patience = Patience { head: caps.header_timeout, write: caps.write_timeout };
    let stream = Watched::new(stream, patience, calls.clone());
    match tls.current() {
        None => serve(stream, peer, front, calls, caps, stop).await,
        Some(config) => {
            let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
            if let Ok(Ok(stream)) = tokio::time::timeout(caps.handshake_timeout, handshake).await {
                serve(stream, peer, front, calls, caps, stop).await;
            }
        }
    }
}

async fn serve<T>(stream: T, peer: Peer, front: Arc<Front>, calls: Calls, caps: Caps, mut stop: watch::Receiver<bool>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = http(&caps);
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        Front::call(Arc::clone(&front), calls.begin(), request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return drop(ended),
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(connection.await);
}
fn http(caps: &Caps) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(caps.idle_timeout)
        .max_headers(100)
        .max_buf_size(caps.head_bytes_max)
        .half_close(false)
        .pipeline_flush(true);
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
