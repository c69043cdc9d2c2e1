//! `bench-load --address A --path P --key K --body FILE [--head FILE] [--connections 16] [--requests N] [--seconds S]
//! [--rate R]`: sends load and prints what came of it as one JSON object.
#![allow(clippy::print_stdout, reason = "its report is its output")]

use std::time::Duration;

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::load::{Plan, render, render_with, run};

fn main() -> Result<(), Error> {
    let arguments = Arguments::of_process();
    let body = std::fs::read(arguments.get::<String>("body")?.ok_or("--body FILE is missing")?)?;
    let path: String = arguments.or("path", "/v1/chat/completions".to_owned())?;
    let key: String = arguments.or("key", "none".to_owned())?;
    let head = arguments.get::<String>("head")?.map(std::fs::read_to_string).transpose()?;
    let request = match head {
        Some(lines) => render_with(&path, &key, &lines, &body),
        None => render(&path, &key, &body),
    };
    let seconds: Option<f64> = arguments.get("seconds")?;
    let report = run(Plan {
        address: arguments.get("address")?.ok_or("--address HOST:PORT is missing")?,
        requests: vec![request],
        connections: arguments.or("connections", 16)?,
        total: arguments.get("requests")?,
        duration: seconds.map(Duration::from_secs_f64),
        rate: arguments.get("rate")?,
        leave_every: arguments.get("leave-every")?,
    })?;
    println!("{}", report.json());
    Ok(())
}
