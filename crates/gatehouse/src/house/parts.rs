//! Opening what the process keeps: data folder, database, journal, telemetry.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use gatehouse_catalog::{Config, LogFormat as WrittenFormat};
use gatehouse_pipeline::outbox::Outbox;
use gatehouse_pipeline::{Keeper, TokenCache};
use gatehouse_policy::Meters;
use gatehouse_store::journal::{Journal, JournalConfig, JournalWriter};
use gatehouse_store::{DataDir, Pepper, Shipper, ShipperConfig, Store};
use gatehouse_telemetry::{Consumer, Exposition, LogFormat, Origin, Settings, Vocabulary};
use gatehouse_upstream::{HealthTable, Pool, PoolLimits, Tls};

use super::alerts::Bell;
use super::demo::Demo;
use super::jwks::Issuers;
use super::mcp::Room;
use super::oauth::OwnIssuer;
use super::records::{Recorder, Records};
use super::source::Source;
use super::{House, State};
use crate::config_file;
use crate::failure::Failure;

/// Everything opened, before anything is in force.
pub(super) struct Parts {
    pub(super) house: Arc<House>,
    pub(super) shipper: Shipper,
    /// One per data-plane core.
    pub(super) writers: Vec<JournalWriter>,
    pub(super) outboxes: Vec<Arc<Outbox>>,
    pub(super) consumer: Consumer,
    pub(super) recorder: Recorder,
}

impl Parts {
    pub(super) async fn open(config: &Config, source: Source, tls: &Tls) -> Result<Self, Failure> {
        let data_dir = DataDir::create(&config.data_dir).map_err(unusable)?;
        let store = Store::open(&data_dir).await.map_err(unusable)?;
        let pepper = Pepper::load(&data_dir).map_err(unusable)?;
        store.unlock(config_file::master_keys(config)).map_err(unusable)?;
        let (records, recorder) = Records::open(&store).map_err(unusable)?;
        let (journal, reader) = Journal::open(&data_dir, JournalConfig::default()).map_err(unusable)?;
        let count = workers(config);
        let writers = (0..count).map(|_| journal.writer()).collect::<Result<Vec<_>, _>>().map_err(unusable)?;
        let outboxes: Vec<_> = (0..count).map(|_| Arc::new(Outbox::default())).collect();
        let (consumer, exposition) = telemetry(config, tls)?;
        let shipper = Shipper::new(store.clone(), reader, ShipperConfig::default());
        let own = OwnIssuer::open(&store, tls).await.map_err(unusable)?;
        let bell = Arc::new(Bell::default());
        let pool = Pool::new(Arc::clone(tls), PoolLimits::default());
        let mcp = Room::open(&data_dir, &store, &pool, tls, &bell).await?;
        let kept = Kept { store, pepper, journal, records, own, mcp, bell };
        let house = house(kept, &shipper, source, exposition, outboxes.clone());
        house.mcp.belong_to(&house);
        Ok(Self { house, shipper, writers, outboxes, consumer, recorder })
    }
}

/// What lies in the data folder, opened.
struct Kept {
    store: Store,
    pepper: Pepper,
    journal: Journal,
    records: Arc<Records>,
    own: OwnIssuer,
    mcp: Room,
    bell: Arc<Bell>,
}

fn house(
    kept: Kept,
    shipper: &Shipper,
    source: Source,
    exposition: Exposition,
    outboxes: Vec<Arc<Outbox>>,
) -> Arc<House> {
    let Kept { store, pepper, journal, records, own, mcp, bell } = kept;
    Arc::new(House {
        keeper: Arc::new(Keeper::new(store.clone(), tokio::runtime::Handle::current())),
        store,
        pepper,
        journal,
        shipped: shipper.stats(),
        health: HealthTable::default(),
        meters: Meters::default(),
        demo: Demo::default(),
        mcp,
        source,
        exposition,
        outboxes,
        records,
        bell,
        tokens: Mutex::new(HashMap::new()),
        issuers: Issuers::default(),
        own,
        presented: TokenCache::default(),
        shared: OnceLock::new(),
        inside: OnceLock::new(),
        state: Mutex::new(State::default()),
        changing: tokio::sync::Mutex::new(()),
        reading: tokio::sync::Mutex::new(()),
    })
}

fn telemetry(config: &Config, tls: &Tls) -> Result<(Consumer, Exposition), Failure> {
    let settings = Settings {
        log: log_format(config.telemetry.log),
        log_to: Box::new(io::stdout()),
        otlp: config.telemetry.otlp.as_ref().map(|url| url.text.clone()).unwrap_or_default(),
        pool: Pool::new(Arc::clone(tls), PoolLimits::default()),
        origin: Origin { version: env!("CARGO_PKG_VERSION").to_owned(), instance: std::process::id().to_string() },
    };
    Consumer::start(settings, Arc::new(Vocabulary::default()))
        .map_err(|error| Failure::problem(error, "check the telemetry section of the configuration"))
}

pub(super) const fn log_format(written: WrittenFormat) -> LogFormat {
    match written {
        WrittenFormat::Json => LogFormat::Json,
        WrittenFormat::Text => LogFormat::Text,
        WrittenFormat::Off => LogFormat::Off,
    }
}

fn workers(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.server.workers.map_or_else(cores, usize::from).max(1)
}

fn unusable(error: gatehouse_store::StoreError) -> Failure {
    Failure::problem(error, "check that the data folder can be written and that no other gateway uses it")
}
