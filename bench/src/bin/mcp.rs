//! `bench-mcp [--gateway FILE] [--rounds 3] [--quick]`: the conductor of the MCP lanes. Core 0 has the scripted server and the
//! load, core 1 the process under test. Each lane is run against the server alone, through a bare relay (bench-floor) where the
//! relay does the same work, and through the gateway, in turns. Writes results-mcp.json and RESULTS-MCP.md into `--out` (`bench`).
//!
//! The issue bounds the CPU a call may add. With 32 at once that is all the CPU of the gateway. With one at once it is what is
//! above the bare relay's: a process that is woken for each message pays about 60 µs a call on the machine of the figures for
//! being woken alone, whatever it does, and no gateway can be below that. Both figures are shown in every lane.
#![allow(clippy::print_stdout, reason = "its table is its output")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::house::PLAIN_KEY;
use gatehouse_bench::load::render_with;
use gatehouse_bench::mcp::{Era, TOOL, call, initialize, request};
use gatehouse_bench::process::{Process, free_address, sibling};
use gatehouse_bench::report::{Bound, Figure, Page, figures_json, figures_table, median};
use gatehouse_bench::stage::{self, LOAD_CORE, Load, SETTLING, TEST_CORE};
use gatehouse_bench::wire::{Progress, message_end};
use serde_json::{Value, json};

const CALLS: u64 = 40_000;
const LISTENERS: usize = 10_000;
/// Within this time every stream says once that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The bounds: CPU added to a modern call, and for a list out of the catalogue, in microseconds.
const CALL_US_MAX: f64 = 60.0;
const LIST_US_MAX: f64 = 100.0;
/// Ours, since the issue names none: memory of idle listeners.
const LISTENERS_MIB_MAX: f64 = 250.0;

const RESULTS: Page = Page {
    json: "results-mcp.json",
    markdown: "RESULTS-MCP.md",
    intro: "# MCP benchmark results\n\nWritten by `bench-mcp`, a part of `make bench`; the notes are written by hand and kept. Direct: \
            the client straight to a scripted server that costs next to nothing. Relay: through a bare hyper relay of the same \
            shape (bench-floor), with the same messages in the same run. CPU is user and system time of the process under test \
            per call, medians of interleaved runs; above the relay: the median of the rounds' differences. With one call at \
            once the bound is of that, as a process that is woken for each message pays for being woken whatever it does.",
};

/// What is measured: one kind of message, to one server.
struct Lane {
    name: &'static str,
    era: Era,
    /// Where the server is asked directly; the gateway knows it by the same name.
    server: &'static str,
    method: &'static str,
    at_once: usize,
    bound: Bound,
}

/// Medians of one lane.
struct Row {
    lane: Lane,
    direct: Way,
    relay: Option<Way>,
    gateway: Way,
    /// Of the rounds, how much CPU a call took above the relay's in the same round.
    above_us: Option<f64>,
}

/// Medians of one way to the server.
struct Way {
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
    rps: f64,
}

/// Everything that runs while lanes are measured.
struct Stage {
    folder: tempfile::TempDir,
    upstream: Process,
    relay: Process,
    gateway: Process,
    binary: PathBuf,
    rounds: usize,
    calls: u64,
    listeners: usize,
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::of_process();
    let stage = Stage::set(&arguments)?;
    let rows: Vec<Row> = lanes().into_iter().map(|lane| stage.measure(lane)).collect::<Result<_, _>>()?;
    let figures = stage.listen()?;
    let tables = format!("{}\n{}", table(&rows), figures_table(&figures));
    println!("{tables}");
    let json = json!({"lanes": rows.iter().map(Row::json).collect::<Vec<_>>(), "figures": figures_json(&figures)});
    RESULTS.write(Path::new(&arguments.or("out", "bench".to_owned())?), &stage::machine(), &tables, &json)
}

