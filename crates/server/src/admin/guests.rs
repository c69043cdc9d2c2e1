//! The layer that asks first how a request came: under a name of this gateway, and from no foreign web page.
//!
//! A page on the internet can make its own name stand for an address of its visitor's machine (DNS rebinding) and then ask the
//! admin API like any program there. It has no key, but the claim link needs none, and guesses cost it nothing.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::auth::Vouched;
use super::error::ApiError;
use crate::control::Control;
use crate::service::Peer;

const HINT: &str = "Send it to an address of the gateway, to a loopback name or to the host of `public_url`.";

/// Lets a request through that names this gateway. One that came over no listener names nobody.
pub(super) async fn admitted(
    State(control): State<Control>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let extensions = request.extensions();
    if extensions.get::<Peer>().is_some() && extensions.get::<Vouched>().is_none() {
        let admitted = control.operations.guests().admit(request.uri(), request.headers());
        admitted.map_err(|fault| ApiError::new(fault.code, fault.message, HINT))?;
    }
    Ok(next.run(request).await)
}
