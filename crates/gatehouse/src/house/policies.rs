//! What operators may ask of the policies in force.

use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_catalog::PolicyText;
use gatehouse_domain::Now;
use gatehouse_policy::permissions::Permissions;
use gatehouse_server::control::{PolicyAnswer, PolicyQuestion, PolicyRefusal, ReplayQuestion, ReplayReport};

use super::{House, wiring};
use crate::policies::{self, Known, Period};

/// A replay looks so far back when nobody says.
const DAY_MS: u64 = 86_400_000;

impl House {
    pub(super) fn explain(&self, question: &PolicyQuestion) -> Result<PolicyAnswer, PolicyRefusal> {
        let (permissions, known) = self.judged_by()?;
        policies::answer(&permissions, question, &known, Now(SystemTime::now()))
    }

    pub(super) async fn replay(
        &self,
        question: ReplayQuestion,
        since_unix_ms: Option<u64>,
        until_unix_ms: Option<u64>,
    ) -> Result<ReplayReport, PolicyRefusal> {
        let (before, _) = self.judged_by()?;
        let after = replacement(question.policies.into_iter().map(|file| (file.name, file.text)), &before)?;
        let now = Now(SystemTime::now()).unix_ms();
        let since_unix_ms = since_unix_ms.unwrap_or(now.saturating_sub(DAY_MS));
        let until_unix_ms = until_unix_ms.unwrap_or(u64::MAX);
        policies::replay(&self.store, &before, &after, Period { since_unix_ms, until_unix_ms, limit: question.limit })
            .await
    }

    /// The policies in force, and who is known by a key.
    fn judged_by(&self) -> Result<(Arc<Permissions>, Known), PolicyRefusal> {
        let shared = self.shared().ok_or_else(|| {
            PolicyRefusal::new("No configuration is in force yet.", "Ask again when the gateway is ready.")
        })?;
        let snapshot = shared.snapshot.load();
        Ok((Arc::clone(&snapshot.permissions), wiring::known_of(&snapshot.keys)))
    }
}

/// A new set of policies over the same things.
pub(crate) fn replacement(
    files: impl Iterator<Item = (String, String)>,
    before: &Permissions,
) -> Result<Arc<Permissions>, PolicyRefusal> {
    let texts: Vec<PolicyText> =
        files.map(|(name, text)| PolicyText { name: name.into(), path: String::new(), file: None, text }).collect();
    let policies = policies::load(&texts).map_err(|problems| {
        let hint = "Nothing was asked of them. `gatehouse policy schema` prints what policies may name.";
        PolicyRefusal::new(format!("The policies cannot be used: {problems}"), hint)
    })?;
    Ok(Arc::new(Permissions { policies: policies.into(), directory: before.directory.clone() }))
}