fn lanes() -> Vec<Lane> {
    let of = |name, era, server, at_once, bound| Lane { name, era, server, method: "tools/call", at_once, bound };
    let (call, free) = (Bound::AtMost(CALL_US_MAX), Bound::None);
    let list = Bound::AtMost(LIST_US_MAX);
    vec![
        of("tools/call, modern, 1 at once", Era::Modern, "modern", 1, call),
        of("tools/call, modern, 32 at once", Era::Modern, "modern", 32, call),
        of("tools/call, modern, answered as a stream, 32 at once", Era::Modern, "events", 32, call),
        of("tools/call, legacy, 1 at once", Era::Legacy, "legacy", 1, free),
        of("tools/call, legacy, 32 at once", Era::Legacy, "legacy", 32, free),
        Lane {
            method: "tools/list",
            ..of("tools/list of 200 tools, modern, 1 at once", Era::Modern, "modern", 1, list)
        },
        Lane {
            method: "tools/list",
            ..of("tools/list of 200 tools, legacy, 1 at once", Era::Legacy, "legacy", 1, list)
        },
    ]
}

impl Stage {
    fn set(arguments: &Arguments) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let binary: PathBuf = arguments.or("gateway", PathBuf::from("target/dist/gatehouse"))?;
        let quick = arguments.flag("quick");
        let program = sibling("bench-mcp-upstream")?;
        let log = folder.path().join("upstream.log");
        let mut upstream = Process::start(LOAD_CORE, &program, &["--port", "{port}"], free_address()?, &log)?;
        upstream.wait_until_listening()?;
        let relay = start_relay(folder.path(), upstream.address)?;
        let gateway = start_gateway(&binary, folder.path(), upstream.address)?;
        let rounds = arguments.or("rounds", if quick { 1 } else { 3 })?;
        let (calls, listeners) = if quick { (CALLS / 20, LISTENERS / 20) } else { (CALLS, LISTENERS) };
        Ok(Self { folder, upstream, relay, gateway, binary, rounds, calls, listeners })
    }

    /// Warms all of them up, then lets them take turns.
    fn measure(&self, lane: Lane) -> Result<Row, Error> {
        println!("lane: {}", lane.name);
        let (direct, through) = (format!("/{}", lane.server), format!("/mcp/servers/{}", lane.server));
        let mut places = vec![(&self.upstream, &direct), (&self.gateway, &through)];
        if lane.is_relayed() {
            places.push((&self.relay, &direct));
        }
        for (process, path) in &places {
            self.run(&lane, process, path, self.calls / 10)?;
        }
        let mut runs: Vec<Vec<(f64, Value)>> = places.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for ((process, path), runs) in places.iter().zip(&mut runs) {
                runs.push(self.run(&lane, process, path, self.calls)?);
            }
        }
        let relay = runs.get(2);
        let above_us = relay.map(|relay| median(runs[1].iter().zip(relay).map(|(gateway, relay)| gateway.0 - relay.0)));
        let relay = relay.map(|runs| Way::of(runs));
        Ok(Row { direct: Way::of(&runs[0]), relay, gateway: Way::of(&runs[1]), above_us, lane })
    }

    /// One run; every call must have been answered, and answered with what it asked for: errors of MCP come with status 200.
    fn run(&self, lane: &Lane, process: &Process, path: &str, calls: u64) -> Result<(f64, Value), Error> {
        let session = if lane.era == Era::Legacy { Some(open_session(process.address, path)?) } else { None };
        let (head, body) = match lane.method {
            "tools/call" => call(lane.era, session.as_deref()),
            method => request(lane.era, method, json!({}), session.as_deref()),
        };
        let load =
            Load { path, key: PLAIN_KEY, head: Some(&head), body: &body, connections: lane.at_once, requests: calls };
        let answer = answer(process.address, path, &head, &body)?;
        if !answer.contains("\"result\"") {
            return Err(format!("{}: not answered with a result: {answer}", lane.name).into());
        }
        let (cpu_us, report) = stage::measure(self.folder.path(), process, &load)?;
        if report["answered"].as_u64() != Some(calls) {
            return Err(format!("{}: not every call was answered: {report}", lane.name).into());
        }
        Ok((cpu_us, report))
    }

    /// Memory before and with so many listen streams on which nothing is said, of a gateway that has served nothing before.
    fn listen(&self) -> Result<Vec<Figure>, Error> {
        println!("lane: {} idle listeners", self.listeners);
        let folder = tempfile::tempdir()?;
        let gateway = start_gateway(&self.binary, folder.path(), self.upstream.address)?;
        raise_descriptors(std::process::id());
        raise_descriptors(gateway.pid());
        let before = (gateway.rss_mib(), gateway.anonymous_mib(), gateway.descriptors());
        let params = json!({"notifications": {"toolsListChanged": true}});
        let (head, body) = request(Era::Modern, "subscriptions/listen", params, None);
        let streams: Vec<TcpStream> =
            (0..self.listeners).map(|_| listener(gateway.address, &head, &body)).collect::<Result<_, _>>()?;
        std::thread::sleep(SETTLING);
        let (held, own) = (gateway.rss_mib(), gateway.anonymous_mib());
        let cpu = gateway.cpu()?;
        std::thread::sleep(KEEP_ALIVE);
        let cpu_ms = gateway.cpu()?.micros_since(&cpu) / 1_000.0 / KEEP_ALIVE.as_secs_f64();
        let open = gateway.descriptors().saturating_sub(before.2);
        drop(streams);
        let most = LISTENERS_MIB_MAX * self.listeners as f64 / LISTENERS as f64;
        let figure = |name, value, bound| Figure { name, value, bound };
        let kib = |mib: f64| mib * 1024.0 / self.listeners as f64;
        Ok(vec![
            figure("idle listeners still open after a keep-alive", open as f64, Bound::AtLeast(self.listeners as f64)),
            figure("RSS MiB before them", before.0, Bound::None),
            figure("RSS MiB with them", held, Bound::AtMost(before.0 + most)),
            figure("KiB of the gateway's own memory for each", kib(own - before.1), Bound::None),
            figure("CPU ms a second while they idle", cpu_ms, Bound::None),
        ])
    }
}

