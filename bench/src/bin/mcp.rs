//! `bench-mcp [--gateway FILE] [--rounds 3] [--quick]`: the conductor of the MCP lanes. Core 0 has the scripted server and the
//! load, core 1 the gateway. Each lane is run against the server alone and through the gateway, in turns; what the gateway
//! adds is the difference in time, and its own CPU. Writes `mcp.json` and `MCP.md` into `--out` (`bench`).
#![allow(clippy::print_stdout, reason = "its table is its output")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::house::PLAIN_KEY;
use gatehouse_bench::load::render_with;
use gatehouse_bench::mcp::{Era, call, initialize, request};
use gatehouse_bench::process::{Process, free_address, sibling};
use gatehouse_bench::report::median;
use serde_json::{Value, json};

const LOAD_CORE: usize = 0;
const TEST_CORE: usize = 1;
const CONCURRENCY: [usize; 2] = [1, 32];
const CALLS: u64 = 40_000;
const LISTENERS: usize = 10_000;
/// Ledger rows are shipped after the answer: that work belongs to the call, too.
const SETTLING: Duration = Duration::from_millis(500);
/// The bounds: CPU added to a modern call, and time for a list, in microseconds; memory of idle listeners, in MiB.
const CPU_US_MAX: f64 = 60.0;
const LIST_US_MAX: f64 = 100.0;
const LISTENERS_MIB_MAX: f64 = 200.0;

/// Where a lane's load goes.
#[derive(Clone, Copy)]
struct Place<'a> {
    process: &'a Process,
    path: &'static str,
}

/// Medians of one lane.
struct Row {
    name: String,
    direct_p50_us: f64,
    p50_us: f64,
    p99_us: f64,
    rps: f64,
    cpu_us: f64,
    bound: Option<f64>,
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::of_process();
    let folder = tempfile::tempdir()?;
    let binary: PathBuf = arguments.or("gateway", PathBuf::from("target/dist/gatehouse"))?;
    let quick = arguments.flag("quick");
    let rounds: usize = arguments.or("rounds", if quick { 1 } else { 3 })?;
    let calls = if quick { CALLS / 20 } else { CALLS };
    let upstream = start_upstream(folder.path())?;
    let gateway = start_gateway(&binary, folder.path(), upstream.address)?;
    let mut rows = Vec::new();
    for era in Era::ALL {
        for concurrency in CONCURRENCY {
            rows.push(lane(folder.path(), era, concurrency, calls, rounds, &upstream, &gateway)?);
        }
    }
    rows.push(list_lane(folder.path(), calls, rounds, &upstream, &gateway)?);
    let listeners = if quick { LISTENERS / 20 } else { LISTENERS };
    let (idle, held) = listeners_memory(&gateway, listeners)?;
    let out = PathBuf::from(arguments.or("out", "bench".to_owned())?);
    let text = table(&rows, listeners, idle, held);
    println!("{text}");
    std::fs::write(out.join("MCP.md"), format!("# MCP lanes\n\nWritten by `bench-mcp`.\n\n{text}"))?;
    std::fs::write(out.join("mcp.json"), serde_json::to_string_pretty(&as_json(&rows, listeners, idle, held))?)?;
    Ok(())
}

fn start_upstream(folder: &Path) -> Result<Process, Error> {
    let program = sibling("bench-mcp-upstream")?;
    let log = folder.join("upstream.log");
    let mut upstream = Process::start(LOAD_CORE, &program, &["--port", "{port}"], free_address()?, &log)?;
    upstream.wait_until_listening()?;
    Ok(upstream)
}

fn start_gateway(binary: &Path, folder: &Path, upstream: SocketAddr) -> Result<Process, Error> {
    let address = free_address()?;
    let server = |era: Era| json!({"url": format!("http://{upstream}/{}", era.name()), "pins": "allow_new"});
    let config = json!({
        "listen": address.to_string(),
        "data_dir": folder.join("data"),
        "server": {"workers": 1},
        "mcp_servers": {"modern": server(Era::Modern), "legacy": server(Era::Legacy)},
        "keys": [{"name": "plain", "secret": PLAIN_KEY}],
    });
    let file = folder.join("gatehouse.yaml");
    std::fs::write(&file, config.to_string())?;
    let file = file.to_string_lossy().into_owned();
    let mut gateway =
        Process::start(TEST_CORE, binary, &["serve", "--config", &file], address, &folder.join("gateway.log"))?;
    gateway.wait_until_listening()?;
    Ok(gateway)
}

