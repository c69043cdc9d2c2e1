//! `bench-order --gateway FILE --out FILE`: in which order the functions of the program should lie. It runs the gateway under
//! callgrind, through a start and a little of every lane, and writes down what was executed: what calls pass first, the
//! costliest in front, then what only starting needs. The linker follows the list (`crates/gatehouse/build.rs`), so that
//! the code in use lies together: memory is mapped in pages, and pages that hold nothing in use are never loaded.
//!
//! FILE is a `dist` build with its symbols. Needs valgrind.
#![allow(clippy::print_stdout, reason = "its report is its output")]

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::house::{self, House};
use gatehouse_bench::lanes;
use gatehouse_bench::load::{Plan, render, run};
use gatehouse_bench::process::{Process, free_address, sibling};

/// Under callgrind a start takes half a minute.
const START: Duration = Duration::from_secs(300);
/// Work behind the answers: a few rounds of the control plane, which are slow here too.
const SETTLING: Duration = Duration::from_secs(5);
const REQUESTS: u64 = 200;
const STREAMS: u64 = 20;

fn main() -> Result<(), Error> {
    let arguments = Arguments::of_process();
    let gateway: PathBuf = arguments.or("gateway", PathBuf::from("target/dist/gatehouse"))?;
    let out: PathBuf = arguments.or("out", PathBuf::from("crates/gatehouse/order.txt"))?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("upstream.log");
    let mut upstream = Process::start(0, &sibling("bench-upstream")?, &["--port", "{port}"], free_address()?, &log)?;
    upstream.wait_until_listening()?;
    let watched = Watched::start(&gateway, folder.path(), upstream.address)?;
    watched.dump()?;
    for lane in lanes::all() {
        let requests = if lane.stream { STREAMS } else { REQUESTS };
        let request = render(&lane.path, lane.key, &lane.body);
        let plan = Plan {
            address: watched.address,
            requests: vec![request],
            connections: 8,
            total: Some(requests),
            duration: None,
            rate: None,
            leave_every: None,
        };
        println!("{}: {} answered", lane.name, run(plan)?.answered);
    }
    std::thread::sleep(SETTLING);
    watched.dump()?;
    let order = order(folder.path())?;
    println!("{} functions", order.lines().count());
    std::fs::write(out, order)?;
    Ok(())
}

/// The gateway under callgrind, ended with this value.
struct Watched {
    child: Child,
    address: SocketAddr,
}

impl Watched {
    fn start(gateway: &Path, folder: &Path, upstream: SocketAddr) -> Result<Self, Error> {
        let (config, address) = (folder.join("gatehouse.yaml"), free_address()?);
        house::write(House::Full, &config, address, upstream)?;
        let child = Command::new("valgrind")
            // The program starts itself over once, to have its allocator's options.
            .args(["--tool=callgrind", "--demangle=no", "--trace-children=yes"])
            .arg(format!("--callgrind-out-file={}", folder.join("calls").display()))
            .arg(gateway)
            .args(["serve", "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("valgrind: {error}; it is needed for this, and only for this"))?;
        let mut watched = Self { child, address };
        let deadline = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = watched.child.try_wait()? {
                return Err(format!("the gateway ended at once: {status}").into());
            }
            if Instant::now() > deadline {
                return Err("the gateway does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        std::thread::sleep(SETTLING);
        Ok(watched)
    }

    /// Has callgrind write down what it counted since the last time.
    fn dump(&self) -> Result<(), Error> {
        let status = Command::new("callgrind_control")
            .args(["--dump", &self.child.id().to_string()])
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("callgrind_control: {status}").into());
        }
        std::thread::sleep(SETTLING);
        Ok(())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The second dump's functions by their cost, then the first one's as they come.
fn order(folder: &Path) -> Result<String, Error> {
    let mut names = HashMap::new();
    let started = executed(&std::fs::read_to_string(folder.join("calls.1"))?, &mut names);
    let mut called: Vec<(String, u64)> =
        executed(&std::fs::read_to_string(folder.join("calls.2"))?, &mut names).into_iter().collect();
    let mut started: Vec<String> = started.into_keys().collect();
    called.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    started.sort();
    let mut seen = HashSet::new();
    let mut order = String::new();
    for name in called.iter().map(|(name, _)| name).chain(&started) {
        // What comes from a shared library does not hurt: the linker passes over names it does not know.
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.$".contains(&byte)) && seen.insert(name) {
            writeln!(order, "{name}")?;
        }
    }
    Ok(order)
}

/// Functions of a profile with the instructions each executed itself. A name stands in full where it comes first and as
/// `(number)` afterwards, in later dumps too (the format's "name compression").
fn executed(profile: &str, names: &mut HashMap<String, String>) -> HashMap<String, u64> {
    let mut costs: HashMap<String, u64> = HashMap::new();
    let (mut current, mut is_call) = (String::new(), false);
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            current = full_name(name, names);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            full_name(name, names);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            // The line after `calls=` is what the callee cost.
            let own = !std::mem::take(&mut is_call);
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok()).filter(|_| own);
            *costs.entry(current.clone()).or_default() += cost.unwrap_or(0);
        }
    }
    costs.retain(|_, cost| *cost > 0);
    costs
}

fn full_name(written: &str, names: &mut HashMap<String, String>) -> String {
    let (number, name) = written.split_once(' ').unwrap_or((written, ""));
    if !name.is_empty() {
        // Recursion levels are told apart by an apostrophe and a number.
        names.insert(number.to_owned(), name.split('\'').next().unwrap_or(name).to_owned());
    }
    names.get(number).cloned().unwrap_or_default()
}
