//! The audit log: every administrative act and every refusal, append-only, hash-chained per organisation.
//!
//! - `event`: what an entry says ([`AuditEvent`]).
//! - `chain`: canonical JSON and the hash that joins an entry to the one before it.
//! - `statement`: signed statements about a chain (checkpoints, tombstones, heads) and the instance key behind them.
//! - `head`: the newest statement of each chain, in a file *beside* the database, so that cutting off the end is found.
//! - [`AuditLog`]: appending, listing, exporting and deleting by age, over the tables.
//! - [`AuditVerifier`]: whether a chain is what was written. It needs no database: exports go through it, too.
//! - [`Refusals`]: what keeps a flood of refusals from becoming a flood of entries.
//!
//! Tamper-evident, not tamper-proof: whoever can change the database *and* read the instance key beside it can write
//! another history. Exports that left the machine are the answer to that; docs/audit.md says so.

mod chain;
mod event;
mod export;
mod head;
mod log;
mod refusals;
mod statement;
mod verify;

#[cfg(test)]
mod tests;

pub use event::{Actor, AuditEvent, AuditObject, AuditOutcome, object_hash};
pub use export::{AuditExport, ExportError, verify_export};
pub use log::{AuditEntry, AuditLog, AuditQuery};
pub use refusals::{Refusal, Refusals};
pub use statement::{InstanceKey, Statement, StatementKind};
pub use verify::{AuditFinding, AuditReport, AuditVerifier, Link};
