//! Who may use the admin API: whoever presents the configured admin key, or the one that was claimed at first start.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use gatehouse_domain::Code;
use gatehouse_store::keys;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::claim;
use super::error::ApiError;
use crate::control::Control;

const HINT: &str = "Send `Authorization: Bearer KEY` with auth.admin_key of the configuration, or with the key that the \
                    claim link of the first start gave.";

/// Lets a request through to every admin route, known or not, only with an admin key.
pub(crate) async fn require_admin(
    State(control): State<Control>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(presented) = presented(request.headers()) else {
        return Err(ApiError::new(Code::MissingKey, "The admin API needs a key.", HINT));
    };
    if is_admin_key(&control, presented).await? {
        Ok(next.run(request).await)
    } else {
        Err(ApiError::new(Code::UnknownKey, "This key is not an admin key.", HINT))
    }
}

/// Is it the configured admin key, or the claimed one?
pub(crate) async fn is_admin_key(control: &Control, presented: &str) -> Result<bool, ApiError> {
    let presented = keys::hash(&control.pepper, presented);
    let configured = control.operations.admin_key().filter(|key| !key.is_empty());
    let configured = configured.map(|key| keys::hash(&control.pepper, key.reveal()));
    let claimed = claim::admin_key(&control.store).await?;
    Ok([configured, claimed].into_iter().flatten().any(|known| same(&known, &presented)))
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    });
    let key = bearer.or_else(|| headers.get("x-api-key")?.to_str().ok())?;
    Some(key.trim()).filter(|key| !key.is_empty())
}

/// Takes the same time wherever two hashes differ.
pub(crate) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
