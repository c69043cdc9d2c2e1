//! What the policies say to a call, and which models they let its caller see.

use std::net::IpAddr;
use std::sync::Arc;

use gatehouse_domain::{Action, Asked, Fault, Now, Principal};
use gatehouse_policy::Permit;
use gatehouse_policy::permissions::{
    Basis, Caller, Circumstances, Decision, Kind, Permissions, Question, kind_of_action, server_of,
};

use crate::core::Core;
use crate::journey::Journey;
use crate::snapshot::{KeyEntry, Snapshot};
use crate::stages::read::Read;
use crate::talk::Visit;

pub(super) fn policy<A: Asked + ?Sized>(journey: &mut Journey, read: &Read<A>, now: Now) -> Result<(), Fault> {
    let need = read.call.need();
    // What is kept for a caller is its own: nobody else can be let in, and it never was kept without permission.
    let Some(kind) = kind_of_action(need.action.as_str()) else { return Ok(()) };
    // Made only where a policy looks at them.
    let permissions = &read.snapshot.permissions;
    let looked_at = permissions.governs(kind) && permissions.policies.reads_arguments();
    let arguments = if looked_at { read.call.arguments() } else { None };
    let asker = Asker::of(journey, &read.snapshot, &read.caller, now);
    let mut question = asker.question(need.action, kind, &need.resource);
    question.circumstances.arguments = arguments.as_ref();
    question.circumstances.stream = need.stream;
    question.circumstances.input_tokens = need.input_tokens;
    question.circumstances.output_cap = need.output_cap;
    let decision = asker.ask(&question);
    let fault = decision.fault(&question);
    tell_errors(&decision);
    journey.outcome.decision = decision.ids();
    fault.map_or(Ok(()), Err)
}

/// A policy that cannot be evaluated is its author's to mend, and nobody else sees that it is.
fn tell_errors(decision: &Decision) {
    for error in &decision.errors {
        let policy = &*error.policy;
        let refused = decision.basis == Basis::Failed;
        tracing::warn!(policy, problem = error.message, refused, "a policy could not be evaluated");
    }
}

/// Asks the policies for one caller.
pub(crate) struct Asker<'a> {
    core: &'a Core,
    permissions: &'a Arc<Permissions>,
    principal: &'a Principal,
    permit: &'a Permit,
    tags: Option<&'a str>,
    address: Option<IpAddr>,
    now: Now,
}

impl<'a> Asker<'a> {
    pub(crate) fn of(journey: &'a Journey, snapshot: &'a Snapshot, caller: &'a KeyEntry, now: Now) -> Self {
        Self {
            core: &journey.core,
            permissions: &snapshot.permissions,
            principal: &caller.principal,
            permit: &caller.permit,
            tags: journey.outcome.tags.as_deref(),
            address: journey.address,
            now,
        }
    }

    pub(crate) fn of_visit(visit: &'a Visit) -> Self {
        Self {
            core: &visit.core,
            permissions: &visit.snapshot.permissions,
            principal: &visit.caller.principal,
            permit: &visit.caller.permit,
            tags: visit.tags.as_deref(),
            address: visit.address,
            now: visit.now,
        }
    }

    fn question<'q>(&'q self, action: Action, kind: Kind, resource: &'q str) -> Question<'q> {
        let circumstances =
            Circumstances { unix_secs: self.now.unix_secs(), address: self.address, ..Circumstances::default() };
        // The call's tags hold those of the key.
        let caller = Caller { tags: self.tags, ..Caller::from(self.principal) };
        Question { caller, action: action.as_str(), kind, resource, circumstances }
    }

    fn ask(&self, question: &Question<'_>) -> Arc<Decision> {
        self.core.decide(self.permissions, question)
    }

    /// May the caller see this tool, prompt or resource in a listing? `action` is what it is listed for.
    pub(crate) fn may_list(&self, action: Action, resource: &str) -> bool {
        let Some(kind) = kind_of_action(action.as_str()) else { return false };
        let toolsets = self.permissions.directory.toolsets_of(kind, resource);
        if !self.permit.tools.permit(server_of(resource), toolsets) {
            return false;
        }
        // Asked of every item of a list: where no policy speaks of such things, no question is made.
        if !self.permissions.governs(kind) {
            return true;
        }
        // Prompts and resources have no action of being listed: whoever may use one sees it.
        let list = if action == Action::CallTool { Action::ListTools } else { action };
        let list = self.question(list, kind, resource);
        self.permissions.lists(&list, action.as_str(), |question| self.ask(question))
    }

    /// Is there nothing that could keep anything from the caller's lists: no list of the key's, no policy?
    pub(crate) fn may_list_all(&self, action: Action) -> bool {
        let kind = kind_of_action(action.as_str());
        self.permit.tools.permit_all() && kind.is_some_and(|kind| !self.permissions.governs(kind))
    }

    /// May the caller see this model in listings and suggestions?
    pub(crate) fn lists(&self, model: &str) -> bool {
        let list = self.question(Action::ListModels, Kind::Model, model);
        self.permissions.lists(&list, Action::CallModel.as_str(), |question| self.ask(question))
    }
}
