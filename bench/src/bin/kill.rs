//! `bench-kill [--kills 200]`: kills the gateway with SIGKILL under load, again and again, at random moments, and holds its
//! ledger against the requests the provider took, one by one. The provider lives in this process and survives every kill.
//! `GATEHOUSE_BIN` names the binary.
#![allow(clippy::print_stdout, reason = "its figures are its output")]

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_domain::TraceParent;
use gatehouse_tests::{Client, Dialect, Gate, House, Upstream};
use jiff::Timestamp;

const CALLERS: usize = 4;
/// A report has at most 10,000 rows: the ledger is read in spans of so many kills.
const KILLS_PER_SPAN: u32 = 20;

/// The last half of an attempt's id. The provider is told it as the parent id of `traceparent`, the ledger has it as the end
/// of the row's id, so that requests and rows can be held against each other one by one.
type Span = u64;

fn main() -> Result<(), Error> {
    let kills: u32 = Arguments::of_process().or("kills", 200)?;
    let upstream = Upstream::start();
    let mut gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let answered = AtomicU64::new(0);
    let started = Instant::now();
    let mut spans = vec![Timestamp::now()];
    for kill in 1..=kills {
        kill_under_load(&mut gate, &upstream, &answered);
        if kill % KILLS_PER_SPAN == 0 || kill == kills {
            println!("{kill} kills, {} requests at the provider", upstream.served());
            spans.push(Timestamp::now());
        }
    }
    println!("{kills} kills in {:.0} s", started.elapsed().as_secs_f64());
    let requests = requests_by_span(&upstream)?;
    let rows = rows_by_span(&gate, &spans, requests.len())?;
    verdict(&requests, &rows, answered.into_inner())
}

/// How often the provider saw each attempt.
fn requests_by_span(upstream: &Upstream) -> Result<HashMap<Span, u64>, Error> {
    let mut seen = HashMap::new();
    for request in upstream.requests() {
        let trace = request.header("traceparent").and_then(TraceParent::parse);
        *seen.entry(trace.ok_or("a request without the trace of its caller")?.span_id).or_default() += 1;
    }
    Ok(seen)
}

/// How each attempt on record ended, as soon as there are enough of them: rows are shipped in batches.
fn rows_by_span(gate: &Gate, spans: &[Timestamp], enough: usize) -> Result<HashMap<Span, Vec<String>>, Error> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut rows: HashMap<Span, Vec<String>> = HashMap::new();
        for span in spans.windows(2) {
            let (since, until) = (span[0].to_string(), span[1].to_string());
            let report = ["usage", "report", "--by", "attempt,status", "--since", &since, "--until", &until];
            for row in gate.rows(&report) {
                let id = row["attempt"].as_str().and_then(|id| id.get(16..)).ok_or("a row without an id")?;
                let status = row["status"].as_str().ok_or("a row without a status")?;
                rows.entry(Span::from_str_radix(id, 16)?).or_default().push(status.to_owned());
            }
        }
        if rows.len() >= enough || Instant::now() > deadline {
            return Ok(rows);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Runs load until the provider has seen a random number of new requests, kills, and starts again.
fn kill_under_load(gate: &mut Gate, upstream: &Upstream, answered: &AtomicU64) {
    let stop = AtomicBool::new(false);
    let client = gate.client();
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (client, stop) = (&client, &stop);
            scope.spawn(move || call_until(client, stop, answered, caller % 2 == 1));
        }
        drop(upstream.wait_for_request(upstream.served() + fastrand::usize(1..120)));
        gate.kill9();
        stop.store(true, Ordering::Relaxed);
    });
    gate.restart();
}

fn call_until(client: &Client, stop: &AtomicBool, answered: &AtomicU64, stream: bool) {
    let body = Dialect::OpenAiChat.request("fast", "Hello?", stream).to_string();
    while !stop.load(Ordering::Relaxed) {
        // A caller's trace is passed on, with the attempt as its parent.
        let trace = format!("00-{:032x}-{:016x}-01", fastrand::u128(1..), fastrand::u64(1..));
        let client = client.clone().header("traceparent", &trace);
        let call = client.try_send("POST", "/v1/chat/completions", body.as_bytes());
        match call.and_then(gatehouse_tests::Raw::try_response) {
            Some(answer) if answer.status == 200 && answer.whole => answered.fetch_add(1, Ordering::Relaxed),
            _ => return,
        };
    }
}

/// Each request the provider took has exactly one row. A row without a request is an attempt whose gateway was killed after
/// its record was written and before the provider had it: `interrupted`, and nothing else.
fn verdict(requests: &HashMap<Span, u64>, rows: &HashMap<Span, Vec<String>>, answered: u64) -> Result<(), Error> {
    let count = |condition: &dyn Fn(&Span, &Vec<String>) -> bool| {
        rows.iter().filter(|(span, statuses)| condition(span, statuses)).count()
    };
    let missing = requests.keys().filter(|span| !rows.contains_key(span)).count();
    let sent_twice = requests.values().filter(|times| **times > 1).count();
    let doubled = count(&|_, statuses| statuses.len() > 1);
    let matched = count(&|span, _| requests.contains_key(span));
    let unsent = count(&|span, statuses| !requests.contains_key(span) && statuses.iter().all(|s| s == "interrupted"));
    let unexplained = rows.len() - matched - unsent;
    let mut by_status: BTreeMap<&str, u64> = BTreeMap::new();
    for status in rows.values().flatten() {
        *by_status.entry(status).or_default() += 1;
    }
    println!("requests the provider took:         {}", requests.values().sum::<u64>());
    println!("answers clients got whole:          {answered}");
    println!("ledger rows:                        {} {by_status:?}", rows.values().map(Vec::len).sum::<usize>());
    println!("requests with exactly one row:      {matched}");
    println!("requests without a row:             {missing}");
    println!("attempts with two rows:             {doubled}");
    println!("attempts the provider got twice:    {sent_twice}");
    println!("rows of attempts killed before they were sent (interrupted): {unsent}");
    println!("rows nothing explains:              {unexplained}");
    let ok = by_status.get("ok").copied().unwrap_or(0);
    if missing + doubled + sent_twice + unexplained > 0 || ok < answered {
        return Err("ledger and provider do not agree".into());
    }
    println!("ledger and provider agree, attempt by attempt");
    Ok(())
}
