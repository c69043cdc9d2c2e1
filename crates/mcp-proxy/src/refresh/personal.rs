//! Servers whose lists are each user's own: asked on behalf of one principal, kept for that principal, shown to no other. What is
//! kept is little and forgotten soon; the lists come again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_domain::{Code, Fault, Principal, PrincipalKind};
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_gateway::catalogue::{Catalogue, Sheet};
use tokio::sync::Mutex as Gate;

use super::Refresher;
use super::making::Making;

/// How long one principal's lists are good.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);
/// How long a server that did not answer for a principal is not asked again for it.
const FAILED_FOR: Duration = Duration::from_secs(20);
/// How long a list waits for a server.
const PATIENCE: Duration = Duration::from_secs(10);
/// Principals that are remembered.
const PRINCIPALS: usize = 2_000;

/// Kind and key: whose links they are, too.
type Whose = (PrincipalKind, Arc<str>);

/// Each server's lists and when they were asked for; `None`: it could not be asked.
type Lists = HashMap<Arc<str>, (Instant, Option<Arc<Sheet>>)>;

/// What is kept of every principal.
#[derive(Default)]
pub(super) struct Personal {
    kept: Mutex<HashMap<Whose, Arc<Kept>>>,
}

/// What is kept of one principal.
#[derive(Default)]
struct Kept {
    /// One at a time asks.
    lists: Gate<Lists>,
    catalogue: Mutex<Option<(u64, Arc<Catalogue>)>>,
    /// Servers that want this principal's person to agree first.
    unagreed: Mutex<HashMap<Arc<str>, Fault>>,
    used: Mutex<Option<Instant>>,
}

impl Personal {
    /// The catalogue with this principal's own lists in it.
    pub(super) async fn catalogue(
        &self,
        refresher: &Arc<Refresher>,
        servers: &[Arc<Server>],
        principal: &Arc<Principal>,
    ) -> Arc<Catalogue> {
        let kept = self.of(principal);
        let mut lists = kept.lists.lock().await;
        let mut asked = false;
        let mut asking = Vec::new();
        for server in servers {
            let agreed = !lock(&kept.unagreed).contains_key(&server.name);
            let fresh = lists.get(&server.name).is_some_and(|(at, sheet)| {
                let good_for = if sheet.is_some() { GOOD_FOR } else { FAILED_FOR };
                agreed && at.elapsed() < good_for
            });
            if !fresh {
                let (refresher, server, principal) = (Arc::clone(refresher), Arc::clone(server), Arc::clone(principal));
                let control = refresher.means.control.clone();
                asking.push(control.spawn(async move {
                    let fetched = tokio::time::timeout(PATIENCE, refresher.fetch(&server, &principal)).await;
                    let (sheet, unagreed) = match fetched {
                        Ok(Ok(fetched)) => (Some(Arc::new(Sheet::read(Arc::new(fetched)))), None),
                        Ok(Err(fault)) => (None, Some(fault).filter(|fault| fault.code == Code::ConsentNeeded)),
                        Err(_) => (None, None),
                    };
                    (Arc::clone(&server.name), sheet, unagreed)
                }));
            }
        }
        for answer in asking {
            if let Ok((server, sheet, unagreed)) = answer.await {
                match unagreed {
                    Some(fault) => drop(lock(&kept.unagreed).insert(Arc::clone(&server), fault)),
                    None => drop(lock(&kept.unagreed).remove(&server)),
                }
                lists.insert(server, (Instant::now(), sheet));
                asked = true;
            }
        }
        let generation = refresher.current.borrow().generation();
        let known = lock(&kept.catalogue).clone().filter(|(of, _)| !asked && *of == generation);
        if let Some((_, catalogue)) = known {
            return catalogue;
        }
        let sheets: Vec<Arc<Sheet>> = lists.values().filter_map(|(_, sheet)| sheet.clone()).collect();
        let mut making = refresher.making.lock().await;
        let catalogue = Arc::new(making.compose_with(&sheets));
        making.remember(&refresher.means.store, &refresher.means.waits).await;
        *lock(&kept.catalogue) = Some((catalogue.generation(), Arc::clone(&catalogue)));
        catalogue
    }

    /// What this principal was shown last.
    pub(super) fn known(&self, principal: &Principal) -> Option<Arc<Catalogue>> {
        let kept = lock(&self.kept).get(&whose(principal)).cloned()?;
        lock(&kept.catalogue).as_ref().map(|(_, catalogue)| Arc::clone(catalogue))
    }

    /// Why a server's lists are not there, where its person has to agree first.
    pub(super) fn unagreed(&self, principal: &Principal, server: &str) -> Option<Fault> {
        let kept = lock(&self.kept).get(&whose(principal)).cloned()?;
        lock(&kept.unagreed).get(server).cloned()
    }

    /// Forgets everybody.
    pub(super) fn forget(&self) {
        lock(&self.kept).clear();
    }

    /// Forgets one.
    pub(super) fn forget_one(&self, principal: &Principal) {
        lock(&self.kept).remove(&whose(principal));
    }

    /// Composes the catalogue of everybody who has one anew. Whoever is being asked for at this moment waits for `making` and will be
    /// composed with what is new.
    pub(super) async fn compose_anew(&self, making: &mut Making) {
        let everybody: Vec<Arc<Kept>> = lock(&self.kept).values().cloned().collect();
        for kept in everybody {
            let Ok(lists) = kept.lists.try_lock() else { continue };
            if lock(&kept.catalogue).is_some() {
                let sheets: Vec<Arc<Sheet>> = lists.values().filter_map(|(_, sheet)| sheet.clone()).collect();
                let catalogue = Arc::new(making.compose_with(&sheets));
                *lock(&kept.catalogue) = Some((catalogue.generation(), catalogue));
                tokio::task::yield_now().await;
            }
        }
    }

    fn of(&self, principal: &Principal) -> Arc<Kept> {
        let mut all = lock(&self.kept);
        if all.len() >= PRINCIPALS && !all.contains_key(&whose(principal)) {
            let oldest = all.iter().min_by_key(|(_, kept)| *lock(&kept.used)).map(|(whose, _)| whose.clone());
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let kept = Arc::clone(all.entry(whose(principal)).or_default());
        *lock(&kept.used) = Some(Instant::now());
        kept
    }
}

fn whose(principal: &Principal) -> Whose {
    (principal.kind, Arc::clone(&principal.key))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
