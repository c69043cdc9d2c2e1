//! From start to exit: recover, put the configuration in force, serve, watch for changes, drain.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse_catalog::Config;
use gatehouse_domain::Secret;
use gatehouse_pipeline::outbox::{Outbox, SWAP_EVERY};
use gatehouse_pipeline::{Core, CoreParts, Keeper, Shared};
use gatehouse_server::control::{Control, Operations as _, Reload};
use gatehouse_server::{Caps, ControlPlane, CoreSeed, Cores, Drained, Serves, TlsFiles, TlsReload, admin};
use gatehouse_store::journal::JournalWriter;
use gatehouse_store::{Pepper, Shipper, Store, StoreError};
use gatehouse_telemetry::Consumer;
use gatehouse_upstream::{Pool, PoolLimits, Tls, tls_config};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch as told};

use super::last_used::LastUsed;
use super::parts::{Parts, log_format};
use super::quiet::Quiet;
use super::records::{Keep, Recorder};
use super::source::{Overrides, Source, Started};
use super::{House, alerts, jwks, oauth, tokens, watch};
use crate::acts;
use crate::config_file::Beside;
use crate::failure::Failure;

/// How often the database is asked whether another process changed keys.
const KEYS_EVERY: Duration = Duration::from_secs(1);
/// Longest time for shipping the journal and the last telemetry at exit.
const FLUSH: Duration = Duration::from_secs(5);

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// The configuration file; the built-in default without one.
    pub(crate) file: Option<PathBuf>,
    /// `--listen`.
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// `--data-dir`.
    pub(crate) data_dir: Option<PathBuf>,
    /// `--claim-remote`.
    pub(crate) claim_remote: bool,
}

/// What a caller of [`run`] is told once the gateway serves.
pub(crate) struct Ready<'a> {
    /// The bound address.
    pub(crate) address: std::net::SocketAddr,
    /// The configuration in force.
    pub(crate) config: &'a Config,
    /// The database, for a first key.
    pub(crate) store: &'a Store,
    /// What keys are hashed with.
    pub(crate) pepper: &'a Pepper,
    /// The claim link's token, while nobody has claimed the gateway.
    pub(crate) claim: Option<Secret>,
    /// Tells the gateway to stop, like a signal.
    pub(crate) stop: Arc<Notify>,
}

