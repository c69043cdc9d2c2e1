//! What one server's lists come to: its items read and judged, once for each time they were fetched. Putting sheets together
//! ([`super::Catalogue::compose`]) is then cheap enough to be done at every change of a pin, a name or the configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entry::{Entry, Origin, raw_text};
use super::fetched::Fetched;
use super::finding::{Finding, Kind, Severity};
use crate::era::Revision;
use crate::pins::{self, Hash};
use crate::poison::{self, Scan};

/// The most items of one kind that are taken of one server.
pub const ITEMS: usize = 5_000;
/// The longest item, in bytes.
pub const ITEM_BYTES: usize = 256 << 10;

/// One server's lists, read.
#[derive(Debug)]
pub struct Sheet {
    /// What was read.
    pub fetched: Arc<Fetched>,
    pub(crate) items: Vec<Item>,
    pub(crate) instructions: Option<Instructions>,
    /// What was found in its texts, and what is too much of it.
    pub findings: Vec<Finding>,
}

/// One item, and what was found in it.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) entry: Arc<Entry>,
    /// `None` for resources: they are not pinned.
    pub(crate) pin: Option<Hash>,
    pub(crate) scan: Scan,
}

/// The server's instructions, and what was found in them.
#[derive(Debug)]
pub(crate) struct Instructions {
    pub(crate) text: Arc<str>,
    pub(crate) pin: Hash,
    pub(crate) scan: Scan,
}

impl Sheet {
    /// Reads, hashes and scans.
    #[must_use]
    pub fn read(fetched: Arc<Fetched>) -> Self {
        let server = Arc::clone(&fetched.server);
        let (revision, makes_tasks) = (Revision::of(&fetched.revision), fetched.makes_tasks());
        let origin = Origin { server: &server, revision, makes_tasks };
        let mut findings = Vec::new();
        let mut items = Vec::new();
        for kind in Kind::LISTED {
            let listed = fetched.items(kind);
            let mut names = BTreeSet::new();
            if listed.len() > ITEMS {
                findings.push(too_many(&server, kind, listed.len()));
            }
            for raw in listed.iter().take(ITEMS) {
                match read_item(origin, kind, raw, &mut names) {
                    Ok(item) => {
                        findings.extend(item.scan.findings(&server, kind, &item.entry.real));
                        items.push(item);
                    }
                    Err(finding) => findings.push(finding),
                }
            }
        }
        let instructions = fetched.instructions.as_ref().filter(|text| !text.is_empty()).map(|text| {
            let scan = Scan::of_text(text);
            findings.extend(scan.findings(&server, Kind::Instructions, ""));
            Instructions { text: Arc::clone(text), pin: pins::hash_text(text), scan }
        });
        Self { items, instructions, findings, fetched }
    }

    /// Who it is of.
    #[must_use]
    pub fn server(&self) -> &Arc<str> {
        &self.fetched.server
    }
}

fn read_item(
    origin: Origin<'_>,
    kind: Kind,
    raw: &crate::wire::Raw,
    names: &mut BTreeSet<Arc<str>>,
) -> Result<Item, Finding> {
    let left_out = |code, item: &str, message: &str| Finding {
        severity: Severity::Medium,
        code,
        server: Arc::clone(origin.server),
        kind,
        item: item.into(),
        message: message.to_owned(),
    };
    if raw.bytes().len() > ITEM_BYTES {
        return Err(left_out("too_large", "", "An item is larger than 256 KiB and is left out."));
    }
    let entry = Entry::read(origin, kind, raw)?;
    if !names.insert(Arc::clone(&entry.real)) {
        return Err(left_out("listed_twice", &entry.real, "It is listed twice; the first one counts."));
    }
    let text = raw_text(raw);
    let pin = match kind {
        Kind::Resource => None,
        // What cannot be hashed cannot be compared, so it is not offered.
        _ => match pins::hash_json(text) {
            Some(hash) => Some(hash),
            None => {
                return Err(left_out(
                    "unusable_item",
                    &entry.real,
                    "It is no JSON that can be compared, and is left out.",
                ));
            }
        },
    };
    Ok(Item { scan: poison::scan_item(text), entry: Arc::new(entry), pin })
}

fn too_many(server: &Arc<str>, kind: Kind, count: usize) -> Finding {
    Finding {
        severity: Severity::Medium,
        code: "too_many_items",
        server: Arc::clone(server),
        kind,
        item: "".into(),
        message: format!("It lists {count} of them; the first {ITEMS} are offered."),
    }
}
