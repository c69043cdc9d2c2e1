//! What conversations share, whatever core they run on and whatever configuration they began under.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_domain::{Code, Fault, Principal};
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_gateway::catalogue::Catalogue;
use gatehouse_mcp_gateway::seal::{NONCE_LEN, Sealer, Token};
use gatehouse_mcp_gateway::{Id, Raw};
use gatehouse_upstream::{Health, Pool};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use super::feed::Feeds;
use super::memory::Sessions;
use super::park::Parked;
use super::question::Questions;
use super::spill::Spilled;
use crate::link::{Failure, Link};

/// Who has which link.
pub trait Reach: Send + Sync {
    /// The way to a server for one principal; for a session of the older era, that session's own.
    ///
    /// # Errors
    /// When there can be none.
    fn link(
        &self,
        server: &Arc<Server>,
        principal: &Arc<Principal>,
        session: Option<&Arc<str>>,
    ) -> Result<Arc<dyn Link>, Failure>;
    /// The session has ended, and with it every link that is its own.
    fn forget(&self, session: &Arc<str>);
}

/// What a desk is made of.
pub struct DeskParts {
    /// Makes and opens tokens; every replica has the same keys.
    pub sealer: Sealer,
    /// Who has which link.
    pub reach: Arc<dyn Reach>,
    /// The catalogue as it is now.
    pub catalogue: watch::Receiver<Arc<Catalogue>>,
    /// Where what outlives its caller runs.
    pub control: Handle,
    /// Connections of what runs there.
    pub pool: Pool,
    /// The gateway's `serverInfo`.
    pub server_info: Raw,
}

/// What conversations share.
pub struct Desk {
    pub(super) sealer: Sealer,
    pub(super) reach: Arc<dyn Reach>,
    pub(super) catalogue: watch::Receiver<Arc<Catalogue>>,
    pub(super) control: Handle,
    pub(super) pool: Pool,
    pub(super) server_info: Raw,
    pub(super) sessions: Sessions,
    pub(super) questions: Questions,
    pub(super) feeds: Feeds,
    pub(super) parked: Parked,
    pub(super) spilled: Spilled,
    stations: Mutex<HashMap<Arc<str>, Arc<Station>>>,
    stirred: watch::Sender<u64>,
    ids: AtomicI64,
}

/// What is known of one server beyond its configuration.
pub(super) struct Station {
    /// Its breaker.
    pub(super) health: Arc<Health>,
    /// How many calls may be under way.
    pub(super) room: Arc<Semaphore>,
    room_for: usize,
}

impl Desk {
    /// Puts a desk together. There is one in a process.
    #[must_use]
    pub fn new(parts: DeskParts) -> Arc<Self> {
        let DeskParts { sealer, reach, catalogue, control, pool, server_info } = parts;
        Arc::new(Self {
            sealer,
            reach,
            catalogue,
            control,
            pool,
            server_info,
            sessions: Sessions::default(),
            questions: Questions::default(),
            feeds: Feeds::default(),
            parked: Parked::default(),
            spilled: Spilled::default(),
            stations: Mutex::default(),
            stirred: watch::Sender::new(0),
            ids: AtomicI64::new(1),
        })
    }

    /// Something has changed that decides who may see what: those who listen look again.
    pub fn stir(&self) {
        self.stirred.send_modify(|times| *times += 1);
    }

    /// The breaker of each server, by name.
    #[must_use]
    pub fn health(&self) -> Vec<(Arc<str>, Arc<Health>)> {
        let stations = self.stations();
        stations.iter().map(|(name, station)| (Arc::clone(name), Arc::clone(&station.health))).collect()
    }

    pub(super) fn stirred(&self) -> watch::Receiver<u64> {
        self.stirred.subscribe()
    }

    /// The station of a server: its breaker stays from one configuration to the next, its room as long as it has the size.
    pub(super) fn station(&self, server: &Server) -> Arc<Station> {
        let mut stations = self.stations();
        let room_for = server.caps.concurrent;
        let known = stations.get(&server.name);
        if let Some(station) = known.filter(|station| station.room_for == room_for) {
            return Arc::clone(station);
        }
        let health = known.map(|station| Arc::clone(&station.health)).unwrap_or_default();
        let station = Arc::new(Station { health, room: Arc::new(Semaphore::new(room_for)), room_for });
        stations.insert(Arc::clone(&server.name), Arc::clone(&station));
        station
    }

    /// A number nobody else has in this process: ids and progress tokens towards servers.
    pub(super) fn next_id(&self) -> Id {
        Id::Number(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// A token of this payload.
    ///
    /// # Errors
    /// `Internal`, should the operating system have no randomness.
    pub(super) fn seal<T: Token>(&self, payload: &T) -> Result<String, Fault> {
        let broken = || Fault::new(Code::Internal, "a token could not be made; report this");
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| broken())?;
        self.sealer.close(payload, nonce).map_err(|_| broken())
    }

    fn stations(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Station>>> {
        self.stations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name nobody can guess.
///
/// # Errors
/// `Internal`, should the operating system have no randomness.
pub(super) fn random_name() -> Result<Arc<str>, Fault> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|_| Fault::new(Code::Internal, "the operating system gave no randomness; try again"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)).into())
}
