//! What the benchmark's programs share. `bench-run` is the conductor: it pins the gateway and the floor to one core and
//! everything else to another, alternates between them lane by lane, and compares medians of CPU time per request.
//!
//! `bench-mcp` is the conductor of the MCP lanes, `mcp` their messages.
//!
//! `canned` holds the bytes, `wire` reads just enough HTTP, `server` is what scripted servers have in common, `load` is the
//! generator, `stage` sends it, `process` starts and watches the processes under test, `house` is the gateway's configuration,
//! `lanes` the list of what is measured, `report` what is made of it.

pub mod arguments;
pub mod canned;
pub mod house;
pub mod lanes;
pub mod load;
pub mod mcp;
pub mod process;
pub mod report;
pub mod server;
pub mod stage;
pub mod wire;

/// Anything that stops a benchmark.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
