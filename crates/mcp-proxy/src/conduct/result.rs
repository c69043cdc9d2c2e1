//! What a server has answered, on its way to the client: shown to guardrails, put into the words of the client's revision and the
//! names it knows, and kept back where it is too large to send.

use std::sync::Arc;

use gatehouse_domain::KeyId;
use gatehouse_mcp_gateway::bridge::answers::{self, Dress};
use gatehouse_mcp_gateway::bridge::tasks;
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::seal::{Crossing, Task};
use gatehouse_mcp_gateway::{Notification, Raw, RpcError, texts};
use gatehouse_pipeline::talk::Text;

use super::desk::Desk;
use super::errand::{Cargo, boxed};
use super::local::dress;
use super::reach::Way;
use super::talk::Context;
use super::voice::{Outcome, Voice};

/// The client's answer.
pub(super) async fn finish(
    context: &Context,
    cargo: &Cargo,
    way: &Way,
    voice: &mut Voice,
    outcome: Result<Raw, RpcError>,
) -> Outcome {
    let outcome = match outcome {
        // A secret that is shown once is for the caller alone: to withhold it now would lose it, to show it around would tell it.
        Ok(result) if voice.floor.looks_at_results() && !cargo.answers_secret() => {
            Ok(Box::pin(looked_at(cargo, voice, result)).await?)
        }
        outcome => outcome,
    };
    let hint = outcome.as_ref().map(answers::cache_hint).unwrap_or_default();
    let public = hint.1 && cargo.server.trusted;
    let dress = Dress { ttl_ms: hint.0, public, ..dress(context) };
    // Before it is put into other words: where its members stand is known of the result as it came.
    let outcome = match outcome {
        Ok(result) if !cargo.answers_secret() => Ok(renamed(context, cargo, way, &result)),
        outcome => outcome,
    };
    let outcome = answers::outcome(way.revision, context.speaker.revision, cargo.method, outcome, &dress);
    let result = outcome.map_err(|error| {
        let status = error.status(context.speaker.revision.era());
        Box::new(Refusal::rpc(status, error))
    })?;
    if cargo.answers_secret() {
        return Ok(result);
    }
    context.inner.desk.spilled.keep_if_large(context, cargo, result)
}

/// What guardrails make of a result; of a task of the extension that has ended, what they make of the result in it.
async fn looked_at(cargo: &Cargo, voice: &mut Voice, result: Raw) -> Result<Raw, Box<Refusal>> {
    let inlined = if cargo.method == Method::TasksGet { result.get(&["result"]) } else { None };
    if let Some(inlined) = inlined {
        let looked = shown(cargo, voice, inlined).await?;
        return Ok(result.with(&["result"], &looked));
    }
    shown(cargo, voice, result).await
}

async fn shown(cargo: &Cargo, voice: &mut Voice, result: Raw) -> Result<Raw, Box<Refusal>> {
    let shown = texts::of_result(&result);
    let mut shown: Vec<Text> = shown.into_iter().map(|shown| Text { text: shown.text, json: shown.json }).collect();
    match voice.floor.look_at_result(&cargo.canonical, &mut shown).await {
        Ok(true) => Ok(texts::put_back(&result, shown.into_iter().map(|text| text.text))),
        Ok(false) => Ok(result),
        Err(fault) => Err(boxed(fault)),
    }
}

/// A result of our own making, or one that only asks.
pub(super) fn dressed(context: &Context, cargo: &Cargo, result: &Raw) -> Raw {
    answers::dressed(context.speaker.revision, cargo.method, result, &dress(context))
}

/// URIs and ids of tasks as the client knows them.
fn renamed(context: &Context, cargo: &Cargo, way: &Way, result: &Raw) -> Raw {
    let catalogue = context.catalogue();
    let result = match catalogue.offer(&context.route) {
        Some(offer) => offer.uris().rewrite(&cargo.server.name, result),
        None => result.clone(),
    };
    let has_tasks = matches!(
        cargo.method,
        Method::ToolsCall
            | Method::TasksGet
            | Method::TasksResult
            | Method::TasksList
            | Method::TasksCancel
            | Method::TasksUpdate
    );
    if !has_tasks {
        return result;
    }
    let (principal, server) = (&context.caller.principal.key, &cargo.server.name);
    let crossing = super::tasks::crossing(cargo, way);
    let rename = &mut |id: &str| sealed_task(&context.inner.desk, principal, server, id, crossing.clone());
    tasks::rename_in_result(way.revision, cargo.method, &result, rename)
}

/// The same of a notification.
pub(super) fn renamed_note(desk: &Desk, principal: &KeyId, server: &Arc<str>, note: &Notification) -> Notification {
    let params = note.params.as_ref();
    let params =
        params.map(|params| tasks::rename_in_params(params, &mut |id| sealed_task(desk, principal, server, id, None)));
    Notification { method: note.method.clone(), params }
}

/// An id that tells nobody which server has the task, and is good for this principal alone.
fn sealed_task(
    desk: &Desk,
    principal: &KeyId,
    server: &Arc<str>,
    id: &str,
    crossing: Option<Crossing>,
) -> Option<String> {
    let task = Task { principal: Arc::clone(principal), server: Arc::clone(server), id: id.into(), crossing };
    desk.sealer.close_steadily(&task).ok()
}
