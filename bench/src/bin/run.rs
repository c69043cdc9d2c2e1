//! `bench-run [--gateway FILE] [--rounds 3] [--quick]`: the conductor. Core 0 has the scripted provider and the load,
//! core 1 the process under test; floor and gateway take turns; medians are compared with the limits.
#![allow(clippy::print_stdout, reason = "its table is its output")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::house::{House, PLAIN_KEY};
use gatehouse_bench::lanes::{self, Lane};
use gatehouse_bench::load::render;
use gatehouse_bench::process::{Process, free_address, sibling};
use gatehouse_bench::report::{self, Bound, Figure, LaneResult, Run, median};
use gatehouse_bench::stage::{self, LOAD_CORE, Load, TEST_CORE};
use gatehouse_bench::{Error, canned, house};
use gatehouse_tests::Dialect;
use serde_json::Value;

const CONNECTIONS: usize = 16;
const OPEN_STREAMS: usize = 1_000;

/// The stage: everything that runs while lanes are measured.
struct Stage {
    folder: tempfile::TempDir,
    upstream: Process,
    floor: Process,
    /// The gateway with all there is switched on, and the one that relays and no more.
    full: Process,
    lean: Process,
    gateway_binary: PathBuf,
    rounds: usize,
    /// Lanes run a fraction of their requests.
    divisor: u64,
    first_answer: Duration,
    idle_rss_mib: f64,
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::of_process();
    let stage = Stage::set(&arguments)?;
    let only: Option<String> = arguments.get("lane")?;
    let mut results = Vec::new();
    for lane in lanes::all().into_iter().filter(|lane| only.as_deref().is_none_or(|name| name == lane.name)) {
        println!("lane: {}", lane.name);
        results.push(stage.measure(&lane)?);
    }
    let mut figures = stage.figures(results.first())?;
    if only.is_none() {
        figures.extend(stage.one_at_a_time()?);
        figures.extend(stage.open_streams(&arguments)?);
    }
    println!("{}", report::tables(&results, &figures));
    let folder = PathBuf::from(arguments.or("out", "bench".to_owned())?);
    report::write(&folder, &results, &figures, &stage::machine())
}

