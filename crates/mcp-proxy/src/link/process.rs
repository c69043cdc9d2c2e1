//! One child process as a channel of messages: a line each way is a message. Everything that waits on its pipes runs on the
//! control plane; links put lines into a queue and find their answers on the switchboard.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use gatehouse_domain::Code;
use gatehouse_mcp_gateway::wire::read_batch;
use gatehouse_mcp_gateway::{Message, Request};
use gatehouse_upstream::child::{Program, Running, Streams, Supervisor, start};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::ChildStdin;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::Failure;
use super::lines::{Line, Lines};
use super::switchboard::{Switchboard, Ticket};

/// Lines on their way to a child before whoever has more waits.
const QUEUE: usize = 64;
/// Lines of standard error that are kept, and how much of each.
const KEPT_LINES: usize = 100;
const KEPT_LINE_BYTES: usize = 400;
/// How long is waited for the status of a child that has closed its output.
const STATUS_WITHIN: Duration = Duration::from_millis(500);

/// A running child and who waits for what of it.
pub(super) struct Process {
    board: Switchboard,
    lines: mpsc::Sender<Bytes>,
    close: watch::Sender<bool>,
    /// True once nothing is left of it.
    gone: watch::Receiver<bool>,
}

/// What children of one server have said besides messages. Outlives each of them.
#[derive(Default)]
pub(super) struct Murmur {
    /// Lines of standard output that were no messages.
    pub(super) garbage: AtomicU64,
    stderr: Mutex<VecDeque<String>>,
}

/// What it takes to run a child of a server.
#[derive(Clone)]
pub(crate) struct Recipe {
    /// The server's name.
    pub(crate) server: Arc<str>,
    /// What to run.
    pub(crate) program: Program,
    /// Who sees to its end.
    pub(crate) supervisor: Option<Supervisor>,
    /// The longest message.
    pub(crate) message_bytes: usize,
    /// Do principals share it?
    pub(crate) shared: bool,
}

impl Process {
    /// Starts a child. To be called on the control plane, whose threads live as long as the gateway: the supervisor takes the end
    /// of the thread that started it for the gateway's.
    ///
    /// # Errors
    /// When there is no such program.
    pub(super) fn start(recipe: &Recipe, murmur: Arc<Murmur>) -> Result<Arc<Self>, Failure> {
        let (running, streams) = start(&recipe.program, recipe.supervisor.as_ref()).map_err(|error| {
            Failure::new(
                Code::UpstreamUnreachable,
                format!("the MCP server `{}` cannot be started: {}", recipe.server, reason(&error)),
            )
        })?;
        let (lines, outgoing) = mpsc::channel(QUEUE);
        let (close, closing) = watch::channel(false);
        let (left, gone) = watch::channel(false);
        let process = Arc::new(Self { board: Switchboard::new(recipe.shared), lines, close, gone });
        let pump = Pump { process: Arc::downgrade(&process), recipe: recipe.clone(), murmur };
        Handle::current().spawn(async move {
            pump.run(running, streams, outgoing, closing).await;
            left.send_replace(true);
        });
        Ok(process)
    }

    /// Expects what comes of a request.
    ///
    /// # Errors
    /// When the child has ended or too much is under way.
    pub(super) fn expect(&self, request: &Request) -> Result<Ticket, Failure> {
        self.board.expect(request)
    }

    /// Who waits for what.
    pub(super) fn board(&self) -> &Switchboard {
        &self.board
    }

    /// Sends a message; waits while the child does not read.
    ///
    /// # Errors
    /// When the child has ended.
    pub(super) async fn send(&self, message: &Message) -> Result<(), Failure> {
        self.lines.send(message.write_line()).await.map_err(|_| {
            let ended = "the MCP server's process has ended; the next call starts it again";
            Failure::new(Code::UpstreamBroken, ended)
        })
    }

    /// Sends a message if there is room for it: what is only good manners never waits.
    pub(super) fn send_if_room(&self, message: &Message) {
        drop(self.lines.try_send(message.write_line()));
    }

    /// Ends it in good order and waits until nothing is left.
    pub(super) async fn close(&self) {
        self.close.send_replace(true);
        let mut gone = self.gone.clone();
        // An error means that the pump is gone, and with it the child.
        drop(gone.wait_for(|gone| *gone).await);
    }
}

