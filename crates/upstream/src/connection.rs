//! A connection to an upstream: hyper's, with its driver in a task of its own.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::body::Outgoing;
use crate::sips::{Sips, Thirst};
use crate::stream::Stream;

/// A connection as its pool holds it, or a call.
pub(crate) struct Connection {
    sender: SendRequest<Outgoing>,
    thirst: Thirst,
    alarm: Alarm,
}

/// Why there is no answer.
pub(crate) enum Unanswered {
    /// The connection was dead before the request was handed over: another one may be tried with it.
    NotSent(Box<Request<Outgoing>>),
    /// It broke afterwards.
    Broken(hyper::Error),
    /// No head in time.
    TooLate,
}

impl Connection {
    /// A connection on which nothing has been said. Its driver runs as a task of the current runtime and ends with it.
    pub(crate) async fn new(stream: Stream) -> io::Result<Self> {
        let thirst = Thirst::default();
        let io = TokioIo::new(Sips::new(stream, thirst.clone()));
        let (sender, driver) = http1::Builder::new().handshake(io).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            // How the connection ended reaches whoever awaits the response or its body; here it would only be told twice.
            drop(driver.await);
        });
        Ok(Self { sender, thirst, alarm: Alarm::default() })
    }

    /// Sends a request and waits for the head of its answer. A future that is dropped leaves the connection unusable.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Outgoing>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Unanswered> {
        let deadline = Instant::now() + limit;
        if !self.sender.is_ready() && self.sender.ready().await.is_err() {
            return Err(Unanswered::NotSent(Box::new(request)));
        }
        let Self { sender, alarm, .. } = self;
        let mut answer = pin!(sender.try_send_request(request));
        let answered = poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(answered) => Poll::Ready(Some(answered)),
            Poll::Pending => alarm.poll(deadline, context).map(|()| None),
        });
        match answered.await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(mut refused)) => Err(match refused.take_message() {
                Some(request) => Unanswered::NotSent(Box::new(request)),
                None => Unanswered::Broken(refused.into_error()),
            }),
            None => Err(Unanswered::TooLate),
        }
    }

    /// Makes it ready for who comes next; tells whether another request can follow.
    pub(crate) fn settle(&mut self) -> bool {
        self.thirst.whole(false);
        !self.sender.is_closed()
    }

    /// The answer is wanted whole, so that it may come in large pieces.
    pub(crate) fn wants_whole(&self) {
        self.thirst.whole(true);
    }
}