impl Stage {
    fn set(arguments: &Arguments) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let gateway_binary: PathBuf = arguments.or("gateway", PathBuf::from("target/dist/gatehouse"))?;
        let quick = arguments.flag("quick");
        let upstream_at = free_address()?;
        let hold = if quick { "5" } else { "15" };
        let log = |name: &str| folder.path().join(format!("{name}.log"));
        let mut upstream = Process::start(
            LOAD_CORE,
            &sibling("bench-upstream")?,
            &["--port", "{port}", "--hold", hold],
            upstream_at,
            &log("upstream"),
        )?;
        upstream.wait_until_listening()?;
        let target = upstream_at.to_string();
        let mut floor = Process::start(
            TEST_CORE,
            &sibling("bench-floor")?,
            &["--port", "{port}", "--upstream", &target],
            free_address()?,
            &log("floor"),
        )?;
        floor.wait_until_listening()?;
        let (full, first_answer) = start_gateway(House::Full, &gateway_binary, folder.path(), upstream_at)?;
        std::thread::sleep(Duration::from_secs(2));
        let idle_rss_mib = full.rss_mib();
        let (lean, _) = start_gateway(House::Lean, &gateway_binary, folder.path(), upstream_at)?;
        let rounds = arguments.or("rounds", if quick { 1 } else { 5 })?;
        let divisor = if quick { 20 } else { 1 };
        Ok(Self { folder, upstream, floor, full, lean, gateway_binary, rounds, divisor, first_answer, idle_rss_mib })
    }

    /// Warms both up, then lets them take turns.
    fn measure(&self, lane: &Lane) -> Result<LaneResult, Error> {
        let requests = (lane.requests / self.divisor).max(100);
        let gateway = self.gateway(lane.house);
        for process in [&self.floor, gateway] {
            self.run(lane, process, requests / 10, CONNECTIONS)?;
        }
        let mut result = LaneResult { name: lane.name, limit: lane.limit, floor: Vec::new(), gateway: Vec::new() };
        for _ in 0..self.rounds {
            result.floor.push(self.run(lane, &self.floor, requests, CONNECTIONS)?);
            result.gateway.push(self.run(lane, gateway, requests, CONNECTIONS)?);
        }
        Ok(result)
    }

    fn gateway(&self, house: House) -> &Process {
        match house {
            House::Lean => &self.lean,
            House::Full => &self.full,
        }
    }

    fn run(&self, lane: &Lane, process: &Process, requests: u64, connections: usize) -> Result<Run, Error> {
        let load = load_of(lane, requests, connections);
        let (cpu_us, load) = stage::measure(self.folder.path(), process, &load)?;
        Ok(Run { cpu_us, load })
    }

    fn figures(&self, relay: Option<&LaneResult>) -> Result<Vec<Figure>, Error> {
        let size = std::fs::metadata(&self.gateway_binary)?.len() as f64 / f64::from(1 << 20);
        let mut figures = vec![
            figure("binary MiB", size, Bound::AtMost(25.0)),
            figure("start to first answer ms", self.first_answer.as_secs_f64() * 1_000.0, Bound::AtMost(200.0)),
            figure("idle RSS MiB", self.idle_rss_mib, Bound::AtMost(20.0)),
        ];
        if let Some(relay) = relay {
            let (floor, gateway) = relay.load("rps");
            figures.push(figure("relayed requests/s on one core, × floor", gateway / floor, Bound::AtLeast(0.7)));
        }
        Ok(figures)
    }

    /// Added latency at concurrency 1: over the provider alone, against what the floor adds.
    fn one_at_a_time(&self) -> Result<Vec<Figure>, Error> {
        println!("lane: one at a time");
        let Some(lane) = lanes::all().into_iter().next() else { return Ok(Vec::new()) };
        let requests = (20_000 / self.divisor).max(500);
        let mut p50 = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..self.rounds.max(3) {
            for (at, process) in [&self.upstream, &self.floor, self.gateway(lane.house)].into_iter().enumerate() {
                let run = self.run(&lane, process, requests, 1)?;
                p50[at].push(run.load["p50_us"].as_f64().unwrap_or(f64::NAN));
            }
        }
        let [direct, floor, gateway] = p50.map(|values| median(values.into_iter()));
        Ok(vec![
            figure("added p50 µs at concurrency 1: floor", floor - direct, Bound::None),
            figure("added p50 µs at concurrency 1: gateway", gateway - direct, Bound::None),
            figure("added p50 at concurrency 1, × floor's", (gateway - direct) / (floor - direct), Bound::AtMost(1.5)),
        ])
    }

    /// Memory with a thousand open streams, and a minute after: of a gateway of its own, which has served nothing before.
    fn open_streams(&self, arguments: &Arguments) -> Result<Vec<Figure>, Error> {
        println!("lane: {OPEN_STREAMS} open streams");
        let Some(lane) = lanes::all().into_iter().find(|lane| lane.stream) else { return Ok(Vec::new()) };
        let body = canned::request(Dialect::OpenAiChat, "chat-holding", true, canned::REQUEST_BYTES);
        let lane = Lane { body, key: PLAIN_KEY, ..lane };
        let folder = tempfile::tempdir()?;
        let (gateway, _) = start_gateway(House::Full, &self.gateway_binary, folder.path(), self.upstream.address)?;
        std::thread::sleep(Duration::from_secs(2));
        let idle_rss = gateway.rss_mib();
        let load =
            stage::send(self.folder.path(), gateway.address, &load_of(&lane, OPEN_STREAMS as u64, OPEN_STREAMS))?;
        std::thread::sleep(Duration::from_secs(3));
        let (open_rss, open_descriptors) = (gateway.rss_mib(), gateway.descriptors());
        let report: Value = serde_json::from_slice(&load.wait_with_output()?.stdout)?;
        std::thread::sleep(Duration::from_secs(if arguments.flag("quick") { 5 } else { 60 }));
        let after = gateway.rss_mib();
        Ok(vec![
            figure("RSS MiB with 1,000 open streams", open_rss, Bound::AtMost(60.0)),
            figure("descriptors with 1,000 open streams", open_descriptors as f64, Bound::None),
            figure(
                "streams of 1,000 that ended whole",
                report["answered"].as_f64().unwrap_or(0.0),
                Bound::AtLeast(1_000.0),
            ),
            figure("RSS a minute after load, × idle", after / idle_rss, Bound::AtMost(1.2)),
            figure("descriptors a minute after load", gateway.descriptors() as f64, Bound::None),
        ])
    }
}

fn load_of(lane: &Lane, requests: u64, connections: usize) -> Load<'_> {
    Load { path: &lane.path, key: lane.key, head: None, body: &lane.body, connections, requests }
}

fn figure(name: &'static str, value: f64, bound: Bound) -> Figure {
    Figure { name, value, bound }
}

/// Starts the gateway and asks until it answers a real call; says how long that took.
fn start_gateway(
    house: House,
    binary: &Path,
    folder: &Path,
    upstream: SocketAddr,
) -> Result<(Process, Duration), Error> {
    let folder = folder.join(house.name());
    std::fs::create_dir_all(&folder)?;
    let address = free_address()?;
    let config = folder.join("gatehouse.yaml");
    house::write(house, &config, address, upstream)?;
    let config = config.to_string_lossy().into_owned();
    let body = canned::request(Dialect::OpenAiChat, "chat-instant", false, canned::REQUEST_BYTES);
    let request = render("/v1/chat/completions", PLAIN_KEY, &body);
    // The first start makes the data folder and its secrets; the second one is what an operator's restart is.
    for _ in 0..2 {
        let started = Instant::now();
        let process =
            Process::start(TEST_CORE, binary, &["serve", "--config", &config], address, &folder.join("gateway.log"))?;
        let deadline = started + Duration::from_secs(10);
        while !answers(address, &request) {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(folder.join("gateway.log")).unwrap_or_default();
                return Err(format!("the gateway never answered; its log:\n{log}").into());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        let took = started.elapsed();
        if folder.join("warm").exists() {
            return Ok((process, took));
        }
        std::fs::write(folder.join("warm"), "")?;
    }
    Err("unreachable: the second start returns".into())
}

fn answers(address: SocketAddr, request: &[u8]) -> bool {
    let exchange = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(request)?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(&head[9..] == b"200")
    };
    exchange().unwrap_or(false)
}
