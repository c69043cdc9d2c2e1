//! What a server may say, said over a socket.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::{Origin, Payload, Timeouts};
use http::{Method, Request, StatusCode};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::{Pool, PoolLimits, SendError, Sent, tls_config};

/// A server, and a pool that calls it.
struct Stage {
    server: TcpListener,
    pool: Pool,
    origin: Origin,
}

impl Stage {
    async fn set() -> Self {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let pool = Pool::new(tls_config(None).unwrap(), PoolLimits::default());
        Self { server, pool, origin: Origin { tls: false, host: "127.0.0.1".into(), port } }
    }

    async fn accept(&self) -> TcpStream {
        self.server.accept().await.unwrap().0
    }

    async fn post(&self, body: Bytes) -> Result<Sent, SendError> {
        self.call(Method::POST, body).await
    }

    async fn call(&self, method: Method, body: Bytes) -> Result<Sent, SendError> {
        let mut request = Request::new(Payload::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = "/v1/chat?a=b".parse().unwrap();
        request.headers_mut().insert("host", "upstream".parse().unwrap());
        let timeouts = Timeouts { first_byte: Duration::from_secs(5), ..Timeouts::default() };
        self.pool.send(&self.origin, &timeouts, request).await
    }

    /// Lets the runtime hear what has happened to its sockets so far: what comes later is heard with it or after it.
    async fn turn(&self) {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut client = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
        server.accept().await.unwrap().0.write_all(b"!").await.unwrap();
        client.read_u8().await.unwrap();
    }

    /// One call, answered with these writes.
    async fn answered(&self, writes: &[&[u8]], close: bool) -> io::Result<(StatusCode, Bytes)> {
        let serve = async {
            let mut socket = self.accept().await;
            request_of(&mut socket).await;
            for bytes in writes {
                // A client that has had enough may be gone.
                if socket.write_all(bytes).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            (!close).then_some(socket)
        };
        let ask = async {
            match self.post(Bytes::from_static(b"{}")).await {
                Ok(sent) => whole(sent).await,
                Err(SendError::Broken(error) | SendError::Connect(error)) => Err(error),
                Err(SendError::FirstByteTimeout) => Err(io::ErrorKind::TimedOut.into()),
            }
        };
        let (answer, _open) = tokio::join!(ask, serve);
        answer
    }
}

async fn whole(mut sent: Sent) -> io::Result<(StatusCode, Bytes)> {
    let mut body = Vec::new();
    while let Some(chunk) = sent.body.chunk().await {
        body.extend_from_slice(&chunk?);
    }
    Ok((sent.head.status, body.into()))
}

/// Reads a request with a body of two bytes, as all of these are.
async fn request_of(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") {
        assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0, "the client left");
    }
    String::from_utf8(request).unwrap()
}

/// Every framing, with the body it holds.
const FRAMINGS: [(&str, &str, bool); 6] = [
    ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello", false),
    ("HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\ncontent-length: 5\r\n\r\nhello", "hello", false),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n003;a=b\r\nllo\r\n0\r\nx: y\r\n\r\n",
        "hello",
        false,
    ),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
        "",
        false,
    ),
    ("HTTP/1.1 200 OK\nserver: old\ncontent-length: 2\n\nhi", "hi", false),
    ("HTTP/1.0 200 OK\r\n\r\nhello", "hello", true),
];

#[tokio::test]
async fn every_framing_is_read_to_its_end_and_not_beyond() {
    for (said, body, closes) in FRAMINGS {
        let answer = Stage::set().await.answered(&[said.as_bytes()], closes).await.unwrap();
        assert_eq!(answer, (StatusCode::OK, Bytes::from_static(body.as_bytes())), "{said}");
    }
}

