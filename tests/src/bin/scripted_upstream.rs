//! The conformance examiner as a process: `scripted-upstream PORT` answers until its standard input ends.
#![allow(clippy::print_stdout, reason = "its address is its output")]

use std::io::Read as _;

use gatehouse_tests::{Upstream, examiner};

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let upstream = Upstream::start_with(port, examiner::examine);
    println!("{}", upstream.url());
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest)?;
    Ok(())
}
