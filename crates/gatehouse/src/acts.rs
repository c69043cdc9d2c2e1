//! Administrative acts of this process: each is in the audit log before it is done, and again when it is known what came of
//! it. If the first entry cannot be written, the act is not done.

use gatehouse_domain::DEFAULT_ORGANISATION;
use gatehouse_store::audit::{Actor, AuditEvent, AuditOutcome};
use gatehouse_store::{Store, StoreError};
use jiff::Timestamp;

/// Does an act between its two entries.
pub(crate) async fn audited<T, E>(
    store: &Store,
    act: AuditEvent,
    doing: impl Future<Output = Result<T, E>>,
) -> Result<T, E>
where
    E: From<StoreError>,
{
    let log = store.audit()?;
    log.append(vec![act.clone().ended(AuditOutcome::Begun, None)]).await?;
    let done = doing.await;
    let outcome = if done.is_ok() { AuditOutcome::Done } else { AuditOutcome::Failed };
    let result = log.append(vec![AuditEvent { at_unix_ms: now_ms(), ..act.ended(outcome, None) }]).await;
    // What was done stays done; that it was begun is in the log.
    if let Err(error) = result {
        tracing::error!(%error, "what came of an act is missing from the audit log");
    }
    done
}

/// An act of whoever types commands on this machine.
pub(crate) fn by_command(action: &str, kind: &str, name: &str) -> AuditEvent {
    let who = std::env::var("USER").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "operator".to_owned());
    let actor = Actor { who, address: Some("cli".to_owned()), ..Actor::default() };
    AuditEvent::new(now_ms(), DEFAULT_ORGANISATION, actor, action).on(kind, name)
}

/// An act of the gateway itself: it starts, it stops, its file was changed.
pub(crate) fn by_gateway(action: &str, kind: &str, name: &str) -> AuditEvent {
    let actor = Actor { who: "gateway".to_owned(), ..Actor::default() };
    AuditEvent::new(now_ms(), DEFAULT_ORGANISATION, actor, action).on(kind, name)
}

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}