#[tokio::test]
async fn what_comes_byte_by_byte_is_read_as_what_comes_at_once() {
    for (said, body, closes) in FRAMINGS {
        let bytes: Vec<&[u8]> = said.as_bytes().chunks(1).collect();
        let answer = Stage::set().await.answered(&bytes, closes).await.unwrap();
        assert_eq!(answer.1, body, "{said}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_or_breaks_the_rules_is_no_answer() {
    for said in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello, more\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11111111111111111\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "SSH-2.0-server\r\n\r\n",
    ] {
        let answer = Stage::set().await.answered(&[said.as_bytes()], true).await;
        assert!(answer.is_err(), "{said}: {answer:?}");
    }
}

#[tokio::test]
async fn a_head_without_an_end_is_given_up() {
    let line = [b'a'; 4096];
    let mut writes: Vec<&[u8]> = vec![b"HTTP/1.1 200 OK\r\nx: "];
    writes.extend(std::iter::repeat_n(&line[..], 100));
    assert_eq!(Stage::set().await.answered(&writes, false).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_request_is_written_as_it_should_be() {
    let stage = Stage::set().await;
    let serve = async {
        let mut socket = stage.accept().await;
        let request = request_of(&mut socket).await;
        socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        (request, socket)
    };
    let (sent, (request, _socket)) = tokio::join!(stage.post(Bytes::from_static(b"{}")), serve);
    assert_eq!(request, "POST /v1/chat?a=b HTTP/1.1\r\nhost: upstream\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(whole(sent.unwrap()).await.unwrap().0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_whole_answer_and_after_nothing_else() {
    for (said, again) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", true),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", false),
    ] {
        let stage = Stage::set().await;
        let serve = async {
            let mut socket = stage.accept().await;
            request_of(&mut socket).await;
            socket.write_all(said.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            // Either the next request comes here, or the end.
            _ = socket.read_buf(&mut rest).await.unwrap();
            rest.is_empty()
        };
        let ask = async {
            whole(stage.post(Bytes::from_static(b"{}")).await.unwrap()).await.unwrap();
            drop(stage.post(Bytes::from_static(b"{}")).await);
        };
        // The second one is never answered: where it arrives is what is asked.
        let closed = tokio::select! {
            closed = serve => closed,
            () = ask => unreachable!("an answer that nobody gave"),
        };
        assert_eq!(!closed, again, "{said}");
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced_and_nobody_notices() {
    let stage = Stage::set().await;
    let serve = async {
        for _ in 0..2 {
            let mut socket = stage.accept().await;
            request_of(&mut socket).await;
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    };
    let ask = async {
        for _ in 0..2 {
            assert_eq!(whole(stage.post(Bytes::from_static(b"{}")).await.unwrap()).await.unwrap().1, "ok");
            stage.turn().await;
        }
    };
    tokio::join!(serve, ask);
}

#[tokio::test]
async fn a_refusal_is_heard_while_the_request_is_still_being_written() {
    let stage = Stage::set().await;
    let serve = async {
        let mut socket = stage.accept().await;
        socket.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig").await.unwrap();
        socket
    };
    // More than the kernel takes of somebody who does not read.
    let body = Bytes::from(vec![b' '; 64 << 20]);
    let (sent, _socket) = tokio::join!(stage.post(body), serve);
    assert_eq!(whole(sent.unwrap()).await.unwrap(), (StatusCode::PAYLOAD_TOO_LARGE, Bytes::from_static(b"big")));
}

#[tokio::test]
async fn a_long_request_arrives_whole() {
    let stage = Stage::set().await;
    let length = 3 << 20;
    let serve = async {
        let mut socket = stage.accept().await;
        let mut read = Vec::new();
        while !read.ends_with(b"\n") {
            assert_ne!(socket.read_buf(&mut read).await.unwrap(), 0);
        }
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        read
    };
    let mut body = vec![b' '; length];
    body[length - 1] = b'\n';
    let (sent, read) = tokio::join!(stage.post(body.into()), serve);
    assert_eq!(sent.unwrap().head.status, StatusCode::OK);
    let head = format!("content-length: {length}\r\n\r\n");
    let at = memchr::memmem::find(&read, head.as_bytes()).unwrap() + head.len();
    assert_eq!(read.len() - at, length);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn hostile_answers_end(said in proptest::collection::vec(any::<u8>(), 0..200), chunked: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let head: &[u8] = if chunked { b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" } else { b"" };
            let ended = tokio::time::timeout(Duration::from_secs(5), async {
                drop(Stage::set().await.answered(&[head, &said], true).await);
            });
            assert!(ended.await.is_ok());
        });
    }
}
