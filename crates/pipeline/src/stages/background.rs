//! A call that runs on without its caller: told at once where the answer will be found, then routed and sent like any
//! other, on the same core, until it ends or is stopped.

use std::sync::Arc;

use gatehouse_domain::{Background, Code, Fault, Keep, Kept, KeyId};
use http::Response;

use crate::body::GateBody;
use crate::journey::Journey;
use crate::stages::admit::Admitted;
use crate::stages::{respond, route, send};

/// Tells the caller and lets the call run.
pub(crate) fn detach(mut journey: Box<Journey>, admitted: Admitted, background: Background) -> Response<GateBody> {
    let Background { kept, reply, failed } = background;
    let response = respond::detached(&mut journey, reply);
    let core = Arc::clone(&journey.core);
    let key = Arc::clone(&admitted.read.caller.principal.key);
    let id = Arc::clone(&kept.id);
    let stopped = core.keeper.begin(&key, kept);
    let running = core.detached();
    tokio::spawn(async move {
        let _running = running;
        // Dropping the call is what stops it: its upstream connection closes and what it used is settled.
        tokio::select! {
            () = run(journey, admitted, failed, &key, &id) => {}
            Ok(()) = stopped => {}
        }
    });
    response
}

async fn run(
    mut journey: Box<Journey>,
    admitted: Admitted,
    failed: Box<dyn FnOnce(&Fault) -> Kept + Send>,
    key: &KeyId,
    id: &Arc<str>,
) {
    let fault = match answer(&mut journey, admitted).await {
        Ok(answer) => match answer.fault() {
            Some(code) => Fault::new(code, "the provider refused the request"),
            None => Fault::new(Code::Internal, "the answer is larger than this gateway keeps"),
        },
        Err(fault) => fault,
    };
    // What the answer was kept as is not open any more.
    if journey.core.keeper.is_open(key, id) {
        journey.refused(&fault);
        journey.core.keeper.take(key, Keep::Put(failed(&fault)));
    }
}

async fn answer(journey: &mut Journey, admitted: Admitted) -> Result<Box<respond::Answer>, Fault> {
    let now = journey.now();
    let routed = route::route(journey, admitted, now)?;
    send::send(journey, routed).await
}
