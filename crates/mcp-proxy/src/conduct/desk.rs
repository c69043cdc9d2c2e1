//! What conversations share, whatever core they run on and whatever configuration they began under.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gatehouse_domain::{Code, Fault};
use gatehouse_mcp_gateway::seal::{NONCE_LEN, Sealer, Token};
use gatehouse_mcp_gateway::{Id, Raw};
use gatehouse_upstream::{Health, Pool};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::agree::{self, Agreeing};
use super::ears::Ears;
use super::feed::Feeds;
use super::memory::Sessions;
use super::opened::Opened;
use super::park::Parked;
use super::question::Questions;
use super::spill::Spilled;
use super::tasks::Overseen;
use crate::auth::Connected;
use crate::{Links, Refresher};

/// What a desk is made of.
pub struct DeskParts {
    /// Makes and opens tokens; every replica has the same keys.
    pub sealer: Sealer,
    /// Who has which link.
    pub links: Arc<Links>,
    /// Who knows the catalogue.
    pub refresher: Arc<Refresher>,
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
    pub(super) links: Arc<Links>,
    pub(super) refresher: Arc<Refresher>,
    pub(super) control: Handle,
    pub(super) pool: Pool,
    pub(super) server_info: Raw,
    pub(super) sessions: Sessions,
    pub(super) opened: Opened,
    pub(super) questions: Questions,
    pub(super) feeds: Feeds,
    pub(super) parked: Parked,
    pub(super) overseen: Overseen,
    pub(super) spilled: Spilled,
    pub(super) ears: Arc<Ears>,
    pub(super) agreeing: Agreeing,
    /// Attempts have a breaker; here it never opens, as links have their own.
    pub(super) breaker: Arc<Health>,
    stirred: watch::Sender<u64>,
    ids: AtomicI64,
}

impl Desk {
    /// Puts a desk together. There is one in a process.
    #[must_use]
    pub fn new(parts: DeskParts) -> Arc<Self> {
        let DeskParts { sealer, links, refresher, control, pool, server_info } = parts;
        Arc::new(Self {
            sealer,
            links,
            refresher,
            control,
            pool,
            server_info,
            sessions: Sessions::default(),
            opened: Opened::default(),
            questions: Questions::default(),
            feeds: Feeds::default(),
            parked: Parked::default(),
            overseen: Overseen::default(),
            spilled: Spilled::default(),
            ears: Arc::default(),
            agreeing: Agreeing::default(),
            breaker: Arc::default(),
            stirred: watch::Sender::new(0),
            ids: AtomicI64::new(1),
        })
    }

    /// How many streams only listen.
    #[must_use]
    pub fn listening(&self) -> usize {
        self.ears.count()
    }

    /// Somebody has agreed that a server is used in their name: who waits for that hears of it.
    pub async fn agreed(self: &Arc<Self>, connected: &Connected) {
        agree::heard(self, connected).await;
    }

    /// Something has changed that decides who may see what: those who listen look again.
    pub fn stir(&self) {
        self.stirred.send_modify(|times| *times += 1);
    }

    pub(super) fn stirred(&self) -> watch::Receiver<u64> {
        self.stirred.subscribe()
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
