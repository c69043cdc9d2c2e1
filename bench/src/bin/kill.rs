//! `bench-kill [--kills 200]`: kills the gateway with SIGKILL under load, again and again, at random moments, and holds its
//! ledger against the provider's own count. The provider lives in this process and survives every kill.
//! `GATEHOUSE_BIN` names the binary.
#![allow(clippy::print_stdout, reason = "its figures are its output")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_tests::{Client, Dialect, Gate, House, Upstream};

const CALLERS: usize = 4;

fn main() -> Result<(), Error> {
    let kills: u32 = Arguments::of_process().or("kills", 200)?;
    let upstream = Upstream::start();
    let mut gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let answered = AtomicU64::new(0);
    let started = Instant::now();
    for kill in 1..=kills {
        kill_under_load(&mut gate, &upstream, &answered);
        if kill % 20 == 0 {
            println!("{kill} kills, {} requests at the provider", upstream.served());
        }
    }
    println!("{kills} kills in {:.0} s", started.elapsed().as_secs_f64());
    let served = upstream.served() as u64;
    let rows = rows_by_status(&gate, served)?;
    verdict(served, answered.into_inner(), &rows)
}

/// Rows of the ledger by how the attempt ended, as soon as there are enough: they are shipped in batches.
fn rows_by_status(gate: &Gate, enough: u64) -> Result<BTreeMap<String, u64>, Error> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let report = gate.rows(&["usage", "report", "--by", "status"]);
        let rows: BTreeMap<String, u64> = report
            .iter()
            .filter_map(|row| Some((row["status"].as_str()?.to_owned(), row["attempts"].as_u64()?)))
            .collect();
        if rows.values().sum::<u64>() >= enough || Instant::now() > deadline {
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
        let call = client.try_send("POST", "/v1/chat/completions", body.as_bytes());
        match call.and_then(gatehouse_tests::Raw::try_response) {
            Some(answer) if answer.status == 200 && answer.whole => answered.fetch_add(1, Ordering::Relaxed),
            _ => return,
        };
    }
}

/// Compares totals, not requests one by one: a missing row and a surplus one would cancel out, but for the bound that a
/// surplus is never more than the interrupted rows. A row's key is the attempt's id, so that one attempt cannot have two rows; two attempts on record for one request
/// would show as rows the provider never saw and the gateway did not mark as interrupted.
fn verdict(served: u64, answered: u64, rows: &BTreeMap<String, u64>) -> Result<(), Error> {
    let of = |status: &str| rows.get(status).copied().unwrap_or(0);
    let count: u64 = rows.values().sum();
    let unseen = count.saturating_sub(served);
    println!("requests the provider took:    {served}");
    println!("answers clients got whole:     {answered}");
    println!("ledger rows:                   {count} {rows:?}");
    println!("rows fewer than requests:      {}", served.saturating_sub(count));
    println!("rows more than requests:       {unseen} (a record is written before its request is sent)");
    if count < served || of("ok") < answered || unseen > of("interrupted") {
        return Err("the totals of ledger and provider do not agree".into());
    }
    println!("the totals agree");
    Ok(())
}
