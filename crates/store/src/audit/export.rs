//! Exports: the log as JSON lines that anybody can keep elsewhere and check with the public key.
//!
//! ```text
//! {"gatehouse_audit":1,"public_key":"…","exported_unix_ms":…}
//! {"statement":{…}}          everything signed about the chain: where it starts, its checkpoints, where it ended
//! {"entry":{"seq":1,"event":{…},"hash":"…"}}
//! ```
//!
//! Statements of a chain stand before its entries, so that a reader needs to keep no entry in memory.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chain;
use super::log::{AuditLog, links, statements, tip};
use super::statement::{Statement, StatementKind};
use super::verify::{AuditReport, AuditVerifier, Link};
use crate::StoreError;
use crate::hex::{hex, unhex};

/// The longest line that is read: an entry is a few kilobytes at most.
const LINE_BYTES_MAX: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Heading {
    gatehouse_audit: u32,
    public_key: String,
    exported_unix_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Statement(Statement),
    Entry(Entry),
}

#[derive(Serialize, Deserialize)]
struct Entry {
    seq: u64,
    event: Value,
    hash: String,
}

/// Why an export cannot be checked at all. What is wrong with its chains is in their reports.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read.
    #[error("cannot read the export: {0}")]
    Io(#[from] io::Error),
    /// It is none.
    #[error("this is not an audit export: its first line names no `gatehouse_audit` and no public key")]
    NotAnExport,
    /// It was signed by another installation.
    #[error("the export names the public key {found}, not the one it is to be checked against")]
    OtherKey {
        /// The key it names.
        found: String,
    },
}

/// The log on its way out, piece by piece: never more of it in memory than a page.
#[derive(Debug)]
pub struct AuditExport {
    log: AuditLog,
    since_unix_ms: u64,
    now_unix_ms: u64,
    /// Chains still to come; `None` before the heading.
    chains: Option<VecDeque<String>>,
    open: Option<OpenChain>,
}

/// The chain whose entries are being written.
#[derive(Debug)]
struct OpenChain {
    organisation: String,
    /// The next entry.
    from: u64,
    /// The last one: those appended meanwhile are left to the next export.
    last: u64,
}

impl AuditExport {
    /// The next lines, each with its line break; `None` at the end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let Some(chains) = &mut self.chains else {
            self.chains = Some(self.log.organisations(&[]).await?.into_iter().collect());
            let (public_key, exported_unix_ms) = (self.log.public_key(), self.now_unix_ms);
            return Ok(Some(text(&Heading { gatehouse_audit: 1, public_key, exported_unix_ms })));
        };
        let Some(chain) = &mut self.open else {
            let Some(organisation) = chains.pop_front() else { return Ok(None) };
            let (chain, statements) = self.log.begin(organisation, self.since_unix_ms, self.now_unix_ms).await?;
            self.open = Some(chain);
            return Ok(Some(statements.into_iter().map(|statement| text(&Line::Statement(statement))).collect()));
        };
        let mut connection = self.log.store().pool.acquire().await?;
        let page = links(&mut connection, &chain.organisation, chain.from, chain.last).await?;
        match page.last() {
            Some((seq, _)) => chain.from = seq + 1,
            None => self.open = None,
        }
        let entry = |link: Link| Line::Entry(Entry { seq: link.seq, event: link.event, hash: hex(&link.hash) });
        Ok(Some(page.into_iter().filter_map(|(_, link)| link).map(|link| text(&entry(link))).collect()))
    }
}

impl AuditLog {
    /// The log as lines, from a moment on (0 for all of it).
    #[must_use]
    pub fn export(&self, since_unix_ms: u64, now_unix_ms: u64) -> AuditExport {
        AuditExport { log: self.clone(), since_unix_ms, now_unix_ms, chains: None, open: None }
    }

    /// Where a chain's entries begin, and everything that is signed about them.
    async fn begin(
        &self,
        organisation: String,
        since_unix_ms: u64,
        now_unix_ms: u64,
    ) -> Result<(OpenChain, Vec<Statement>), StoreError> {
        let mut connection = self.store().pool.acquire().await?;
        let (last, last_hash) = tip(&mut connection, &organisation).await?;
        let mut known = statements(&mut connection, &organisation).await?;
        drop(connection);
        known.retain(|statement| statement.seq <= last);
        let mut from = 0;
        if since_unix_ms > 0 {
            let (seq, hash) = self.last_before(&organisation, since_unix_ms, last).await?;
            let number = known.iter().filter(|statement| statement.seq <= seq).map(|s| s.number).max().unwrap_or(0);
            known.retain(|statement| statement.number > number);
            known.push(self.key().state(StatementKind::Start, &organisation, number, (seq, &hash), now_unix_ms));
            from = seq + 1;
        }
        let number = known.iter().map(|statement| statement.number).max().unwrap_or(0);
        known.push(self.key().state(StatementKind::Head, &organisation, number, (last, &last_hash), now_unix_ms));
        Ok((OpenChain { organisation, from, last }, known))
    }

