//! Processes under test: started on a core of their own, watched through /proc.

use std::collections::HashMap;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;

/// A process that ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

/// CPU time used so far.
#[derive(Clone, Debug)]
pub struct CpuTime {
    nanos_by_thread: HashMap<u32, u64>,
    ticks_nanos: u64,
}

/// How long a process may take to end by itself.
const ENDING: Duration = Duration::from_secs(5);
/// Nanoseconds of a tick of /proc/PID/stat; 100 Hz on every Linux this runs on.
const TICK_NANOS: u64 = 10_000_000;

impl Process {
    /// Starts a program pinned to a core, its output going to a file. `{port}` in an argument becomes its port.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        core: usize,
        program: &Path,
        arguments: &[&str],
        address: SocketAddr,
        log: &Path,
    ) -> Result<Self, Error> {
        let output = File::create(log)?;
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(arguments.iter().map(|argument| argument.replace("{port}", &address.port().to_string())))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| format!("{} (through taskset): {error}", program.display()))?;
        Ok(Self { child, address })
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it takes connections.
    ///
    /// # Errors
    /// When it does not within ten seconds.
    pub fn wait_until_listening(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the process ended at once: {status}").into());
            }
            if Instant::now() > deadline {
                return Err(format!("nothing listens on {}", self.address).into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// CPU time so far, user and system.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu(&self) -> Result<CpuTime, Error> {
        let folder = PathBuf::from(format!("/proc/{}", self.pid()));
        let mut nanos_by_thread = HashMap::new();
        for entry in std::fs::read_dir(folder.join("task"))?.flatten() {
            let schedstat = std::fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            let nanos = schedstat.split(' ').next().and_then(|nanos| nanos.parse().ok());
            let thread = entry.file_name().to_string_lossy().parse();
            if let (Some(nanos), Ok(thread)) = (nanos, thread) {
                nanos_by_thread.insert(thread, nanos);
            }
        }
        let stat = std::fs::read_to_string(folder.join("stat"))?;
        // The name in parentheses may hold spaces: fields are counted from behind it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
        Ok(CpuTime { nanos_by_thread, ticks_nanos: (ticks(11) + ticks(12)) * TICK_NANOS })
    }

    /// Resident memory in MiB.
    #[must_use]
    pub fn rss_mib(&self) -> f64 {
        self.status("VmRSS:").unwrap_or(0) as f64 / 1024.0
    }

    /// Of that, what is the process's own: not pages of files such as the binary.
    #[must_use]
    pub fn anonymous_mib(&self) -> f64 {
        self.status("RssAnon:").unwrap_or(0) as f64 / 1024.0
    }

    /// Threads.
    #[must_use]
    pub fn threads(&self) -> u64 {
        self.status("Threads:").unwrap_or(0)
    }

    /// Open file descriptors.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    fn status(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Process {
    /// Asks it to end, as who looks after servers does: a program built to be profiled writes its counts when it ends.
    fn drop(&mut self) {
        drop(Command::new("kill").args(["-TERM", &self.pid().to_string()]).status());
        let deadline = Instant::now() + ENDING;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl CpuTime {
    /// Microseconds used since an earlier reading.
    #[must_use]
    pub fn micros_since(&self, earlier: &Self) -> f64 {
        let ended = earlier.nanos_by_thread.keys().any(|thread| !self.nanos_by_thread.contains_key(thread));
        let nanos = if ended {
            // A thread that has ended took its exact figure with it; the kernel's ticks still count it.
            self.ticks_nanos.saturating_sub(earlier.ticks_nanos)
        } else {
            let sum = |time: &Self| time.nanos_by_thread.values().sum::<u64>();
            sum(self).saturating_sub(sum(earlier))
        };
        nanos as f64 / 1_000.0
    }
}

/// A loopback address nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A program built next to this one.
///
/// # Errors
/// When this process has no path.
pub fn sibling(name: &str) -> Result<PathBuf, Error> {
    let mut path = std::env::current_exe()?;
    path.set_file_name(name);
    Ok(path)
}
