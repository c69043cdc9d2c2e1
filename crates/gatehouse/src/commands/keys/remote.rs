//! Keys through the admin API.

use http::Method;
use serde_json::{Value, json};

use super::{Action, Create, issued, known, listed, object};
use crate::admin_client::{AdminClient, encoded};
use crate::failure::Failure;
use crate::output::Listing;

/// Does it.
pub(super) async fn run(action: Action, client: &AdminClient) -> Result<Listing, Failure> {
    match action {
        Action::Create(wanted) => {
            let answer = client.ask(Method::POST, "/api/v1/keys", Some(&wanted_body(&wanted))).await?;
            Ok(issued_from(&answer))
        }
        Action::List => Ok(listed(client.every("/api/v1/keys", &[]).await?)),
        Action::Revoke { id } => {
            let path = format!("/api/v1/keys/{}", encoded(&id));
            Ok(listed(vec![object(client.ask(Method::DELETE, &path, None).await?)]))
        }
        Action::Whoami => Ok(known(object(client.ask(Method::GET, "/api/v1/whoami", None).await?))),
        Action::Rotate { id, overlap_secs } => {
            let path = format!("/api/v1/keys/{}/rotate", encoded(&id));
            let answer = client.ask(Method::POST, &path, Some(&json!({ "overlap_secs": overlap_secs }))).await?;
            Ok(issued_from(&answer))
        }
    }
}

fn issued_from(answer: &Value) -> Listing {
    issued(object(answer["key"].clone()), answer["secret"].clone())
}

fn wanted_body(wanted: &Create) -> Value {
    let mut body = json!({
        "name": wanted.name,
        "models": wanted.models,
        "limits": wanted.limits,
        "budgets": wanted.budgets,
        "ip_ranges": wanted.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    let tags = (!wanted.tags.is_empty()).then(|| wanted.tags.join(","));
    let role = wanted.role.map(|role| role.as_str().to_owned());
    let fields = [
        ("organisation", &wanted.organisation),
        ("team", &wanted.team),
        ("user", &wanted.user),
        ("service_account", &wanted.service_account),
        ("agent", &wanted.agent),
        ("tags", &tags),
        ("role", &role),
        ("expires", &wanted.expires),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            body[field] = json!(value);
        }
    }
    body
}
