//! What both conductors do alike: which core is whose, and the load that is sent from beside the process under test.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Error;
use crate::process::{Process, sibling};

/// The core of the generator and the scripted servers.
pub const LOAD_CORE: usize = 0;
/// The core of the process under test.
pub const TEST_CORE: usize = 1;
/// Ledger rows are shipped after the answer: that work belongs to the request, too.
pub const SETTLING: Duration = Duration::from_millis(500);

/// One kind of request, sent again and again.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Lines of its head besides those of every request, `host` among them.
    pub head: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
    /// How many at once.
    pub connections: usize,
    /// How many in all.
    pub requests: u64,
}

/// Starts the generator; its report is what it prints. `folder` is where it finds what to send.
///
/// # Errors
/// When it cannot be started.
pub fn send(folder: &Path, address: SocketAddr, load: &Load<'_>) -> Result<Child, Error> {
    let (head, body) = (folder.join("head"), folder.join("body.json"));
    std::fs::write(&body, load.body)?;
    let mut generator = Command::new("taskset");
    generator
        .args(["-c", &LOAD_CORE.to_string()])
        .arg(sibling("bench-load")?)
        .args(["--address", &address.to_string(), "--path", load.path, "--key", load.key])
        .args(["--connections", &load.connections.to_string(), "--requests", &load.requests.to_string()])
        .arg("--body")
        .arg(&body);
    if let Some(lines) = load.head {
        std::fs::write(&head, lines)?;
        generator.arg("--head").arg(&head);
    }
    Ok(generator.stdout(Stdio::piped()).spawn()?)
}

/// Sends load and waits until all that is due to it is done. Says the CPU microseconds a request of the process under test, and
/// the generator's report.
///
/// # Errors
/// When the generator cannot be started or says nothing.
pub fn measure(folder: &Path, process: &Process, load: &Load<'_>) -> Result<(f64, Value), Error> {
    let before = process.cpu()?;
    let output = send(folder, process.address, load)?.wait_with_output()?;
    std::thread::sleep(SETTLING);
    let used = process.cpu()?.micros_since(&before);
    Ok((used / load.requests as f64, serde_json::from_slice(&output.stdout)?))
}

/// The machine the figures come from.
#[must_use]
pub fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown CPU");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Machine: {}, {cores} cores, Linux {}.", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}
