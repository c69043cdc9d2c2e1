//! `bench-floor --port N --upstream ADDRESS`: the least a relay can cost. A hyper server and its own pool of hyper client
//! connections on one current-thread runtime; nothing is read, method, path and headers pass, bodies pass frame by frame.
//! Every figure of the benchmark is a multiple of this one.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

type Sender = SendRequest<Incoming>;

struct Pool {
    upstream: SocketAddr,
    idle: RefCell<Vec<Sender>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let arguments = Arguments::of_process();
    let listener = TcpListener::bind(("127.0.0.1", arguments.or("port", 0)?)).await?;
    let upstream = arguments.get("upstream")?.ok_or("--upstream ADDRESS is missing")?;
    let pool = Rc::new(Pool { upstream, idle: RefCell::default() });
    tokio::task::LocalSet::new()
        .run_until(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let pool = Rc::clone(&pool);
                let service = service_fn(move |request| relay(request, Rc::clone(&pool)));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::task::spawn_local(connection);
            }
        })
        .await
}

async fn relay(mut request: Request<Incoming>, pool: Rc<Pool>) -> Result<Response<Returning>, Error> {
    let mut sender = pool.take().await?;
    request.headers_mut().remove(HOST);
    let response = sender.send_request(request).await?;
    Ok(response.map(|body| Returning { body, sender: Some(sender), pool }))
}

impl Pool {
    async fn take(&self) -> Result<Sender, Error> {
        loop {
            let idle = self.idle.borrow_mut().pop();
            let Some(mut sender) = idle else { return self.connect().await };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }
}

/// An answer's body that gives its connection back when it is done.
struct Returning {
    body: Incoming,
    sender: Option<Sender>,
    pool: Rc<Pool>,
}

impl Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.give_back();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Returning {
    fn give_back(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.pool.idle.borrow_mut().push(sender);
        }
    }
}
