//! One thread, one current-thread runtime, one listener and one upstream pool per core.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gatehouse_pipeline::{Core, Shared};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::listener::{self, Caps, accept};
use crate::service::{ControlPlane, Front, Serves};
use crate::tls::TlsReload;

/// How often a core drops upstream connections that were idle too long, and gives back memory that has been free for a while.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What all cores are started with.
#[derive(Clone)]
pub struct CoreSeed {
    /// Where to listen. Port 0 takes a free one, the same for all cores.
    pub address: SocketAddr,
    /// Which planes this address serves.
    pub serves: Serves,
    /// Connection caps, per core.
    pub caps: Caps,
    /// TLS, if configured.
    pub tls: TlsReload,
    /// Shared state of the path.
    pub shared: Arc<Shared>,
    /// The control plane.
    pub control: ControlPlane,
}

/// The running cores of one address.
pub struct Cores {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every call finished.
    Completely,
    /// The deadline came first; so many calls were still under way and are cut with the process.
    CutOff {
        /// Calls still under way.
        calls: usize,
    },
}

impl Cores {
    /// Binds and starts one thread for each of `cores`.
    ///
    /// # Errors
    /// When the address cannot be bound or a thread cannot be started; what had started is stopped.
    pub fn start(seed: &CoreSeed, cores: Vec<Arc<Core>>) -> io::Result<Self> {
        Self::spawn(seed, cores.into_iter().map(Some).collect())
    }

    /// Binds an address that serves the control plane only, on one thread.
    ///
    /// # Errors
    /// When the address cannot be bound or the thread cannot be started.
    pub fn start_control(seed: &CoreSeed) -> io::Result<Self> {
        Self::spawn(seed, vec![None])
    }

    fn spawn(seed: &CoreSeed, cores: Vec<Option<Arc<Core>>>) -> io::Result<Self> {
        let mut address = seed.address;
        let mut listeners = Vec::with_capacity(cores.len());
        for _ in &cores {
            let listener = listener::bind(address)?;
            address = listener.local_addr()?;
            listeners.push(listener);
        }
        let (stop, stopping) = watch::channel(false);
        let mut threads = Vec::with_capacity(cores.len());
        for (number, (core, listener)) in cores.into_iter().zip(listeners).enumerate() {
            let (seed, stopping) = (seed.clone(), stopping.clone());
            let thread = std::thread::Builder::new()
                .name(if core.is_some() { format!("core-{number}") } else { "admin".to_owned() })
                .spawn(move || run(&seed, core, listener, stopping))?;
            threads.push(thread);
        }
        Ok(Self { address, stop, threads })
    }

    /// The bound address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, tells connections to close after their current call, and waits for the calls under way, but not
    /// beyond the deadline. Blocks: call it off the runtimes.
    #[must_use]
    pub fn drain(self, shared: &Shared, deadline: Instant) -> Drained {
        self.stop.send_replace(true);
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= deadline {
                return Drained::CutOff { calls: shared.in_flight() };
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Drained::Completely
    }
}

fn run(seed: &CoreSeed, core: Option<Arc<Core>>, listener: std::net::TcpListener, stop: watch::Receiver<bool>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "a core cannot start its runtime");
            return;
        }
    };
    seed.shared.watch(runtime.metrics());
    let front = Front {
        core: core.clone(),
        shared: Arc::clone(&seed.shared),
        control: seed.control.clone(),
        serves: seed.serves,
    };
    runtime.block_on(async move {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "a core cannot use its listener");
                return;
            }
        };
        // First, and with it behind the tasks of every turn.
        let uncorking = tokio::spawn(gatehouse_cork::uncork());
        let sweeper = core.clone().map(|core| tokio::spawn(sweep(core, Arc::clone(&seed.shared))));
        accept(listener, Arc::new(front), seed.caps, seed.tls.clone(), stop).await;
        if let Some(core) = core {
            core.undetached().await;
        }
        if let Some(sweeper) = sweeper {
            sweeper.abort();
        }
        uncorking.abort();
    });
}

async fn sweep(core: Arc<Core>, shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        core.pool().sweep();
        // The allocator looks for itself only when something is freed: after a load it would keep what that took.
        gatehouse_mapped::collect(shared.in_flight() == 0);
    }
}