/// Runs the gateway until it is told to stop. `ready` is called once, when it serves; what it made (a first key) is in
/// force right after.
///
/// # Errors
/// When it cannot start. Once it serves, nothing but a signal ends it.
pub(crate) fn run<F>(options: Options, ready: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(Ready<'_>) -> Result<(), Failure>,
{
    let source = Source { file: options.file, over: Overrides { listen: options.listen, data_dir: options.data_dir } };
    let started = source.load_at_start(Beside::NOTHING)?;
    let claim = ClaimTerms { bootstrap: bootstrap_token()?, remote: options.claim_remote };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(8)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(|error| failure("the runtime cannot be started", error))?;
    let served = runtime.block_on(serve(source, started, claim, ready));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn serve<F>(source: Source, started: Started, terms: ClaimTerms, ready: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(Ready<'_>) -> Result<(), Failure>,
{
    let config = started.loaded.config.clone();
    // A second subscriber cannot be set in one process; the first one stays then.
    drop(gatehouse_telemetry::init_diagnostics(log_format(config.telemetry.log), "info"));
    let authorities = config.authorities.as_deref().map(str::as_bytes);
    let tls =
        tls_config(authorities).map_err(|error| failure("TLS cannot be set up; look at `server.ca_file`", error))?;
    let Parts { house, mut shipper, writers, outboxes, consumer, recorder } =
        Parts::open(&config, source, &tls).await?;
    recover(&mut shipper).await?;
    let shared = put_in_force(&house, started).await?;
    house.store.audit()?.append(vec![acts::by_gateway("gateway.start", "gateway", &house.source.name())]).await?;
    let issuers = Pool::new(Arc::clone(&tls), PoolLimits::default());
    jwks::first(&house, &issuers).await;
    let certificates = TlsReload::default();
    load_certificates(&certificates, &config)?;
    // Before anybody can call: who is let in finds the tools there.
    house.mcp.first_lists().await;
    let cores = start_cores(&house, &config, &terms, &certificates, cores(&house, &shared, &tls, writers, &outboxes))?;
    let (stop, stopping) = told::channel(false);
    let shipping = tokio::spawn(ship(shipper, stopping.clone()));
    let keeping = tokio::spawn(keep(Arc::clone(&house.keeper), stopping.clone()));
    let (quieten, quiet) = told::channel(());
    let telemetry = tokio::spawn(consume(Arc::clone(&house), consumer, outboxes, quieten, stopping));
    // Told to stop when the last outcome has been handed over.
    let (end_records, records_ending) = told::channel(false);
    let recording = tokio::spawn(record(Arc::clone(&house), recorder, records_ending));
    tokio::spawn(tokens::keep_fresh(Arc::clone(&house), Pool::new(Arc::clone(&tls), PoolLimits::default())));
    tokio::spawn(jwks::keep_fresh(Arc::clone(&house), issuers));
    tokio::spawn(oauth::keep(Arc::clone(&house)));
    tokio::spawn(alerts::deliver(Arc::clone(&house), Pool::new(Arc::clone(&tls), PoolLimits::default())));
    tokio::spawn(watch_keys(Arc::clone(&house)));
    tokio::spawn(keep_mcp(Arc::clone(&house)));
    watch::start(&house, &certificates)?;
    // Before anybody is told that the gateway serves: whoever knows may also want it to stop.
    let mut signals = Signals::listen()?;
    let claim = admin::issue_claim(&house.store, &house.pepper, terms.bootstrap.as_ref())
        .await
        .map_err(|error| failure("the claim link cannot be made", error))?;
    let address = cores[0].address();
    let enough = Arc::new(Notify::new());
    let here = Ready {
        address,
        config: &config,
        store: &house.store,
        pepper: &house.pepper,
        claim,
        stop: Arc::clone(&enough),
    };
    ready(here).await?;
    house.keys_changed().await;
    say_listening(&cores, config.tls.is_some());
    drop(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
    tokio::select! {
        () = signals.until_told_to_stop(&house, &certificates, &enough) => {}
        () = give_heap_back(quiet) => {}
    }
    drop(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
    drain(cores, &shared, config.server.drain).await;
    stop.send_replace(true);
    drop(tokio::time::timeout(FLUSH, house.mcp.close()).await);
    drop(tokio::time::timeout(FLUSH, keeping).await);
    drop(tokio::time::timeout(FLUSH, telemetry).await);
    house.note(acts::by_gateway("gateway.stop", "gateway", &house.source.name())).await;
    end_records.send_replace(true);
    drop(tokio::time::timeout(FLUSH, recording).await);
    drop(tokio::time::timeout(FLUSH * 2, shipping).await);
    house.store.close().await;
    Ok(())
}

async fn recover(shipper: &mut Shipper) -> Result<(), Failure> {
    let recovery = shipper.recover().await.map_err(|error| failure("the usage journal cannot be shipped", error))?;
    if recovery.rows > 0 {
        tracing::info!(
            rows = recovery.rows,
            interrupted = recovery.interrupted,
            "usage of an earlier process recovered"
        );
    }
    Ok(())
}

async fn put_in_force(house: &Arc<House>, started: Started) -> Result<Arc<Shared>, Failure> {
    let stored = house.stored().await.map_err(|error| failure("the database cannot be read", error))?;
    // The file was read without what is in the database, to learn where that is.
    let started = if stored.objects.is_empty() && !started.loaded.stands_in {
        started
    } else {
        house.source.load_at_start(stored.beside(&stored.declared()))?
    };
    let Started { loaded, from, refused } = started;
    let loaded = Arc::new(loaded);
    house.apply(Arc::clone(&loaded), &from).await.map_err(|error| {
        let next = "mend the lines above; `gatehouse check` runs the same checks";
        Failure::problem(format!("{} cannot be used:\n{error}", house.source.name()), next)
    })?;
    match refused {
        None => house.source.keep(&loaded.config),
        Some(text) => {
            tracing::error!(problem = text, "the configuration file is broken; started with the last good one");
            drop(house.refused(&text));
        }
    }
    house.shared().map(Arc::clone).ok_or_else(nothing_in_force)
}

fn nothing_in_force() -> Failure {
    Failure::problem("no configuration is in force", "this is a defect; please report it")
}

/// How an unclaimed gateway may be claimed.
struct ClaimTerms {
    /// The operator's own token, in place of a printed link.
    bootstrap: Option<Secret>,
    /// From other machines, too?
    remote: bool,
}

/// The token in the file that `GATEHOUSE_BOOTSTRAP_TOKEN_FILE` names.
fn bootstrap_token() -> Result<Option<Secret>, Failure> {
    const VARIABLE: &str = "GATEHOUSE_BOOTSTRAP_TOKEN_FILE";
    const CHARS_MIN: usize = 32;
    let Some(file) = std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) else { return Ok(None) };
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Failure::problem(format!("cannot read {}: {error}", file.display()), format!("check {VARIABLE}"))
    })?;
    let token = text.trim();
    if token.chars().count() < CHARS_MIN {
        let message = format!("the token in {} is shorter than {CHARS_MIN} characters", file.display());
        return Err(Failure::problem(message, "make one: openssl rand -hex 32"));
    }
    Ok(Some(Secret::new(token)))
}

fn load_certificates(certificates: &TlsReload, config: &Config) -> Result<(), Failure> {
    let Some(tls) = &config.tls else { return Ok(()) };
    let files = TlsFiles { certificate: tls.cert_file.clone(), key: tls.key_file.clone() };
    certificates.load(&files).map_err(|error| failure("the certificate cannot be used", error))
}

/// One core's state for each journal writer.
fn cores(
    house: &House,
    shared: &Arc<Shared>,
    tls: &Tls,
    writers: Vec<JournalWriter>,
    outboxes: &[Arc<Outbox>],
) -> Vec<Arc<Core>> {
    let core = |(journal, outbox): (JournalWriter, &Arc<Outbox>)| {
        let pool = Pool::new(Arc::clone(tls), PoolLimits::default());
        let (shared, outbox, keeper) = (Arc::clone(shared), Arc::clone(outbox), Arc::clone(&house.keeper));
        Arc::new(Core::new(CoreParts { shared, pool, journal, outbox, keeper }))
    };
    writers.into_iter().zip(outboxes).map(core).collect()
}

fn start_cores(
    house: &Arc<House>,
    config: &Config,
    terms: &ClaimTerms,
    certificates: &TlsReload,
    cores: Vec<Arc<Core>>,
) -> Result<Vec<Cores>, Failure> {
    let operations: Arc<House> = Arc::clone(house);
    let control = Control {
        store: house.store.clone(),
        pepper: house.pepper.clone(),
        operations,
        claim_remote: terms.remote,
        oauth: Arc::<House>::clone(house),
        signing: Arc::clone(&house.own.signing),
    };
    let router = admin::router(control.clone());
    _ = house.inside.set(admin::Inside::new(router.clone(), control));
    let Some(shared) = house.shared() else { return Err(nothing_in_force()) };
    let caps = Caps {
        connections_max: (config.server.connections_max as usize).div_ceil(cores.len()),
        header_timeout: config.server.header_timeout,
        idle_timeout: config.server.idle_timeout,
        ..Caps::default()
    };
    let mut seed = CoreSeed {
        address: config.listen,
        serves: if config.admin_listen.is_some() { Serves::DataOnly } else { Serves::Both },
        caps,
        tls: certificates.clone(),
        shared: Arc::clone(shared),
        control: ControlPlane { router, runtime: tokio::runtime::Handle::current() },
    };
    let bind = |address, error: io::Error| {
        Failure::problem(
            format!("cannot listen on {address}: {error}"),
            "free the address, or set another with `listen:` or --listen",
        )
    };
    let mut running = vec![Cores::start(&seed, cores).map_err(|error| bind(config.listen, error))?];
    if let Some(address) = config.admin_listen {
        seed.address = address;
        seed.serves = Serves::Both;
        running.push(Cores::start_control(&seed).map_err(|error| bind(address, error))?);
    }
    Ok(running)
}

/// Ships the journal until told to stop, then what is left.
async fn ship(mut shipper: Shipper, mut stopping: told::Receiver<bool>) {
    shipper
        .run(async move {
            // An error means that the sender is gone, which is a stop, too.
            drop(stopping.wait_for(|stop| *stop).await);
        })
        .await;
    let drained = shipper.drain(tokio::time::Instant::now() + FLUSH).await;
    if !drained.complete || drained.open > 0 {
        tracing::warn!(
            open = drained.open,
            complete = drained.complete,
            "usage is left in the journal; the next start ships it"
        );
    }
}

/// Writes what gateways keep for their callers, and deletes what has expired, until told to stop.
async fn keep(keeper: Arc<Keeper>, stopping: told::Receiver<bool>) {
    tokio::select! {
        () = keeper.write_behind(stopping) => {}
        () = keeper.purge() => {}
    }
}

/// Hands outcomes to metrics, log and traces; when there are none, gives back what only the start or the last load needed.
async fn consume(
    house: Arc<House>,
    mut consumer: Consumer,
    outboxes: Vec<Arc<Outbox>>,
    quieten: told::Sender<()>,
    stopping: told::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(SWAP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    let mut last_used = LastUsed::new(house.store.clone());
    let mut generation = 0;
    let mut quiet = Quiet::since(Instant::now());
    loop {
        ticks.tick().await;
        let last = *stopping.borrow();
        let (now, vocabulary) = {
            let state = house.state();
            (state.generation, Arc::clone(&state.vocabulary))
        };
        if now != generation {
            generation = now;
            consumer.learn(vocabulary);
        }
        let mut calls = 0;
        for outbox in &outboxes {
            outbox.swap(&mut batch);
            calls += batch.len();
            consumer.take(&batch);
            last_used.take(&batch);
            house.records.take(&mut batch);
        }
        house.say_alerts();
        if last {
            last_used.write().await;
            return consumer.close().await;
        }
        last_used.write_if_due().await;
        if quiet.is_due(Instant::now(), calls) {
            batch = Vec::new();
            outboxes.iter().for_each(|outbox| outbox.shrink());
            gatehouse_mapped::collect(true);
            quieten.send_replace(());
            gatehouse_mapped::give_back();
        }
    }
}

/// Gives back what this thread's heap holds free whenever it is told to. Run by the thread that started everything: it frees
/// nothing any more from then on, and an allocator looks for free memory of a thread in that thread alone.
async fn give_heap_back(mut quiet: told::Receiver<()>) {
    while quiet.changed().await.is_ok() {
        gatehouse_mapped::collect(true);
    }
    // There will be no word any more, which is none to stop.
    std::future::pending().await
}

/// Writes outcomes into the request log and the audit log until told to stop.
async fn record(house: Arc<House>, recorder: Recorder, stopping: told::Receiver<bool>) {
    let keep = || {
        let telemetry = house
            .config(|config| Keep { requests: config.telemetry.keep_requests, audit: config.telemetry.keep_audit });
        telemetry.unwrap_or_default()
    };
    recorder.run(stopping, keep).await;
}

/// Another process (`gatehouse keys …`, another replica) may have changed keys or objects.
async fn watch_keys(house: Arc<House>) {
    let mut ticks = tokio::time::interval(KEYS_EVERY);
    let mut known = None;
    loop {
        ticks.tick().await;
        // A database that does not answer now is asked again in a second.
        let Ok(generation) = house.store.keys_generation().await else { continue };
        if known.replace(generation).is_some_and(|known| known != generation) {
            house.keys_changed().await;
        }
        let objects = house.store.objects_generation().await;
        if objects.is_ok_and(|generation| generation != house.state().objects_generation) {
            drop(house.reload().await);
        }
    }
}

/// Lets go of idle links, and hears when MCP servers offer something else.
async fn keep_mcp(house: Arc<House>) {
    let mut catalogue = house.mcp.catalogue();
    let hear = async {
        while catalogue.changed().await.is_ok() {
            if let Err(error) = house.offers_changed().await {
                tracing::error!(%error, "policies and metrics do not know yet what MCP servers offer");
            }
        }
    };
    tokio::join!(hear, house.mcp.keep());
}

/// Why a changed file is not in force.
enum NotReloaded {
    Refused,
    Unaudited(StoreError),
}

impl From<StoreError> for NotReloaded {
    fn from(error: StoreError) -> Self {
        Self::Unaudited(error)
    }
}

/// Reads the configuration again, and the certificate with it.
pub(super) async fn reload(house: &House, certificates: &TlsReload) {
    let act = acts::by_gateway("config.reload", "config", &house.source.name());
    let reloaded = acts::audited(&house.store, act, async {
        match house.reload().await {
            Reload::Accepted(_) => Ok(()),
            // The problems are in the log, and in GET /api/v1/config.
            Reload::Refused(_) => Err(NotReloaded::Refused),
        }
    });
    if let Err(NotReloaded::Unaudited(error)) = reloaded.await {
        tracing::error!(%error, "the audit log cannot be written, so the changed configuration was not read");
    }
    let loaded = house.state().loaded.clone();
    if let Some(loaded) = loaded
        && let Err(failure) = load_certificates(certificates, &loaded.config)
    {
        tracing::error!(%failure, "the certificate was not replaced");
    }
}

/// Standard error, one JSON line for scripts whatever the log's form: where it listens.
fn say_listening(cores: &[Cores], tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    for (index, running) in cores.iter().enumerate() {
        let line = serde_json::json!({
            "level": "info",
            "msg": "listening",
            "addr": running.address().to_string(),
            "url": format!("{scheme}://{}", running.address()),
            "serves": if index == 0 { "data" } else { "admin" },
        });
        // With standard error gone nobody waits for this line.
        drop(io::Write::write_all(&mut io::stderr().lock(), format!("{line}\n").as_bytes()));
    }
}

/// What the process is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| failure("signals cannot be received", error));
        let (terminate, interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, hangup: listen(SignalKind::hangup())? })
    }

    /// Waits for SIGTERM or SIGINT, or for whoever was given the right to stop the gateway; SIGHUP reloads.
    async fn until_told_to_stop(&mut self, house: &House, certificates: &TlsReload, stop: &Notify) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                () = stop.notified() => return,
                _ = self.hangup.recv() => reload(house, certificates).await,
            }
        }
    }
}

/// Lets running calls finish; a second signal, or the deadline, cuts them.
async fn drain(cores: Vec<Cores>, shared: &Arc<Shared>, limit: Duration) {
    shared.drain();
    tracing::info!(calls = shared.in_flight(), limit_secs = limit.as_secs(), "draining");
    let waiting = Arc::clone(shared);
    let drained = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + limit;
        cores.into_iter().map(|running| running.drain(&waiting, deadline)).collect::<Vec<_>>()
    });
    let (Ok(mut again), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    tokio::select! {
        ended = drained => {
            for outcome in ended.unwrap_or_default() {
                if let Drained::CutOff { calls } = outcome {
                    tracing::warn!(calls, "calls were cut off: the drain limit was reached");
                }
            }
        }
        _ = again.recv() => tracing::warn!("second signal: not waiting any longer"),
        _ = interrupt.recv() => tracing::warn!("second signal: not waiting any longer"),
    }
}

pub(super) fn failure(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::problem(format!("{what}: {error}"), "")
}
