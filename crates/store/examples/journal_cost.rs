//! What the journal costs: nanoseconds per intent and settle on the data path, and CPU per row in the shipper.
//!
//! `cargo run --release -p gatehouse-store --example journal_cost [calls]`

#![expect(clippy::print_stdout, reason = "a measurement for people")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse_domain::{AttemptOutcome, AttemptStatus, Money, Principal, PrincipalKind, RequestId, Usage};
use gatehouse_store::journal::{Intent, Journal, JournalConfig};
use gatehouse_store::{DataDir, Shipper, ShipperConfig, Store};
use uuid::Uuid;

fn main() -> Result<(), Box<dyn Error>> {
    let calls: u64 = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse())?;
    let folder = std::env::temp_dir().join(format!("gatehouse-journal-cost-{}", std::process::id()));
    let dir = DataDir::create(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (journal, reader) = Journal::open(&dir, JournalConfig::default())?;
    write(&journal, calls)?;
    runtime.block_on(async {
        let store = Store::open(&dir).await?;
        let mut shipper = Shipper::new(store, reader, ShipperConfig::default());
        shipper.recover().await?;
        let (wall, cpu) = (Instant::now(), cpu_time()?);
        let drained = shipper.drain(tokio::time::Instant::now() + Duration::from_secs(600)).await;
        let (wall, cpu) = (wall.elapsed(), cpu_time()?.saturating_sub(cpu));
        println!("{} rows shipped in {wall:?}; CPU {:.2} µs a row", drained.rows, micros(cpu) / to_f64(drained.rows));
        Ok::<_, Box<dyn Error>>(())
    })?;
    drop(journal);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Writes in bursts and lets the journal's thread catch up in between, as calls that wait for upstreams do.
fn write(journal: &Journal, calls: u64) -> Result<(), Box<dyn Error>> {
    let mut writer = journal.writer()?;
    let mut outcome = outcome();
    let mut spent = Duration::ZERO;
    for burst in 0..calls.div_ceil(1000) {
        std::thread::sleep(Duration::from_millis(1));
        let start = Instant::now();
        for n in burst * 1000..(burst + 1) * 1000 {
            outcome.id = RequestId::from_uuid(Uuid::from_u128((u128::from(n) << 32) | (7 << 76))).attempt(0);
            writer.intent(&intent(&outcome))?;
            writer.settle(&outcome)?;
        }
        spent += start.elapsed();
    }
    println!("{} ns for an intent and its settle", spent.as_nanos() / u128::from(calls.div_ceil(1000) * 1000));
    Ok(())
}

fn outcome() -> AttemptOutcome {
    AttemptOutcome {
        id: RequestId::from_uuid(Uuid::nil()).attempt(0),
        started_unix_ms: 1_795_000_000_000,
        who: Arc::new(Principal {
            team: Some("support".into()),
            ..Principal::bare(PrincipalKind::Service, "key_4fQzPm81LtZq", "ci")
        }),
        run: None,
        tags: None,
        model: "fast".into(),
        provider: "claude".into(),
        upstream_model: "claude-haiku-4-5".into(),
        dialect: "openai-chat",
        operation: "chat",
        stream: false,
        status: AttemptStatus::Ok,
        http_status: 200,
        usage: Usage { input: 812, cache_read: 400, output: 215, ..Usage::default() },
        estimated: false,
        cost: Money::from_nano_usd(1_234_567),
        priced: true,
        duration_us: 1_250_000,
        first_byte_us: 390_000,
    }
}

fn intent(outcome: &AttemptOutcome) -> Intent<'_> {
    Intent {
        id: outcome.id,
        started_unix_ms: outcome.started_unix_ms,
        who: &outcome.who,
        run: None,
        tags: None,
        model: &outcome.model,
        provider: &outcome.provider,
        upstream_model: &outcome.upstream_model,
        dialect: outcome.dialect,
        operation: outcome.operation,
        stream: outcome.stream,
        reserved: Money::from_nano_usd(5_000_000),
        priced: true,
        input_tokens: 1200,
    }
}

/// CPU time of this process so far, user and system, all threads.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).unwrap_or(&"0").parse::<u64>();
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "only shown")]
fn to_f64(count: u64) -> f64 {
    count.max(1) as f64
}
