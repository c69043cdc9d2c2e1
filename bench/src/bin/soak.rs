//! `bench-soak [--minutes 30] [--gateway FILE]`: mixed load for a long time: relay, translation, streams, big bodies,
//! failing and breaking providers, clients that leave. Prints resident memory, descriptors, threads and tasks over time, and the
//! slope of the memory after a warm-up.
#![allow(clippy::print_stdout, reason = "its table is its output")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::house::{self, GOVERNED_KEY, House, PLAIN_KEY};
use gatehouse_bench::load::{Plan, render, run};
use gatehouse_bench::process::{Process, free_address, sibling};
use gatehouse_bench::{Error, canned};
use gatehouse_tests::{Client, Dialect};

const SAMPLES: u32 = 60;
/// Calls per second: enough to turn everything over, little enough to leave the machine usable.
const RATE: f64 = 400.0;

fn main() -> Result<(), Error> {
    let arguments = Arguments::of_process();
    let length = Duration::from_secs_f64(arguments.or("minutes", 30.0)? * 60.0);
    let folder = tempfile::tempdir()?;
    let binary: PathBuf = arguments.or("gateway", PathBuf::from("target/release/gatehouse"))?;
    let (upstream_at, gateway_at) = (free_address()?, free_address()?);
    let arguments_of_upstream = ["--port", "{port}", "--hold", "2"];
    let mut upstream = Process::start(
        0,
        &sibling("bench-upstream")?,
        &arguments_of_upstream,
        upstream_at,
        &folder.path().join("upstream.log"),
    )?;
    upstream.wait_until_listening()?;
    let config = folder.path().join("gatehouse.yaml");
    house::write(House::Full, &config, gateway_at, upstream_at)?;
    let config = config.to_string_lossy().into_owned();
    // Its log would fill the disk in half an hour of load.
    let null = PathBuf::from("/dev/null");
    let mut gateway = Process::start(1, &binary, &["serve", "--config", &config], gateway_at, &null)?;
    gateway.wait_until_listening()?;

    let plan = Plan {
        address: gateway_at,
        requests: mixture(),
        connections: 64,
        total: None,
        duration: Some(length),
        rate: Some(RATE),
        leave_every: Some(7),
    };
    let load = std::thread::spawn(move || run(plan));
    let samples = watch(&gateway, length);
    let report = load.join().map_err(|_| "the load generator panicked")??;
    println!("load: {}", report.json());
    let (slope, settled) = (slope_mib_per_hour(&samples), &samples[samples.len() / 4..]);
    let span = |values: Vec<f64>| {
        (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(0.0, f64::max))
    };
    let (fds_min, fds_max) = span(settled.iter().map(|sample| sample.descriptors).collect());
    let (threads_min, threads_max) = span(settled.iter().map(|sample| sample.threads).collect());
    println!("RSS slope after warm-up: {slope:+.2} MiB per hour");
    let (tasks_min, tasks_max) = span(settled.iter().map(|sample| sample.tasks).collect());
    println!("descriptors after warm-up: {fds_min:.0} to {fds_max:.0}; threads: {threads_min:.0} to {threads_max:.0}");
    println!("tasks after warm-up: {tasks_min:.0} to {tasks_max:.0}");
    Ok(())
}

struct Sample {
    hours: f64,
    rss_mib: f64,
    descriptors: f64,
    threads: f64,
    tasks: f64,
}

fn watch(gateway: &Process, length: Duration) -> Vec<Sample> {
    println!("| minute | RSS MiB | descriptors | threads | tasks |\n|---|---|---|---|---|");
    let started = Instant::now();
    (0..SAMPLES)
        .map(|_| {
            std::thread::sleep(length / SAMPLES);
            let sample = Sample {
                hours: started.elapsed().as_secs_f64() / 3600.0,
                rss_mib: gateway.rss_mib(),
                descriptors: gateway.descriptors() as f64,
                threads: gateway.threads() as f64,
                tasks: tasks(gateway),
            };
            let minutes = sample.hours * 60.0;
            let Sample { rss_mib, descriptors, threads, tasks, .. } = sample;
            println!("| {minutes:.1} | {rss_mib:.1} | {descriptors} | {threads} | {tasks} |");
            sample
        })
        .collect()
}

/// Tasks alive, as the gateway's own metrics tell.
fn tasks(gateway: &Process) -> f64 {
    let metrics = Client::new(gateway.address).get("/metrics").text();
    let value = metrics.lines().find_map(|line| line.strip_prefix("gatehouse_tasks "));
    value.and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
}

/// Least squares over the samples after the first quarter.
fn slope_mib_per_hour(samples: &[Sample]) -> f64 {
    let settled = &samples[samples.len() / 4..];
    let count = settled.len() as f64;
    let mean = |of: fn(&Sample) -> f64| settled.iter().map(of).sum::<f64>() / count;
    let (mean_hours, mean_rss) = (mean(|sample| sample.hours), mean(|sample| sample.rss_mib));
    let covariance: f64 = settled.iter().map(|s| (s.hours - mean_hours) * (s.rss_mib - mean_rss)).sum();
    let variance: f64 = settled.iter().map(|s| (s.hours - mean_hours).powi(2)).sum();
    covariance / variance
}

/// Requests sent in turn: mostly ordinary ones, some of everything else.
fn mixture() -> Vec<bytes::Bytes> {
    let call = |key: &str, dialect: Dialect, model: &str, stream: bool, size: usize| {
        render(&dialect.path(model, stream), key, &canned::request(dialect, model, stream, size))
    };
    let (chat, responses, anthropic) = (Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic);
    let size = canned::REQUEST_BYTES;
    vec![
        call(PLAIN_KEY, chat, "chat-instant", false, size),
        call(GOVERNED_KEY, chat, "chat-instant", false, size),
        call(PLAIN_KEY, chat, "chat-instant", true, size),
        call(GOVERNED_KEY, chat, "anthropic-instant", false, size),
        call(PLAIN_KEY, chat, "anthropic-paced", true, size),
        call(PLAIN_KEY, responses, "gemini-instant", false, size),
        call(GOVERNED_KEY, responses, "gemini-paced", true, size),
        call(PLAIN_KEY, anthropic, "chat-instant", false, size),
        call(PLAIN_KEY, chat, "chat-instant", false, 64 << 10),
        call(PLAIN_KEY, chat, "chat-holding", true, size),
        call(PLAIN_KEY, chat, "chat-cutting", true, size),
        call(PLAIN_KEY, chat, "gemini-cutting", false, size),
        call(PLAIN_KEY, chat, "chat-failing", false, size),
        call("gk_nobody_issued_this_key_000000", chat, "chat-instant", false, size),
        call(PLAIN_KEY, chat, "no-such-model", false, size),
    ]
}
