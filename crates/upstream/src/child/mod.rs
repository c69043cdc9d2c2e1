//! Child processes that speak over their standard streams, and the certainty that they end.
//!
//! A child runs under a supervisor: our own binary again, a process that holds no pipe, starts the program in its own group and
//! outlives it by a moment. Whoever dies first, the group goes: a gateway that ends in good order closes the child's input and
//! signals the group ([`Running::end`]); one that is killed is missed by the supervisor ([`supervise`]), which does the same.
//! Wrappers like `npx` and `uvx` hide the real server behind themselves; that is why it is always a group that is signalled,
//! and why orphans of the group come back to the supervisor.

mod streams;
mod supervise;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::Secret;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

pub use streams::own_streams;
pub use supervise::supervise;

/// How long a child may take to leave once its input is closed.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// How long it may take once it was asked to by a signal.
const TERMINATES_WITHIN: Duration = Duration::from_secs(3);
/// What a child inherits of the gateway's environment, besides what it is given.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// How a supervisor learns who started it, should that process be gone before it looks. Not for the program.
const STARTED_BY: &str = "GATEHOUSE_STARTED_BY";

/// What to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// Program and arguments. No shell reads them.
    pub command: Vec<Arc<str>>,
    /// The environment, besides `PATH`, `HOME`, `LANG` and `TMPDIR`.
    pub env: Vec<(Arc<str>, Secret)>,
    /// Where it starts; where the gateway runs, if nothing is said.
    pub cwd: Option<Arc<str>>,
}

/// The command that becomes a supervisor: it is given the program's command behind its own arguments, and calls [`supervise`].
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// The binary.
    pub program: PathBuf,
    /// Its arguments before the program's command.
    pub arguments: Vec<OsString>,
}

impl Supervisor {
    /// The running binary, called with `arguments`.
    ///
    /// # Errors
    /// When the system cannot say what is running.
    pub fn this_binary(arguments: impl IntoIterator<Item = OsString>) -> io::Result<Self> {
        // The link of the kernel leads to the binary that runs even when another one has taken its place on disk.
        let program =
            if cfg!(target_os = "linux") { PathBuf::from("/proc/self/exe") } else { std::env::current_exe()? };
        Ok(Self { program, arguments: arguments.into_iter().collect() })
    }
}

/// The three streams of a child.
pub struct Streams {
    /// What it reads. Dropping it tells the child to leave.
    pub stdin: ChildStdin,
    /// What it writes.
    pub stdout: ChildStdout,
    /// What it says besides.
    pub stderr: ChildStderr,
}

/// A child that runs. Dropping it kills its group at once; [`Running::end`] is the polite way.
pub struct Running {
    child: Child,
    group: Option<Pid>,
}

/// Starts a program. To be called where the runtime's threads live as long as the gateway does.
///
/// # Errors
/// When there is no such program, or no such folder, or no process to be had. With a supervisor a missing program shows as one
/// that ends at once with status 127.
pub fn start(program: &Program, supervisor: Option<&Supervisor>) -> io::Result<(Running, Streams)> {
    let Some((name, arguments)) = program.command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"));
    };
    let mut command = match supervisor {
        Some(supervisor) => {
            let mut command = Command::new(&supervisor.program);
            command.env_clear().args(&supervisor.arguments).arg(&**name);
            command.env(STARTED_BY, std::process::id().to_string());
            command
        }
        None => {
            let mut command = Command::new(&**name);
            command.env_clear();
            command
        }
    };
    command.args(arguments.iter().map(|argument| &**argument));
    command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(program.env.iter().map(|(name, value)| (&**name, value.reveal())));
    if let Some(cwd) = &program.cwd {
        command.current_dir(&**cwd);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn()?;
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let streams = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
        (Some(stdin), Some(stdout), Some(stderr)) => Streams { stdin, stdout, stderr },
        _ => return Err(io::Error::other("the child has no pipes")),
    };
    Ok((Running { child, group }, streams))
}

impl Running {
    /// The id of its process, which is that of its group; `None` once it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the system cannot say how it ended.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it: waits for it to leave, now that its input is closed, then asks the group to terminate, then kills it.
    ///
    /// # Errors
    /// When the system cannot say how it ended.
    pub async fn end(mut self) -> io::Result<ExitStatus> {
        if let Ok(status) = timeout(LEAVES_WITHIN, self.child.wait()).await {
            return status;
        }
        self.signal(Signal::TERM);
        if let Ok(status) = timeout(TERMINATES_WITHIN, self.child.wait()).await {
            return status;
        }
        self.signal(Signal::KILL);
        self.child.wait().await
    }

    /// Signals the group, as long as its first process was not waited for: until then its number belongs to nobody else.
    fn signal(&self, signal: Signal) {
        if let (Some(_), Some(group)) = (self.child.id(), self.group) {
            // A group that is gone already is what was wanted.
            let _gone = kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
