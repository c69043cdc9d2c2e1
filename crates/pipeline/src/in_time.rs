//! A time limit that costs nothing where there is nothing to wait for.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// [`timeout`], whose timer is only made if the future is not ready at once: a body has mostly come with its head.
pub(crate) async fn in_time<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        return Ok(output);
    }
    timeout(limit, future).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_ready_is_taken_and_what_is_not_is_waited_for() {
        assert_eq!(in_time(Duration::ZERO, async { 1 }).await.ok(), Some(1));
        assert_eq!(in_time(Duration::from_secs(60), tokio::task::yield_now()).await.ok(), Some(()));
        assert!(in_time(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
    }
}
