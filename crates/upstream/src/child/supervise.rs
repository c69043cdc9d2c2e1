//! The supervisor's own process: starts the program in the group it leads, and sees to it that nothing of the group is left when
//! the program has ended, or when the gateway has.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::{ExitStatusExt as _, parent_id};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{
    Resource, Rlimit, Signal, WaitOptions, getpgrp, getpid, getrlimit, kill_current_process_group, setpgid, setrlimit,
    wait,
};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, interval, sleep, timeout};

use super::{LEAVES_WITHIN, STARTED_BY, TERMINATES_WITHIN};

/// How often it looks for the gateway where the system does not tell of its death.
const LOOKS_EVERY: Duration = Duration::from_millis(500);
/// How often it looks for what is left of the group.
const SWEEPS_EVERY: Duration = Duration::from_millis(20);
/// Files a child may have open.
const FILES_MAX: u64 = 4096;
/// What shells answer with when there is no such program.
const NO_PROGRAM: u8 = 127;

/// Why the program has to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The gateway is gone; the program's input ended with it.
    Orphaned,
    /// The gateway has signalled the group.
    Signalled,
}

/// Runs `command` under supervision and says what status to end with. Only for a process that does nothing else: its standard
/// streams go to the program.
///
/// # Errors
/// When the system refuses what a supervisor needs.
pub async fn supervise(command: &[OsString]) -> io::Result<u8> {
    let started_by = std::env::var(STARTED_BY).ok().and_then(|id| id.parse().ok());
    let gateway = started_by.unwrap_or_else(parent_id);
    arm()?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut look = interval(LOOKS_EVERY);
    let mut child = match start(command) {
        Ok(child) => child,
        Err(error) => return refuse(command, &error),
    };
    let_go_of_streams()?;
    let ended = loop {
        tokio::select! {
            status = child.wait() => break Ok(status?),
            _ = terminate.recv() => break Err(Ending::Signalled),
            _ = hangup.recv() => break Err(Ending::Orphaned),
            _ = look.tick() => if parent_id() != gateway { break Err(Ending::Orphaned) },
        }
    };
    let status = match ended {
        Ok(status) => status,
        Err(ending) => end(&mut child, ending).await?,
    };
    sweep().await;
    Ok(code_of(status))
}

/// What is set once, before there is a child: a group of our own, a signal when the gateway dies, orphans of the group for
/// ourselves, limits.
fn arm() -> io::Result<()> {
    if getpgrp() != getpid() {
        setpgid(None, None)?;
    }
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_parent_process_death_signal(Some(Signal::HUP))?;
        rustix::process::set_child_subreaper(Some(getpid()))?;
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let files = getrlimit(Resource::Nofile);
    let at_most = files.maximum.map_or(FILES_MAX, |maximum| maximum.min(FILES_MAX));
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(at_most), maximum: Some(at_most) })?)
}

fn start(command: &[OsString]) -> io::Result<Child> {
    let Some((name, arguments)) = command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command was given"));
    };
    Command::new(name).args(arguments).env_remove(STARTED_BY).kill_on_drop(true).spawn()
}

/// Says on the program's standard error why it does not run: the gateway shows those lines.
fn refuse(command: &[OsString], error: &io::Error) -> io::Result<u8> {
    use std::io::Write as _;
    let name = command.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    writeln!(io::stderr(), "cannot start `{name}`: {error}")?;
    Ok(NO_PROGRAM)
}

/// The streams are the program's: as long as another process held them, neither side would see the other close.
fn let_go_of_streams() -> io::Result<()> {
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(())
}

/// Waits for the program to leave, then asks the group to, then kills it, and this process with it.
async fn end(child: &mut Child, ending: Ending) -> io::Result<ExitStatus> {
    if ending == Ending::Orphaned {
        if let Ok(status) = timeout(LEAVES_WITHIN, child.wait()).await {
            return status;
        }
        terminate_group();
    }
    if let Ok(status) = timeout(TERMINATES_WITHIN, child.wait()).await {
        return status;
    }
    kill_current_process_group(Signal::KILL)?;
    child.wait().await
}

/// Ends what is left of the group. This process is a part of it and goes with it if it comes to the worst.
async fn sweep() {
    if nobody_left() {
        return;
    }
    terminate_group();
    let deadline = Instant::now() + TERMINATES_WITHIN;
    while Instant::now() < deadline {
        sleep(SWEEPS_EVERY).await;
        if nobody_left() {
            return;
        }
    }
    let _gone = kill_current_process_group(Signal::KILL);
}

/// Takes leave of orphans that have ended; are there no others?
fn nobody_left() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// Ourselves excepted: there is a handler for this signal.
fn terminate_group() {
    let _gone = kill_current_process_group(Signal::TERM);
}

/// The status shells give: that of the program, or 128 and the signal.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