    /// The newest entry from before a moment, or what stands before the first one there is.
    async fn last_before(
        &self,
        organisation: &str,
        since_unix_ms: u64,
        last: u64,
    ) -> Result<(u64, chain::Hash), StoreError> {
        let mut connection = self.store().pool.acquire().await?;
        let tombstones = statements(&mut connection, organisation).await?;
        let tombstone = tombstones.iter().rfind(|statement| statement.kind == StatementKind::Tombstone);
        let hash = |statement: &Statement| unhex(&statement.hash).unwrap_or(chain::BEGINNING);
        let mut found = tombstone.map_or((0, chain::BEGINNING), |statement| (statement.seq, hash(statement)));
        loop {
            let page = links(&mut connection, organisation, found.0 + 1, last).await?;
            if page.is_empty() {
                return Ok(found);
            }
            for link in page.into_iter().filter_map(|(_, link)| link) {
                if link.event["at_unix_ms"].as_u64().is_some_and(|at| at >= since_unix_ms) {
                    return Ok(found);
                }
                found = (link.seq, link.hash);
            }
        }
    }
}

/// Checks an export. Without `public_key` it is checked against the key it names itself, which proves only that it is whole.
///
/// # Errors
/// When it cannot be read, is no export, or names another key than `public_key`.
pub fn verify_export(mut lines: impl BufRead, public_key: Option<&str>) -> Result<Vec<AuditReport>, ExportError> {
    let heading = next_line(&mut lines)?.ok_or(ExportError::NotAnExport)?;
    let heading: Heading = serde_json::from_str(&heading).map_err(|_| ExportError::NotAnExport)?;
    let public = unhex(&heading.public_key).ok_or(ExportError::NotAnExport)?;
    if public_key.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&heading.public_key)) {
        return Err(ExportError::OtherKey { found: heading.public_key });
    }
    let mut chains = Chains { public, waiting: BTreeMap::new(), open: None, reports: Vec::new() };
    let mut number = 1_u64;
    while let Some(line) = next_line(&mut lines)? {
        number += 1;
        match serde_json::from_str(&line) {
            Ok(Line::Statement(statement)) => {
                chains.waiting.entry(statement.organisation.clone()).or_default().push(statement);
            }
            Ok(Line::Entry(entry)) => chains.entry(&entry, number),
            Err(_) => chains.unreadable(number),
        }
    }
    Ok(chains.finish())
}

/// The chains of an export, one after the other.
struct Chains {
    public: [u8; 32],
    waiting: BTreeMap<String, Vec<Statement>>,
    open: Option<(String, AuditVerifier)>,
    reports: Vec<AuditReport>,
}

impl Chains {
    fn entry(&mut self, entry: &Entry, line: u64) {
        let organisation = entry.event["organisation"].as_str().unwrap_or_default().to_owned();
        // An entry that names another chain is that chain's first, if anything was signed about it, or a stray in this one.
        let other = self.open.as_ref().is_none_or(|(open, _)| *open != organisation);
        if other && (self.open.is_none() || self.waiting.contains_key(&organisation)) {
            self.open(organisation);
        }
        let Some((_, verifier)) = &mut self.open else { return };
        match unhex(&entry.hash) {
            Some(hash) => verifier.link(&Link { seq: entry.seq, event: entry.event.clone(), hash }),
            None => verifier.unreadable(format!("line {line}")),
        }
    }

    fn open(&mut self, organisation: String) {
        let statements = self.waiting.remove(&organisation).unwrap_or_default();
        let verifier = AuditVerifier::new(&organisation, statements, &self.public);
        let before = self.open.replace((organisation, verifier));
        self.reports.extend(before.map(|(_, verifier)| verifier.finish()));
    }

    fn unreadable(&mut self, line: u64) {
        if self.open.is_none() {
            self.open(String::new());
        }
        if let Some((_, verifier)) = &mut self.open {
            verifier.unreadable(format!("line {line}"));
        }
    }

    /// Chains of which only statements are there had no entry to show, or all were removed.
    fn finish(mut self) -> Vec<AuditReport> {
        let left: Vec<String> = self.waiting.keys().cloned().collect();
        left.into_iter().for_each(|organisation| self.open(organisation));
        self.reports.extend(self.open.map(|(_, verifier)| verifier.finish()));
        self.reports
    }
}

/// The next line that holds anything, never more of one than an entry can be.
fn next_line(lines: &mut impl BufRead) -> io::Result<Option<String>> {
    loop {
        let mut line = String::new();
        let mut bounded = io::Read::take(&mut *lines, LINE_BYTES_MAX);
        if bounded.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if !line.trim().is_empty() {
            return Ok(Some(line));
        }
    }
}

fn text(line: &impl Serialize) -> String {
    serde_json::to_string(line).map(|line| line + "\n").unwrap_or_default()
}