/// Starts the bare relay.
fn start_relay(folder: &Path, upstream: SocketAddr) -> Result<Process, Error> {
    let target = upstream.to_string();
    let arguments = ["--port", "{port}", "--upstream", &target];
    let log = folder.join("relay.log");
    let mut relay = Process::start(TEST_CORE, &sibling("bench-floor")?, &arguments, free_address()?, &log)?;
    relay.wait_until_listening()?;
    Ok(relay)
}

/// Starts the gateway and waits until it has the servers' lists.
fn start_gateway(binary: &Path, folder: &Path, upstream: SocketAddr) -> Result<Process, Error> {
    let address = free_address()?;
    let server =
        |name: &str| (name.to_owned(), json!({"url": format!("http://{upstream}/{name}"), "pins": "allow_new"}));
    let servers: serde_json::Map<_, _> = ["modern", "events", "legacy"].into_iter().map(server).collect();
    let config = json!({
        "listen": address.to_string(),
        "data_dir": folder.join("data"),
        "server": {"workers": 1, "connections_max": 2 * LISTENERS},
        "mcp_servers": servers,
        "keys": [{"name": "plain", "secret": PLAIN_KEY}],
    });
    let file = folder.join("gatehouse.yaml");
    std::fs::write(&file, config.to_string())?;
    let file = file.to_string_lossy().into_owned();
    let log = folder.join("gateway.log");
    let mut gateway = Process::start(TEST_CORE, binary, &["serve", "--config", &file], address, &log)?;
    gateway.wait_until_listening()?;
    let (head, body) = request(Era::Modern, "tools/list", json!({}), None);
    let deadline = Instant::now() + Duration::from_secs(20);
    for name in servers.keys() {
        while !answer(address, &format!("/mcp/servers/{name}"), &head, &body)?.contains(TOOL) {
            if Instant::now() > deadline {
                return Err(format!("the gateway never had the tools of `{name}`").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(gateway)
}

/// Opens a session and says its id.
fn open_session(address: SocketAddr, path: &str) -> Result<String, Error> {
    let (head, body) = initialize();
    let answer = answer(address, path, &head, &body)?;
    let session = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("mcp-session-id").then(|| value.trim().to_owned())
    });
    session.ok_or_else(|| format!("no session in {answer}").into())
}

/// One stream that has begun.
fn listener(address: SocketAddr, head: &str, body: &[u8]) -> Result<TcpStream, Error> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&render_with("/mcp/servers/modern", PLAIN_KEY, head, body))?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    if &status == b"HTTP/1.1 200" { Ok(stream) } else { Err("a listener was refused".into()) }
}

