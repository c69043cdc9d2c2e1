//! The conformance examiner as a process: `scripted-upstream PORT` answers until its standard input ends.
//! `GET /cancels` tells how many answers it had to give up because its peer left.
#![allow(clippy::print_stdout, reason = "its address is its output")]

use std::io::Read as _;
use std::sync::{Arc, OnceLock};

use gatehouse_tests::{Received, Reply, Upstream, examiner};

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let own: Arc<OnceLock<Upstream>> = Arc::default();
    let myself = Arc::clone(&own);
    let respond = move |received: &Received| match (received.path.as_str(), myself.get()) {
        ("/cancels", Some(upstream)) => Reply::raw("text/plain", upstream.cancels().to_string()),
        _ => examiner::examine(received),
    };
    let upstream = own.get_or_init(|| Upstream::start_with(port, respond));
    println!("{}", upstream.url());
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest)?;
    Ok(())
}