/// What runs beside a child as long as it lives.
struct Pump {
    process: std::sync::Weak<Process>,
    recipe: Recipe,
    murmur: Arc<Murmur>,
}

impl Pump {
    async fn run(
        self,
        mut running: Running,
        streams: Streams,
        outgoing: mpsc::Receiver<Bytes>,
        mut closing: watch::Receiver<bool>,
    ) {
        let Streams { stdin, stdout, stderr } = streams;
        tokio::spawn(murmurs(stderr, Arc::clone(&self.murmur)));
        let wanted = tokio::select! {
            () = write_lines(stdin, outgoing) => true,
            () = self.read_lines(stdout) => false,
            // Without anybody who holds the process, there is nobody left who could want it.
            _ = closing.wait_for(|close| *close) => true,
        };
        let status = match tokio::time::timeout(STATUS_WITHIN, running.wait()).await {
            Ok(Ok(status)) => format!(" ({status})"),
            _ => String::new(),
        };
        let why = if wanted { "was ended" } else { "ended by itself" };
        let message = format!(
            "the process of the MCP server `{}` {why}{status}; the next call starts it again",
            self.recipe.server
        );
        if let Some(process) = self.process.upgrade() {
            process.board.end(&Failure::new(Code::UpstreamBroken, message));
        }
        if let Err(error) = running.end().await {
            tracing::warn!(server = &*self.recipe.server, %error, "how a child process ended is not known");
        }
    }

    async fn read_lines(&self, mut stdout: impl AsyncRead + Unpin) {
        let mut lines = Lines::new(self.recipe.message_bytes);
        while let Ok(read) = stdout.read_buf(&mut lines.buffer).await {
            if read == 0 {
                return;
            }
            while let Some(line) = lines.next() {
                let Some(process) = self.process.upgrade() else { return };
                self.take(&process, line);
            }
        }
    }

    fn take(&self, process: &Process, line: Line) {
        let text = match line {
            Line::Whole(text) => text,
            Line::TooLong => {
                self.murmur.garbage.fetch_add(1, Ordering::Relaxed);
                let (server, at_most) = (&self.recipe.server, self.recipe.message_bytes);
                let message = format!("the MCP server `{server}` wrote a line of more than {at_most} bytes");
                return process.board.spoil(Failure::new(Code::UpstreamBroken, message));
            }
        };
        let Ok((messages, _)) = read_batch(text.clone()) else {
            self.murmur.garbage.fetch_add(1, Ordering::Relaxed);
            return self.murmur.keep("stdout: ", &text);
        };
        for message in messages {
            if let Some(answer) = process.board.deliver(message) {
                process.send_if_room(&answer.into());
            }
        }
    }
}

async fn write_lines(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Bytes>) {
    while let Some(line) = lines.recv().await {
        let mut line = line.chain(&b"\n"[..]);
        if stdin.write_all_buf(&mut line).await.is_err() {
            return;
        }
    }
}

/// Keeps the last lines of standard error.
async fn murmurs(mut stderr: impl AsyncRead + Unpin, murmur: Arc<Murmur>) {
    let mut lines = Lines::new(KEPT_LINE_BYTES * 4);
    while let Ok(read) = stderr.read_buf(&mut lines.buffer).await {
        if read == 0 {
            return;
        }
        while let Some(line) = lines.next() {
            match line {
                Line::Whole(text) => murmur.keep("", &text),
                Line::TooLong => murmur.keep("", b"(a line too long to keep)"),
            }
        }
    }
}

impl Murmur {
    /// The lines that are kept, oldest first.
    pub(super) fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn keep(&self, before: &str, line: &[u8]) {
        let text = String::from_utf8_lossy(&line[..line.len().min(KEPT_LINE_BYTES)]);
        // A line on a terminal or in a log must not be able to be more than that.
        let safe = text.chars().map(|char| if char.is_control() { ' ' } else { char });
        let mut kept = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(before.chars().chain(safe).collect());
    }
}

fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such program or folder",
        io::ErrorKind::PermissionDenied => "it may not be run",
        _ => "the system refuses",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_standard_error_is_bounded_and_safe_to_print() {
        let murmur = Murmur::default();
        for _ in 0..KEPT_LINES + 5 {
            murmur.keep("", b"\x1b[31mred\x07");
        }
        let kept = murmur.stderr();
        assert_eq!(kept.len(), KEPT_LINES);
        assert_eq!(kept[0], " [31mred ");
    }
}
