//! A request on its way out: its head and its body, in one write if the socket takes them.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use gatehouse_domain::Payload;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Request};
use tokio::io::AsyncWrite;

use super::Stream;

/// A body up to this length is copied behind its head: that costs less than to hand over two pieces.
const JOINED_BYTES_MAX: usize = 8192;
/// What a head takes besides names, values and path: enough for most to be written without growing.
const HEAD_BYTES_USUAL: usize = 512;
/// The head and the pieces of a [`Payload`].
const PIECES: usize = 4;

/// What is still to be written. Written pieces are gone.
pub(super) struct Outgoing {
    pieces: [Bytes; PIECES],
    begun: bool,
    over: Option<Over>,
}

/// How the writing came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Whole,
    Failed,
}

impl Outgoing {
    pub(super) fn of(request: &Request<Payload>) -> Self {
        let body = request.body();
        let joined = body.len() <= JOINED_BYTES_MAX;
        let mut first = Vec::with_capacity(HEAD_BYTES_USUAL + if joined { body.len() } else { 0 });
        write_head(request, &mut first);
        let mut pieces = <[Bytes; PIECES]>::default();
        let mut rest = body.clone();
        if joined {
            while let Some(piece) = rest.next_piece() {
                first.extend_from_slice(&piece);
            }
        }
        pieces[0] = first.into();
        for place in &mut pieces[1..] {
            *place = rest.next_piece().unwrap_or_default();
        }
        Self { pieces, begun: false, over: None }
    }

    /// Has any of it left?
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Has all of it left?
    pub(super) fn is_over(&self) -> bool {
        self.over == Some(Over::Whole)
    }

    /// Writes on, to the end. Asked again after it, nothing happens.
    pub(super) fn poll_write(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.over.is_some() {
            return Poll::Ready(Ok(()));
        }
        let written = ready!(self.poll_pieces(stream, context));
        self.over = Some(if written.is_ok() { Over::Whole } else { Over::Failed });
        // What has left need not be held while its answer is waited for.
        self.pieces = Default::default();
        Poll::Ready(written)
    }

    fn poll_pieces(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let left = self.pieces.iter().filter(|piece| !piece.is_empty());
            let count = slices.iter_mut().zip(left).map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
            let written = match &slices[..count] {
                [] => return Pin::new(stream).poll_flush(context),
                [piece] => ready!(Pin::new(&mut *stream).poll_write(context, piece))?,
                pieces => ready!(Pin::new(&mut *stream).poll_write_vectored(context, pieces))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.begun = true;
            self.advance(written);
        }
    }

    fn advance(&mut self, mut written: usize) {
        for piece in &mut self.pieces {
            let gone = written.min(piece.len());
            piece.advance(gone);
            written -= gone;
        }
    }
}

/// RFC 9112 §3. Length and connection are this file's to say, whatever the headers hold.
fn write_head(request: &Request<Payload>, out: &mut Vec<u8>) {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    for part in [request.method().as_str(), " ", path, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers() {
        if *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING || *name == CONNECTION {
            continue;
        }
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    let length = request.body().len();
    // A method that is expected to bring something says that it brings nothing (RFC 9110 §8.6).
    if length > 0 || matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        // Writing to a vector does not fail.
        _ = write!(out, "content-length: {length}\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