/// `tools/call echo`, against the server alone and through the gateway.
fn lane(
    folder: &Path,
    era: Era,
    concurrency: usize,
    calls: u64,
    rounds: usize,
    upstream: &Process,
    gateway: &Process,
) -> Result<Row, Error> {
    let name = format!("tools/call, {}, {concurrency} at once", era.name());
    println!("lane: {name}");
    let (direct, through) = match era {
        Era::Modern => ("/modern", "/mcp/servers/modern"),
        Era::Legacy => ("/legacy", "/mcp/servers/legacy"),
    };
    let places = [Place { process: upstream, path: direct }, Place { process: gateway, path: through }];
    let bound = (era == Era::Modern).then_some(CPU_US_MAX);
    let requests = |place: Place<'_>| -> Result<(String, Vec<u8>), Error> {
        let session = if era == Era::Legacy { Some(open_session(place)?) } else { None };
        Ok(call(era, session.as_deref()))
    };
    measure(folder, name, bound, places, concurrency, calls, rounds, requests)
}

/// `tools/list` out of the catalogue.
fn list_lane(folder: &Path, calls: u64, rounds: usize, upstream: &Process, gateway: &Process) -> Result<Row, Error> {
    println!("lane: tools/list");
    let places =
        [Place { process: upstream, path: "/modern" }, Place { process: gateway, path: "/mcp/servers/modern" }];
    let requests = |_: Place<'_>| Ok(request(Era::Modern, "tools/list", json!({}), None));
    measure(folder, "tools/list, modern, 1 at once".to_owned(), Some(LIST_US_MAX), places, 1, calls, rounds, requests)
}

