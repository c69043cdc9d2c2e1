//! What the gateway writes down: the request log, the audit log, and where private words must never be.

mod audit;
mod canaries;
mod requests;
mod secrets;

use std::time::Instant;

use gatehouse_tests::{Gate, PATIENCE};
use serde_json::Value;

/// Rows of an admin listing, as soon as there are so many.
fn rows(gate: &Gate, path: &str, at_least: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = gate.admin().get(path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let rows = answer.json()["rows"].as_array().expect("rows").clone();
        if rows.len() >= at_least {
            return rows;
        }
        assert!(Instant::now() < deadline, "{at_least} rows at {path}, not {rows:?}");
    }
}
