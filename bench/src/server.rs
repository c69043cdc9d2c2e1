//! The scripted servers' side of the wire: connections on one thread, requests cut out of what comes in, each given to whoever
//! answers. What a request says is skimmed by its answerer, since a server that costs next to nothing reads next to nothing.

use std::rc::Rc;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::Error;
use crate::wire::{Progress, message_end};

/// Serves a loopback port until the process ends. `answer` is given each whole request, head and body, and writes what is to be
/// said; an error ends the connection.
///
/// # Errors
/// When the port cannot be had.
pub fn serve(
    port: u16,
    answer: impl AsyncFn(&mut TcpStream, &[u8]) -> std::io::Result<()> + 'static,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = Rc::new(answer);
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = Rc::clone(&answer);
            tokio::task::spawn_local(async move { connection(stream, &*answer).await });
        }
    })
}

/// One connection. A peer that goes away ends it; that is no error.
async fn connection(mut stream: TcpStream, answer: &impl AsyncFn(&mut TcpStream, &[u8]) -> std::io::Result<()>) {
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        match message_end(&buffer) {
            Progress::Whole(end) => {
                if answer(&mut stream, &buffer[..end]).await.is_err() {
                    return;
                }
                buffer.drain(..end);
            }
            Progress::Partial => match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            Progress::Broken => return,
        }
    }
}
