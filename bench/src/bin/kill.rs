//! `bench-kill [--kills 200]`: kills the gateway with SIGKILL under load, again and again, at random moments, and holds its
//! ledger against the provider's own count. The provider lives in this process and survives every kill.
//! `GATEHOUSE_BIN` names the binary.
#![allow(clippy::print_stdout, reason = "its figures are its output")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_tests::{Client, Dialect, Gate, House, LedgerRow, Upstream};

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
    let rows = gate.ledger_of(upstream.served());
    println!("{kills} kills in {:.0} s", started.elapsed().as_secs_f64());
    verdict(upstream.served() as u64, answered.into_inner(), &rows)
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

fn verdict(served: u64, answered: u64, rows: &[LedgerRow]) -> Result<(), Error> {
    let mut by_status: HashMap<&str, u64> = HashMap::new();
    for row in rows {
        *by_status.entry(&row.status).or_default() += 1;
    }
    let doubled = rows.iter().filter(|row| row.attempts != 1).count();
    let of = |status: &str| by_status.get(status).copied().unwrap_or(0);
    let count = rows.len() as u64;
    println!("requests the provider took:      {served}");
    println!("answers clients got whole:       {answered}");
    println!("ledger rows:                     {count} {by_status:?}");
    println!("rows the provider never saw:     {} (written before the request was sent)", count.saturating_sub(served));
    println!("requests without a row:          {}", served.saturating_sub(count));
    println!("rows that count twice:           {doubled}");
    if count < served || doubled > 0 || of("ok") < answered || count - served > of("interrupted") {
        return Err("the ledger does not agree with the provider".into());
    }
    println!("the ledger agrees with the provider");
    Ok(())
}
