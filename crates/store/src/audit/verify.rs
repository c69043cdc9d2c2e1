//! Is a chain what was written? Takes entries one after the other, from a table or an export, and says everything that is
//! wrong with them. Keeps only statements, never entries: a chain of any length takes the same memory.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::chain::{self, BEGINNING, Hash};
use super::statement::{Statement, StatementKind};
use crate::hex::unhex;

/// Findings of one chain that are listed; the rest is counted.
const LISTED: usize = 100;

/// An entry as it stands in a row or a line, believed by nobody yet.
#[derive(Clone, Debug)]
pub struct Link {
    /// The place it stands at.
    pub seq: u64,
    /// The event.
    pub event: Value,
    /// The hash it claims.
    pub hash: [u8; 32],
}

/// Something wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum AuditFinding {
    /// An entry does not have the hash of what it says.
    Changed {
        /// Which.
        seq: u64,
    },
    /// An entry names another number or organisation than its place.
    Moved {
        /// The place.
        seq: u64,
    },
    /// Entries are gone from within the chain, or from its beginning without a tombstone.
    Removed {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Entries are gone from the end: a signed statement knows more.
    CutOff {
        /// The last entry there is.
        at: u64,
        /// The last one there was.
        was: u64,
    },
    /// A statement's signature is not this installation's.
    Forged {
        /// The statement's number.
        number: u64,
        /// The entry it is about.
        seq: u64,
    },
    /// A signed statement gives an entry another hash: the history before it was written anew.
    Rewritten {
        /// The entry.
        seq: u64,
    },
    /// A checkpoint of the series is gone.
    CheckpointRemoved {
        /// Its number.
        number: u64,
    },
    /// A row, line or file that cannot be read.
    Unreadable {
        /// Which.
        what: String,
    },
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { seq } => write!(f, "entry {seq} was changed: its hash is not that of what it says"),
            Self::Moved { seq } => write!(f, "entry {seq} belongs to another place: entries were moved or exchanged"),
            Self::Removed { from, to } if from == to => write!(f, "entry {from} was removed"),
            Self::Removed { from, to } => write!(f, "entries {from} to {to} were removed"),
            Self::CutOff { at, was } => write!(f, "the chain was cut off: it ends at {at}, and {was} was signed"),
            Self::Forged { number, seq } => {
                write!(f, "checkpoint {number} (entry {seq}) was not signed by this installation's key")
            }
            Self::Rewritten { seq } => {
                write!(f, "entry {seq} has another hash than was signed: history was written anew")
            }
            Self::CheckpointRemoved { number } => write!(f, "checkpoint {number} was removed"),
            Self::Unreadable { what } => write!(f, "{what} cannot be read"),
        }
    }
}

/// What was found of one chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// The chain.
    pub organisation: String,
    /// Entries looked at.
    pub entries: u64,
    /// Signed statements looked at.
    pub statements: u64,
    /// The first entry there is: more than 1 after retention.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The last entry that a signature vouches for. Entries after it are only chained.
    pub signed_to: u64,
    /// Is it what was written?
    pub sound: bool,
    /// What is wrong, the first hundred.
    pub findings: Vec<AuditFinding>,
    /// How many more there are.
    pub more: u64,
}

/// Checks one chain: [`new`](Self::new), then [`link`](Self::link) for each entry in order, then [`finish`](Self::finish).
pub struct AuditVerifier {
    report: AuditReport,
    /// Hashes that signed statements give to entries still to come.
    signed: BTreeMap<u64, Hash>,
    /// The last number that a head says there is of checkpoints.
    previous: Option<(u64, Hash)>,
}

impl AuditVerifier {
    /// Begins with everything signed about the chain: checkpoints, tombstones, heads, in any order.
    #[must_use]
    pub fn new(organisation: &str, statements: Vec<Statement>, public: &[u8; 32]) -> Self {
        let report = AuditReport { organisation: organisation.to_owned(), ..AuditReport::default() };
        let mut verifier = Self { report, signed: BTreeMap::new(), previous: None };
        let good = verifier.only_signed(statements, public);
        verifier.count_series(&good);
        // A chain begins at 1, after its newest tombstone, or where an export says it does.
        let begins = good.iter().filter(|s| matches!(s.kind, StatementKind::Tombstone | StatementKind::Start));
        let begins = begins.max_by_key(|statement| statement.seq);
        verifier.previous = begins.map(|s| (s.seq, unhex(&s.hash).unwrap_or(BEGINNING)));
        for statement in &good {
            verifier.expect(statement);
        }
        verifier
    }