#[allow(clippy::too_many_arguments, reason = "one lane is that many things")]
fn measure(
    folder: &Path,
    name: String,
    bound: Option<f64>,
    places: [Place<'_>; 2],
    concurrency: usize,
    calls: u64,
    rounds: usize,
    requests: impl Fn(Place<'_>) -> Result<(String, Vec<u8>), Error>,
) -> Result<Row, Error> {
    let (mut cpu, mut reports) = (Vec::new(), [Vec::new(), Vec::new()]);
    for place in places {
        let (head, body) = requests(place)?;
        load(folder, place, &head, &body, concurrency, calls / 10)?;
    }
    for _ in 0..rounds {
        for (at, place) in places.into_iter().enumerate() {
            let (head, body) = requests(place)?;
            let before = place.process.cpu()?;
            let report = load(folder, place, &head, &body, concurrency, calls)?;
            std::thread::sleep(SETTLING);
            if report["answered"].as_u64() != Some(calls) {
                return Err(format!("{name}: not every call was answered: {report}").into());
            }
            if at == 1 {
                cpu.push(place.process.cpu()?.micros_since(&before) / calls as f64);
            }
            reports[at].push(report);
        }
    }
    let of = |at: usize, key: &str| median(reports[at].iter().map(|report| report[key].as_f64().unwrap_or(f64::NAN)));
    Ok(Row {
        name,
        direct_p50_us: of(0, "p50_us"),
        p50_us: of(1, "p50_us"),
        p99_us: of(1, "p99_us"),
        rps: of(1, "rps"),
        cpu_us: median(cpu.into_iter()),
        bound,
    })
}

fn load(
    folder: &Path,
    place: Place<'_>,
    head: &str,
    body: &[u8],
    connections: usize,
    calls: u64,
) -> Result<Value, Error> {
    let (head_file, body_file) = (folder.join("head"), folder.join("body.json"));
    std::fs::write(&head_file, head)?;
    std::fs::write(&body_file, body)?;
    let output = Command::new("taskset")
        .args(["-c", &LOAD_CORE.to_string()])
        .arg(sibling("bench-load")?)
        .args(["--address", &place.process.address.to_string(), "--path", place.path, "--key", PLAIN_KEY])
        .arg("--head")
        .arg(&head_file)
        .arg("--body")
        .arg(&body_file)
        .args(["--connections", &connections.to_string(), "--requests", &calls.to_string()])
        .stdout(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Opens a session and says its id.
fn open_session(place: Place<'_>) -> Result<String, Error> {
    let (head, body) = initialize();
    let mut stream = send(place.process.address, place.path, &head, &body)?;
    let answer = read_head(&mut stream)?;
    let session = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("mcp-session-id").then(|| value.trim().to_owned())
    });
    session.ok_or_else(|| format!("no session in {answer}").into())
}

/// Memory before and with so many listen streams that nothing is said on, in MiB.
fn listeners_memory(gateway: &Process, listeners: usize) -> Result<(f64, f64), Error> {
    println!("lane: {listeners} idle listeners");
    raise_descriptors(std::process::id());
    raise_descriptors(gateway.pid());
    let before = gateway.rss_mib();
    let params = json!({"notifications": {"toolsListChanged": true}});
    let (head, body) = request(Era::Modern, "subscriptions/listen", params, None);
    let mut streams = Vec::with_capacity(listeners);
    for _ in 0..listeners {
        let mut stream = send(gateway.address, "/mcp/servers/modern", &head, &body)?;
        let answer = read_head(&mut stream)?;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(format!("a listener was refused: {answer}").into());
        }
        streams.push(stream);
    }
    std::thread::sleep(4 * SETTLING);
    let held = gateway.rss_mib();
    drop(streams);
    Ok((before, held))
}

/// One stream is one descriptor; shells allow a thousand until somebody asks for all that the machine allows.
fn raise_descriptors(pid: u32) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    if let Some(most) = files.and_then(|line| line.split_whitespace().nth(1)) {
        drop(Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--nofile={most}:{most}")]).status());
    }
}

fn send(address: SocketAddr, path: &str, head: &str, body: &[u8]) -> Result<TcpStream, Error> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&render_with(path, PLAIN_KEY, head, body))?;
    Ok(stream)
}

fn read_head(stream: &mut TcpStream) -> Result<String, Error> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !head.ends_with(b"\r\n\r\n") && Instant::now() < deadline {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn table(rows: &[Row], listeners: usize, idle: f64, held: f64) -> String {
    let mut text = String::from(
        "| lane | direct p50 µs | gateway p50 µs | added | p99 µs | calls/s | gateway CPU µs a call | at most | |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let mark = |met: bool| if met { "met" } else { "**missed**" };
    for row in rows {
        let Row { name, direct_p50_us, p50_us, p99_us, rps, cpu_us, bound } = row;
        let added = p50_us - direct_p50_us;
        let (limit, met) = bound.map_or((String::new(), ""), |most| (most.to_string(), mark(*cpu_us <= most)));
        text.push_str(&format!(
            "| {name} | {direct_p50_us:.0} | {p50_us:.0} | {added:.0} | {p99_us:.0} | {rps:.0} | {cpu_us:.1} | {limit} | {met} |\n"
        ));
    }
    let used = held - idle;
    let met = mark(used <= LISTENERS_MIB_MAX);
    text.push_str(&format!(
        "\n{listeners} idle listeners: {idle:.1} MiB before, {held:.1} MiB with them: {used:.1} MiB (at most {LISTENERS_MIB_MAX}: {met}).\n"
    ));
    text
}

fn as_json(rows: &[Row], listeners: usize, idle: f64, held: f64) -> Value {
    let lanes: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "lane": row.name, "direct_p50_us": row.direct_p50_us, "p50_us": row.p50_us, "p99_us": row.p99_us,
                "rps": row.rps, "cpu_us": row.cpu_us, "cpu_us_max": row.bound,
            })
        })
        .collect();
    json!({"lanes": lanes, "listeners": listeners, "idle_mib": idle, "held_mib": held})
}
