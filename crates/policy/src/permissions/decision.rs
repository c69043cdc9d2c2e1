//! What the policies say to a question, and why.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer, Decision as Verdict, Effect, PolicyId};
use gatehouse_domain::{Code, Fault};

use super::directory::{Directory, Thing};
use super::entities;
use super::load::PolicySet;
use super::question::Question;
use super::words::Kind;

/// Policies, and what is known of the things they talk about: what calls are judged by.
#[derive(Debug, Default)]
pub struct Permissions {
    /// The policies. Shared by those who know of other things.
    pub policies: Arc<PolicySet>,
    /// The things.
    pub directory: Directory,
}

/// May it pass?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// May it?
    pub allow: bool,
    /// Why.
    pub basis: Basis,
    /// The ids of the policies that decided, sorted; empty where none did.
    pub deciding: Vec<Arc<str>>,
    /// Policies that could not be evaluated.
    pub errors: Vec<EvaluationError>,
    /// The deciding ids in one text, for logs and tables.
    ids: Option<Arc<str>>,
}

/// Why a decision is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// No policy can apply to this kind of resource: only the key decides.
    Ungoverned,
    /// A policy permits it and none forbids it.
    Permitted,
    /// A policy forbids it.
    Forbidden,
    /// Policies apply to this kind of resource, and none permits it.
    NotPermitted,
    /// A policy that forbids could not be evaluated, so it counts as if it forbade.
    Failed,
}

impl Basis {
    /// The word used in answers and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ungoverned => "ungoverned",
            Self::Permitted => "permitted",
            Self::Forbidden => "forbidden",
            Self::NotPermitted => "not_permitted",
            Self::Failed => "failed",
        }
    }
}

/// A policy that could not be evaluated for a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationError {
    /// Which.
    pub policy: Arc<str>,
    /// Why.
    pub message: String,
}

impl Permissions {
    /// Asks the policies.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        if !self.policies.governed.contains(&question.kind) {
            return Decision::new(Basis::Ungoverned, Vec::new(), Vec::new());
        }
        let thing = self.directory.find(&question.resource()).unwrap_or(Cow::Owned(Thing::default()));
        match entities::request(question, &thing, &self.policies.read) {
            Ok((request, entities)) => {
                let response = Authorizer::new().is_authorized(&request, &self.policies.cedar, &entities);
                self.decision(&response)
            }
            Err(message) => {
                let error = EvaluationError { policy: "".into(), message };
                Decision::new(Basis::Failed, Vec::new(), vec![error])
            }
        }
    }

    /// Is such a thing to be listed for the caller? A thing that a policy forbids to use, or to list, is not; where no
    /// policy speaks of listing it, whoever may use it sees it.
    pub fn lists(
        &self,
        list: &Question<'_>,
        use_action: &str,
        mut ask: impl FnMut(&Question<'_>) -> Arc<Decision>,
    ) -> bool {
        if !self.governs(list.kind) {
            return true;
        }
        let used = ask(&Question { action: use_action, ..*list });
        let listed = ask(list);
        let forbidden = |decision: &Decision| matches!(decision.basis, Basis::Forbidden | Basis::Failed);
        !forbidden(&used) && !forbidden(&listed) && (used.allow || listed.allow)
    }

    /// Can any policy apply to this kind of resource?
    #[must_use]
    pub fn governs(&self, kind: Kind) -> bool {
        self.policies.governed.contains(&kind)
    }

    fn decision(&self, response: &cedar_policy::Response) -> Decision {
        let diagnostics = response.diagnostics();
        let mut errors: Vec<EvaluationError> = diagnostics
            .errors()
            .map(|error| {
                let AuthorizationError::PolicyEvaluationError(error) = error;
                EvaluationError { policy: id(error.policy_id()), message: error.inner().to_string() }
            })
            .collect();
        errors.sort_by(|a, b| a.policy.cmp(&b.policy));
        let mut deciding: Vec<Arc<str>> = diagnostics.reason().map(id).collect();
        // Cedar leaves out a policy that fails. For one that forbids that would be to let through what it guards.
        let failed = |error: &&EvaluationError| {
            let policy = self.policies.cedar.policy(&PolicyId::new(&error.policy));
            policy.is_none_or(|policy| policy.effect() == Effect::Forbid)
        };
        let failed: Vec<Arc<str>> = errors.iter().filter(failed).map(|error| Arc::clone(&error.policy)).collect();
        let basis = match response.decision() {
            Verdict::Allow if failed.is_empty() => Basis::Permitted,
            Verdict::Allow => {
                deciding = failed;
                Basis::Failed
            }
            Verdict::Deny if !deciding.is_empty() => Basis::Forbidden,
            Verdict::Deny => Basis::NotPermitted,
        };
        Decision::new(basis, deciding, errors)
    }
}

impl Decision {
    fn new(basis: Basis, mut deciding: Vec<Arc<str>>, errors: Vec<EvaluationError>) -> Self {
        deciding.sort_unstable();
        let ids = (!deciding.is_empty()).then(|| deciding.join(",").into());
        Self { allow: matches!(basis, Basis::Ungoverned | Basis::Permitted), basis, deciding, errors, ids }
    }

    /// The deciding policies' ids, separated by commas; `None` where none decided.
    #[must_use]
    pub fn ids(&self) -> Option<Arc<str>> {
        self.ids.clone()
    }

    /// Why, in one sentence.
    #[must_use]
    pub fn reason(&self, question: &Question<'_>) -> String {
        let (action, resource) = (question.action, shortened(question.resource));
        let by = quoted(&self.deciding);
        let mut reason = match self.basis {
            Basis::Ungoverned => format!("No policy applies to a {}.", question.kind),
            Basis::Permitted => format!("Permitted by {by}."),
            Basis::Forbidden => format!("{by} forbids `{action}` on `{resource}`."),
            Basis::NotPermitted => {
                format!(
                    "Policies apply to a {}, and none permits this caller `{action}` on `{resource}`.",
                    question.kind
                )
            }
            Basis::Failed => format!("{by} could not be evaluated, and a policy that forbids counts then as met."),
        };
        for error in &self.errors {
            // Writing to a string cannot fail.
            _ = write!(reason, " Policy `{}` failed: {}.", error.policy, error.message);
        }
        reason
    }

    /// The refusal as a caller hears it; `None` if it may pass. Names the policy that forbids, and no more of it.
    #[must_use]
    pub fn fault(&self, question: &Question<'_>) -> Option<Fault> {
        if self.allow {
            return None;
        }
        let action = question.action;
        let by = quoted(&self.deciding);
        let what = match self.basis {
            Basis::NotPermitted => format!("No policy permits this caller `{action}` here"),
            Basis::Failed => format!("The policies cannot be evaluated for this call ({by})"),
            _ => format!("Policy {by} forbids this caller `{action}` here"),
        };
        let way_out = match question.kind {
            Kind::Model => "GET /v1/models lists what it may use; ask whoever runs the gateway for more.",
            Kind::Tool => "tools/list shows what it may use; ask whoever runs the gateway for more.",
            _ => "Ask whoever runs the gateway for more.",
        };
        let param = if question.kind == Kind::Model { "model" } else { "name" };
        Some(Fault::new(Code::PolicyDenied, format!("{what}. {way_out}")).at(param))
    }
}

fn id(id: &PolicyId) -> Arc<str> {
    let id: &str = id.as_ref();
    id.into()
}

fn quoted(ids: &[Arc<str>]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = ids.iter().take(SHOWN).map(|id| format!("`{id}`")).collect();
    let more = ids.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// At most 64 characters of what the caller sent.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