    fn only_signed(&mut self, statements: Vec<Statement>, public: &[u8; 32]) -> Vec<Statement> {
        let mut good = Vec::with_capacity(statements.len());
        for statement in statements {
            self.report.statements += 1;
            if statement.is_signed_by(public) && statement.organisation == self.report.organisation {
                good.push(statement);
            } else {
                self.found(AuditFinding::Forged { number: statement.number, seq: statement.seq });
            }
        }
        good
    }

    /// Checkpoints are numbered from 1 without a gap, and a head knows how many there were.
    fn count_series(&mut self, good: &[Statement]) {
        let series: BTreeMap<u64, ()> =
            good.iter().filter(|statement| statement.is_of_the_series()).map(|s| (s.number, ())).collect();
        // An export that begins in the middle has only the later part of the series.
        let floor = good.iter().filter(|s| s.kind == StatementKind::Start).map(|s| s.number).max().unwrap_or(0);
        let top = good.iter().filter(|s| s.kind != StatementKind::Start).map(|s| s.number).max().unwrap_or(0);
        let missing: Vec<u64> =
            (floor + 1..=top).filter(|number| !series.contains_key(number)).take(LISTED + 1).collect();
        for number in missing {
            self.found(AuditFinding::CheckpointRemoved { number });
        }
    }

    /// Remembers what a statement says of an entry; two that disagree cannot both be of one history.
    fn expect(&mut self, statement: &Statement) {
        let Some(hash) = unhex(&statement.hash) else { return };
        self.report.signed_to = self.report.signed_to.max(statement.seq);
        if self.signed.insert(statement.seq, hash).is_some_and(|other| other != hash) {
            self.found(AuditFinding::Rewritten { seq: statement.seq });
        }
    }

    /// The next entry.
    pub fn link(&mut self, link: &Link) {
        let (last, before) = self.previous.unwrap_or((0, BEGINNING));
        if self.report.entries == 0 {
            self.report.first = link.seq;
        }
        if link.seq != last + 1 {
            self.found(if link.seq > last {
                AuditFinding::Removed { from: last + 1, to: link.seq - 1 }
            } else {
                AuditFinding::Moved { seq: link.seq }
            });
        }
        let says = (link.event["seq"].as_u64(), link.event["organisation"].as_str());
        if says != (Some(link.seq), Some(&self.report.organisation)) {
            self.found(AuditFinding::Moved { seq: link.seq });
        }
        // After a gap there is no hash to go on from; the gap has been told.
        if link.seq == last + 1 && chain::next(&before, &link.event) != link.hash {
            self.found(AuditFinding::Changed { seq: link.seq });
        }
        if self.signed.get(&link.seq).is_some_and(|hash| *hash != link.hash) {
            self.found(AuditFinding::Rewritten { seq: link.seq });
        }
        self.report.entries += 1;
        self.report.last = link.seq;
        self.previous = Some((link.seq, link.hash));
    }

    /// A row, line or file of this chain that cannot be read.
    pub fn unreadable(&mut self, what: String) {
        self.found(AuditFinding::Unreadable { what });
    }

    /// The end of the chain.
    #[must_use]
    pub fn finish(mut self) -> AuditReport {
        let at = self.previous.map_or(0, |(seq, _)| seq);
        if let Some((was, _)) = self.signed.last_key_value().filter(|(was, _)| **was > at) {
            let was = *was;
            self.found(AuditFinding::CutOff { at, was });
        }
        self.report.sound = self.report.findings.is_empty();
        self.report
    }

    fn found(&mut self, finding: AuditFinding) {
        if self.report.findings.len() < LISTED {
            self.report.findings.push(finding);
        } else {
            self.report.more += 1;
        }
    }
}

impl Statement {
    fn is_of_the_series(&self) -> bool {
        matches!(self.kind, StatementKind::Checkpoint | StatementKind::Tombstone)
    }
}
