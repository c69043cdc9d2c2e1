//! The store's specification: what holds on every backend (`tables`), and what holds of journal and ledger together
//! (`exactly_once`, `killed`). Every function takes a [`Store`]; only [`Home`] knows which backend it is.

mod exactly_once;
mod killed;
mod mcp;
mod mcp_connections;
mod objects;
mod requests;
mod tables;

use std::sync::{Arc, LazyLock};

use gatehouse_domain::{AttemptId, AttemptOutcome, AttemptStatus, Money, Principal, PrincipalKind, RequestId, Usage};
use uuid::Uuid;

use crate::journal::{Intent, Journal, JournalConfig, JournalReader};
use crate::{DataDir, Shipper, ShipperConfig, Store};

pub(crate) const START: u64 = 1_795_000_000_000;

/// A data folder and a database for one test.
pub(crate) struct Home {
    _folder: tempfile::TempDir,
    pub(crate) dir: DataDir,
    pub(crate) store: Store,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::create(folder.path().join("data")).unwrap();
        let store = Store::open(&dir).await.unwrap();
        Self { _folder: folder, dir, store }
    }

    pub(crate) fn shipper(&self, reader: JournalReader) -> Shipper {
        Shipper::new(self.store.clone(), reader, ShipperConfig { most_rows: 100, ..ShipperConfig::default() })
    }

    /// Opens this folder's journal and ships all an earlier process left.
    pub(crate) async fn restart(&self) -> (Journal, Shipper, crate::Recovery) {
        let (journal, reader) = Journal::open(&self.dir, small()).unwrap();
        let mut shipper = self.shipper(reader);
        let recovery = shipper.recover().await.unwrap();
        (journal, shipper, recovery)
    }

    /// The journal as `kill -9` would leave it now, in a data folder of its own.
    pub(crate) fn photograph(&self) -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().unwrap();
        let copy = DataDir::create(folder.path().join("data")).unwrap();
        let to = copy.journal().unwrap();
        for file in std::fs::read_dir(self.dir.journal().unwrap()).unwrap() {
            let file = file.unwrap();
            // A file may go while this looks at the folder: then its rows are in the database.
            if let Ok(bytes) = std::fs::read(file.path()) {
                std::fs::write(to.join(file.file_name()), bytes).unwrap();
            }
        }
        (folder, copy)
    }

    pub(crate) fn journal_files(&self) -> usize {
        std::fs::read_dir(self.dir.journal().unwrap()).unwrap().count()
    }

    pub(crate) async fn rows(&self) -> u64 {
        let report = self.store.usage(&crate::UsageQuery::default()).await.unwrap();
        report.iter().map(|row| row.attempts).sum()
    }
}

/// Small segments, so that tests cross their borders.
pub(crate) fn small() -> JournalConfig {
    JournalConfig { segment_bytes: 64 << 10, ..JournalConfig::default() }
}

pub(crate) static CALLER: LazyLock<Principal> = LazyLock::new(|| Principal {
    team: Some("support".into()),
    user: Some("ada".into()),
    agent: Some("billing".into()),
    ..Principal::bare(PrincipalKind::Service, "key_ci", "ci")
});

/// The id of attempt 0 of call `n`, a millisecond after the one before.
pub(crate) fn id(n: u64) -> AttemptId {
    let time = u128::from(START + n) << 80;
    RequestId::from_uuid(Uuid::from_u128(time | (u128::from(n) << 16) | (7 << 76) | (2 << 62))).attempt(0)
}

pub(crate) fn intent(n: u64) -> Intent<'static> {
    Intent {
        id: id(n),
        started_unix_ms: START + n,
        who: &CALLER,
        run: Some("run-7"),
        tags: Some("env=prod"),
        model: "fast",
        provider: "claude",
        upstream_model: "claude-haiku-4-5",
        dialect: "openai-chat",
        operation: "chat",
        stream: true,
        reserved: Money::from_nano_usd(5000),
        priced: true,
        input_tokens: 11,
    }
}

/// How attempt `n` ended: ok, 100 tokens in, 20 out, 1,200 nano-dollars.
pub(crate) fn outcome(n: u64) -> AttemptOutcome {
    AttemptOutcome {
        id: id(n),
        started_unix_ms: START + n,
        who: Arc::new(CALLER.clone()),
        run: Some("run-7".into()),
        tags: Some("env=prod".into()),
        model: "fast".into(),
        provider: "claude".into(),
        upstream_model: "claude-haiku-4-5".into(),
        dialect: "openai-chat",
        operation: "chat",
        stream: true,
        status: AttemptStatus::Ok,
        http_status: 200,
        usage: Usage { input: 60, cache_read: 40, output: 15, reasoning: 5, ..Usage::default() },
        estimated: false,
        cost: Money::from_nano_usd(1200),
        priced: true,
        duration_us: 250_000,
        first_byte_us: 90_000,
    }
}
