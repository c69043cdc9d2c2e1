//! The proof that guardrails ran: one cell for each guardrail at each of its points, written by whoever looks and read when
//! the call is over.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use gatehouse_domain::{GuardrailRun, Point, Ran};
use gatehouse_policy::guardrails::Action;

use crate::journey::micros;

/// What each guardrail of a call did. Atomic, because an answer's texts are looked at where the answer is; never contended.
#[derive(Default)]
pub(super) struct Proof {
    cells: Vec<Cell>,
    spent_us: AtomicU64,
}

struct Cell {
    name: Arc<str>,
    point: Point,
    action: Action,
    state: AtomicU8,
    findings: AtomicU32,
}

const RAN: u8 = 1;
const FAILED: u8 = 2;

impl Cell {
    fn ran(&self) -> Ran {
        match self.state.load(Ordering::Relaxed) {
            RAN => Ran::Ran,
            FAILED => Ran::Failed,
            _ => Ran::Skipped,
        }
    }
}

impl Proof {
    /// Makes room for a guardrail; returns the place of its first point.
    pub(super) fn add(&mut self, name: &Arc<str>, on: &[Point], action: Action) -> usize {
        let first = self.cells.len();
        self.cells.extend(on.iter().map(|point| Cell {
            name: Arc::clone(name),
            point: *point,
            action,
            state: AtomicU8::new(0),
            findings: AtomicU32::new(0),
        }));
        first
    }

    pub(super) fn ran(&self, cell: usize) {
        self.cells[cell].state.fetch_max(RAN, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, cell: usize) {
        self.cells[cell].state.store(FAILED, Ordering::Relaxed);
    }

    pub(super) fn found(&self, cell: usize, findings: usize) {
        self.cells[cell].findings.fetch_add(u32::try_from(findings).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    pub(super) fn took(&self, time: Duration) {
        self.spent_us.fetch_add(micros(time), Ordering::Relaxed);
    }

    pub(super) fn spent_us(&self) -> u64 {
        self.spent_us.load(Ordering::Relaxed)
    }

    pub(super) fn runs(&self) -> Vec<GuardrailRun> {
        let run = |cell: &Cell| {
            let findings = cell.findings.load(Ordering::Relaxed);
            GuardrailRun {
                name: Arc::clone(&cell.name),
                point: cell.point.word(),
                ran: cell.ran(),
                action: if findings > 0 { cell.action.word() } else { "" },
                findings,
            }
        };
        self.cells.iter().map(run).collect()
    }

    /// `no-secrets=observe:2,pii=ran`: one word for each guardrail, all its points together. `open`: the answer is still to
    /// come, so that what was skipped so far may yet run.
    pub(super) fn told(&self, open: bool) -> String {
        let mut told = String::new();
        for cells in self.cells.chunk_by(|one, next| Arc::ptr_eq(&one.name, &next.name)) {
            let findings: u64 = cells.iter().map(|cell| u64::from(cell.findings.load(Ordering::Relaxed))).sum();
            let any = |ran: Ran| cells.iter().any(|cell| cell.ran() == ran);
            let pending = open && cells.iter().any(|cell| matches!(cell.point, Point::Response | Point::ToolArgs));
            let word = match (findings, any(Ran::Failed)) {
                (_, true) => "failed",
                (0, false) if any(Ran::Ran) => "ran",
                (0, false) if pending => "pending",
                (0, false) => "skipped",
                (_, false) => cells[0].action.word(),
            };
            let comma = if told.is_empty() { "" } else { "," };
            told.extend([comma, &cells[0].name, "=", word]);
            if findings > 0 && word != "failed" {
                // Writing to a string cannot fail.
                _ = write!(told, ":{findings}");
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_run_is_never_said_to_have_run() {
        let mut proof = Proof::default();
        let first = proof.add(&"a".into(), &[Point::Request, Point::Response], Action::Observe);
        let second = proof.add(&"b".into(), &[Point::Request], Action::Block);
        assert_eq!(proof.told(true), "a=pending,b=skipped");
        proof.ran(first);
        proof.ran(second);
        proof.found(second, 2);
        assert_eq!(proof.told(false), "a=ran,b=block:2");
        proof.failed(first + 1);
        proof.ran(first + 1);
        assert_eq!(proof.told(false), "a=failed,b=block:2");
        let ran: Vec<Ran> = proof.runs().iter().map(|run| run.ran).collect();
        assert_eq!(ran, [Ran::Ran, Ran::Failed, Ran::Ran]);
    }
}
