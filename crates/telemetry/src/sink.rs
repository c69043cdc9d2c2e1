//! A thread that writes log lines. A reader that has stopped reading blocks this thread and nobody else: the queue in
//! front of it is bounded, and what does not fit is dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use crate::dropped::Dropped;

/// Batches that may wait: a second of a consumer that hands one over every 20 ms.
const QUEUE: usize = 50;

/// Buffers that come back to be used again, and the largest one worth keeping.
const SPARES: usize = 2;
const SPARE_BYTES_MAX: usize = 1 << 20;

/// The consumer's end.
pub(crate) struct Sink {
    queue: SyncSender<Vec<u8>>,
    spares: Receiver<Vec<u8>>,
    thread: JoinHandle<()>,
    dropped: Arc<Dropped>,
}

impl Sink {
    /// Starts the thread that owns `out`.
    pub(crate) fn start(out: Box<dyn Write + Send>, dropped: Arc<Dropped>) -> io::Result<Self> {
        let (queue, batches) = sync_channel(QUEUE);
        let (done, spares) = sync_channel(SPARES);
        let counter = Arc::clone(&dropped);
        let thread = thread::Builder::new()
            .name("request-log".into())
            .spawn(move || write_all(out, &batches, &done, &counter))?;
        Ok(Self { queue, spares, thread, dropped })
    }

    /// An empty buffer, one that was written out before if there is one.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.spares.try_recv().unwrap_or_default()
    }

    /// Hands whole lines over, all in one write.
    pub(crate) fn write(&self, lines: Vec<u8>) {
        if let Err(TrySendError::Full(lines) | TrySendError::Disconnected(lines)) = self.queue.try_send(lines) {
            self.dropped.add_log_lines(count_lines(&lines));
        }
    }

    /// Waits until what was handed over is written. Blocks for as long as the reader does.
    pub(crate) fn close(self) {
        drop(self.queue);
        // An error would be a panic of the thread; there is no line left to tell it in.
        _ = self.thread.join();
    }
}

fn write_all(
    mut out: Box<dyn Write + Send>,
    batches: &Receiver<Vec<u8>>,
    done: &SyncSender<Vec<u8>>,
    dropped: &Dropped,
) {
    for mut lines in batches {
        if out.write_all(&lines).and_then(|()| out.flush()).is_err() {
            dropped.add_log_lines(count_lines(&lines));
        }
        lines.clear();
        if lines.capacity() <= SPARE_BYTES_MAX {
            // Full means that there are enough of them.
            drop(done.try_send(lines));
        }
    }
}

fn count_lines(lines: &[u8]) -> usize {
    lines.iter().filter(|byte| **byte == b'\n').count()
}
