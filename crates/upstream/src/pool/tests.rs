//! The pool against a server on loopback that says exactly what a test wants, and when.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::connect::tls_config;

/// The gateway's side: a pool, and where its server listens.
struct Asking {
    pool: Pool,
    origin: Origin,
}

impl Asking {
    async fn new() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pool = Pool::new(tls_config(None).unwrap(), PoolLimits::default());
        (Self { pool, origin: Origin { tls: false, host: "127.0.0.1".into(), port } }, listener)
    }

    async fn ask(&self) -> Result<Sent, SendError> {
        let request = Request::post("/")
            .header("host", "upstream")
            .body(Payload::from(bytes::Bytes::from_static(b"question")))
            .unwrap();
        self.pool.send(&self.origin, &Timeouts::default(), request).await
    }

    /// What is answered, read to its end.
    async fn answer(&self) -> String {
        let mut body = self.ask().await.unwrap_or_else(|_| panic!("no answer")).body;
        let mut text = Vec::new();
        while let Some(chunk) = body.chunk().await {
            text.extend_from_slice(&chunk.unwrap());
        }
        String::from_utf8(text).unwrap()
    }
}

/// Reads one request, body and all.
async fn hear(stream: &mut TcpStream) {
    let mut heard = Vec::new();
    while !heard.ends_with(b"question") {
        assert_ne!(stream.read_buf(&mut heard).await.unwrap(), 0, "left in the middle of a request");
    }
}

const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

#[tokio::test]
async fn answers_in_any_pieces_are_read_whole_on_one_connection() {
    let (asking, listener) = Asking::new().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n4\r\n two\r\n0\r\n\r\n";
        for answer in [chunked.as_slice(), WHOLE] {
            hear(&mut stream).await;
            for byte in answer.chunks(1) {
                stream.write_all(byte).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    assert_eq!(asking.answer().await, "one two");
    assert_eq!(asking.answer().await, "hi");
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_closed_while_nobody_used_it_is_replaced() {
    let (asking, listener) = Asking::new().await;
    let (closed, is_closed) = tokio::sync::oneshot::channel();
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        hear(&mut first).await;
        first.write_all(WHOLE).await.unwrap();
        drop(first);
        closed.send(()).unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        hear(&mut second).await;
        second.write_all(WHOLE).await.unwrap();
    });
    assert_eq!(asking.answer().await, "hi");
    is_closed.await.unwrap();
    assert_eq!(asking.answer().await, "hi");
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_told_and_not_tried_again() {
    let (asking, listener) = Asking::new().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        hear(&mut stream).await;
    });
    assert!(matches!(asking.ask().await, Err(SendError::Broken(_))));
    server.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    let (asking, listener) = Asking::new().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        hear(&mut stream).await;
        stream.write_all(&WHOLE[..WHOLE.len() - 1]).await.unwrap();
    });
    let mut body = asking.ask().await.unwrap_or_else(|_| panic!("no answer")).body;
    assert_eq!(body.chunk().await.unwrap().unwrap(), "h");
    assert!(body.chunk().await.unwrap().is_err());
    server.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_left_closes_its_connection() {
    let (asking, listener) = Asking::new().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        hear(&mut stream).await;
        stream.write_all(&WHOLE[..WHOLE.len() - 1]).await.unwrap();
        stream.read(&mut [0]).await.map_or(0, |read| read)
    });
    drop(asking.ask().await.unwrap_or_else(|_| panic!("no answer")));
    assert_eq!(server.await.unwrap(), 0);
}
