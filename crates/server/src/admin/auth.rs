//! Who may use the admin API: whoever presents the configured admin key, or the one that was claimed at first start.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Role};
use gatehouse_store::audit::{Actor, Refusal};
use gatehouse_store::keys;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::ApiError;
use super::{audited, claim};
use crate::control::Control;

const HINT: &str = "Send `Authorization: Bearer KEY` with auth.admin_key of the configuration, or with the key that the \
                    claim link of the first start gave.";

/// Lets a request through to every admin route, known or not, only with an admin key.
pub(crate) async fn require_admin(
    State(control): State<Control>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(presented) = presented(request.headers()) else {
        control.operations.note_refusal(refusal(&request, Code::MissingKey));
        return Err(ApiError::new(Code::MissingKey, "The admin API needs a key.", HINT));
    };
    let presented = keys::hash(&control.pepper, presented);
    let configured = control.operations.admin_key().filter(|key| !key.is_empty());
    let configured = configured.map(|key| keys::hash(&control.pepper, key.reveal()));
    let claimed = claim::admin_key(&control.store).await?;
    let is = |hash: &Option<[u8; 32]>| hash.is_some_and(|hash| same(&hash, &presented));
    let known = [("admin_key", configured), ("claimed_key", claimed)];
    if let Some((name, _)) = known.iter().find(|(_, hash)| is(hash)) {
        let role = Some(Role::Owner.as_str().to_owned());
        request.extensions_mut().insert(Actor { who: (*name).to_owned(), role, ..Actor::default() });
        Ok(next.run(request).await)
    } else {
        control.operations.note_refusal(refusal(&request, Code::UnknownKey));
        Err(ApiError::new(Code::UnknownKey, "This key is not an admin key.", HINT))
    }
}

/// For the audit log: somebody nobody knows wanted this. The path is theirs, so only the method is told.
fn refusal(request: &Request, code: Code) -> Refusal {
    Refusal {
        at_unix_ms: audited::now_ms(),
        organisation: DEFAULT_ORGANISATION.to_owned(),
        action: format!("admin.{}", request.method().as_str().to_ascii_lowercase()),
        code: code.as_str(),
        ..Refusal::default()
    }
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