/// A whole answer, head and body.
fn answer(address: SocketAddr, path: &str, head: &str, body: &[u8]) -> Result<String, Error> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&render_with(path, PLAIN_KEY, head, body))?;
    let (mut whole, mut part) = (Vec::new(), vec![0; 64 << 10]);
    while message_end(&whole) == Progress::Partial {
        let len = stream.read(&mut part)?;
        if len == 0 {
            return Err("an answer broke off".into());
        }
        whole.extend_from_slice(&part[..len]);
    }
    Ok(String::from_utf8_lossy(&whole).into_owned())
}

/// One stream is one descriptor; shells allow a thousand until somebody asks for all that the machine allows.
fn raise_descriptors(pid: u32) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    if let Some(most) = files.and_then(|line| line.split_whitespace().nth(1)) {
        drop(Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--nofile={most}:{most}")]).status());
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| lane | direct p50 µs | relay p50 µs | gateway p50 µs | gateway p99 µs | calls/s | CPU µs a call: bare relay | \
         gateway | above the relay | bound | |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Row { lane, direct, relay, gateway, above_us } = row;
        let of_relay = |figure: fn(&Way) -> f64, digits| {
            relay.as_ref().map_or_else(String::new, |relay| format!("{:.digits$}", figure(relay)))
        };
        let above = above_us.map_or_else(String::new, |above| format!("{above:.1}"));
        text.push_str(&format!(
            "| {} | {:.0} | {} | {:.0} | {:.0} | {:.0} | {} | {:.1} | {above} | {} | {} |\n",
            lane.name,
            direct.p50_us,
            of_relay(|relay| relay.p50_us, 0),
            gateway.p50_us,
            gateway.p99_us,
            gateway.rps,
            of_relay(|relay| relay.cpu_us, 1),
            gateway.cpu_us,
            row.bound_text(),
            lane.bound.mark(row.judged_us()),
        ));
    }
    text
}

impl Lane {
    /// Does the bare relay the same work? A list comes out of the gateway's own memory.
    fn is_relayed(&self) -> bool {
        self.method == "tools/call"
    }

    /// Is the bound one of what is above the relay's CPU? See the head of this file.
    fn is_judged_above_relay(&self) -> bool {
        self.is_relayed() && self.at_once == 1
    }
}

impl Way {
    fn of(runs: &[(f64, Value)]) -> Self {
        let of = |key: &str| median(runs.iter().map(|(_, report)| report[key].as_f64().unwrap_or(f64::NAN)));
        let cpu_us = median(runs.iter().map(|(cpu_us, _)| *cpu_us));
        Self { cpu_us, p50_us: of("p50_us"), p99_us: of("p99_us"), rps: of("rps") }
    }

    fn json(&self) -> Value {
        json!({"cpu_us": self.cpu_us, "p50_us": self.p50_us, "p99_us": self.p99_us, "rps": self.rps})
    }
}

impl Row {
    /// The figure that the bound is of.
    fn judged_us(&self) -> f64 {
        self.above_us.filter(|_| self.lane.is_judged_above_relay()).unwrap_or(self.gateway.cpu_us)
    }

    fn bound_text(&self) -> String {
        let text = self.lane.bound.text();
        let above = self.lane.is_judged_above_relay() && !text.is_empty();
        if above { format!("{text} above") } else { text }
    }

    fn json(&self) -> Value {
        json!({
            "lane": self.lane.name, "direct": self.direct.json(), "relay": self.relay.as_ref().map(Way::json),
            "gateway": self.gateway.json(), "above_relay_cpu_us": self.above_us, "bound": self.bound_text(),
        })
    }
}
