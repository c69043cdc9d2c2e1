//! A time limit of a connection, for exchange after exchange.
//!
//! Limits are hardly ever reached, and to set a timer and to clear it with every request would cost more than to write the
//! request. So the timer stays where it was set first; when it rings too early, it is set to the limit that holds by then.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Rings at deadlines, each later than the one before as a rule.
#[derive(Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once the deadline is over.
    pub(crate) fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_each_deadline_and_not_before_whatever_the_last_one_was() {
        let mut alarm = Alarm::default();
        for seconds in [10, 300, 2] {
            let deadline = Instant::now() + Duration::from_secs(seconds);
            poll_fn(|context| alarm.poll(deadline, context)).await;
            assert_eq!(Instant::now().duration_since(deadline).as_secs(), 0, "after {seconds} seconds");
            // Set for later than the next one.
            let later = deadline + Duration::from_secs(60);
            assert!(poll_fn(|context| Poll::Ready(alarm.poll(later, context))).await.is_pending());
        }
    }
}
