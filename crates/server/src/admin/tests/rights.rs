//! Every route of the OpenAPI document × every role × an own and a foreign organisation, against the table below.

use gatehouse_catalog::KINDS;
use gatehouse_domain::Role;

use super::*;

/// What each role may do: **A**ll of the organisation, the own **T**eam's, one's **O**wn, or **N**othing; in the order owner,
/// admin, auditor, team lead, developer, viewer. `instance`: only for those of the organisation that runs the instance.
const PROMISED: &[(&str, &str, &str, bool)] = &[
    ("get", "/whoami", "AAAAAA", false),
    ("get", "/keys", "AAATON", false),
    ("post", "/keys", "AANTON", false),
    ("get", "/keys/{id}", "AAATON", false),
    ("delete", "/keys/{id}", "AANTON", false),
    ("post", "/keys/{id}/rotate", "AANTON", false),
    ("get", "/usage", "AAATON", false),
    ("get", "/requests", "AAATON", false),
    ("get", "/requests/{id}", "AAATON", false),
    ("get", "/runs/{run}", "AAATON", false),
    ("get", "/audit", "AAANNN", false),
    ("get", "/audit/verify", "AAANNN", true),
    ("get", "/audit/export", "AAANNN", true),
    ("get", "/attempts", "AAATON", false),
    ("get", "/budgets", "AAANNN", true),
    ("get", "/usage/export", "AAANNN", true),
    ("post", "/usage/reprice", "AANNNN", true),
    ("post", "/apply", "AANNNN", false),
    ("get", "/price", "AAAAAA", false),
    ("get", "/breakers", "AAANNN", true),
    ("post", "/breakers/reset", "AANNNN", true),
    ("get", "/config", "AAANNN", true),
    ("post", "/config/reload", "ANNNNN", true),
    ("get", "/health", "AAANNN", true),
    ("get", "/oauth/clients", "AAANNN", true),
    ("post", "/oauth/clients/{id}/revoke", "AANNNN", true),
    ("get", "/oauth/grants", "AAANNN", false),
    ("post", "/oauth/grants/{id}/revoke", "AANNNN", false),
    ("post", "/oauth/keys/rotate", "AANNNN", true),
    ("get", "/mcp/servers", "AAANNN", true),
    ("post", "/mcp/servers/{name}/refresh", "AANNNN", true),
    ("get", "/mcp/findings", "AAANNN", true),
    ("get", "/mcp/explain", "AAANNN", true),
    ("get", "/mcp/connections", "AAANNN", false),
    ("post", "/mcp/connections/{id}/revoke", "AANNNN", false),
    ("get", "/mcp/pins", "AAANNN", true),
    ("get", "/mcp/pins/diff", "AAANNN", true),
    ("post", "/mcp/pins/approve", "AANNNN", true),
    ("post", "/mcp/pins/rollback", "AANNNN", true),
    ("post", "/policy/explain", "AAANNN", true),
    ("post", "/policy/replay", "AAANNN", true),
    ("get", "/secrets", "AAANNN", false),
    ("get", "/secrets/{name}", "AAANNN", false),
    ("put", "/secrets/{name}", "AANNNN", false),
    ("delete", "/secrets/{name}", "AANNNN", false),
    ("post", "/master_key/rotate", "AANNNN", true),
    ("get", "/agents", "AAANNN", false),
    ("get", "/agents/{name}", "AAANNN", false),
    ("put", "/agents/{name}", "AANNNN", false),
    ("delete", "/agents/{name}", "AANNNN", false),
    ("get", "/guardrails", "AAANNN", true),
    ("get", "/guardrails/{name}", "AAANNN", true),
    ("put", "/guardrails/{name}", "AANNNN", true),
    ("delete", "/guardrails/{name}", "AANNNN", true),
    ("get", "/limits", "AAANNN", true),
    ("get", "/limits/{name}", "AAANNN", true),
    ("put", "/limits/{name}", "AANNNN", true),
    ("delete", "/limits/{name}", "AANNNN", true),
    ("get", "/organisations", "AAANNN", true),
    ("get", "/organisations/{name}", "AAANNN", true),
    ("put", "/organisations/{name}", "AANNNN", true),
    ("delete", "/organisations/{name}", "AANNNN", true),
    ("get", "/policies", "AAANNN", true),
    ("get", "/policies/{name}", "AAANNN", true),
    ("put", "/policies/{name}", "AANNNN", true),
    ("delete", "/policies/{name}", "AANNNN", true),
    ("get", "/service_accounts", "AAANNN", false),
    ("get", "/service_accounts/{name}", "AAANNN", false),
    ("put", "/service_accounts/{name}", "AANNNN", false),
    ("delete", "/service_accounts/{name}", "AANNNN", false),
    ("get", "/teams", "AAANNN", false),
    ("get", "/teams/{name}", "AAANNN", false),
    ("put", "/teams/{name}", "AANNNN", false),
    ("delete", "/teams/{name}", "AANNNN", false),
    ("get", "/users", "AAANNN", false),
    ("get", "/users/{name}", "AAANNN", false),
    ("put", "/users/{name}", "AANNNN", false),
    ("delete", "/users/{name}", "AANNNN", false),
    ("get", "/mcp_servers", "AAANNN", false),
    ("get", "/mcp_servers/{name}", "AAANNN", false),
    ("put", "/mcp_servers/{name}", "AANNNN", false),
    ("delete", "/mcp_servers/{name}", "AANNNN", false),
    ("get", "/toolsets", "AAAAAA", false),
    ("get", "/toolsets/{name}", "AAAAAA", false),
    ("put", "/toolsets/{name}", "AANNNN", false),
    ("delete", "/toolsets/{name}", "AANNNN", false),
    ("get", "/models", "AAAAAA", false),
    ("get", "/models/{name}", "AAAAAA", false),
    ("put", "/models/{name}", "AANNNN", false),
    ("delete", "/models/{name}", "AANNNN", false),
    ("get", "/prices", "AAAAAA", false),
    ("get", "/prices/{name}", "AAAAAA", false),
    ("put", "/prices/{name}", "AANNNN", false),
    ("delete", "/prices/{name}", "AANNNN", false),
    ("get", "/providers", "AAANNN", false),
    ("get", "/providers/{name}", "AAANNN", false),
    ("put", "/providers/{name}", "AANNNN", false),
    ("delete", "/providers/{name}", "AANNNN", false),
];

/// What a fresh gateway has none of.
const NONE_YET: [&str; 5] = [
    "/requests/{id}",
    "/runs/{run}",
    "/oauth/clients/{id}/revoke",
    "/oauth/grants/{id}/revoke",
    "/mcp/connections/{id}/revoke",
];

/// A route that the document names.
struct Route {
    method: String,
    path: String,
}

async fn documented() -> Vec<Route> {
    let document = Desk::open().await.get("/api/v1/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap().clone();
    let routes = paths.into_iter().flat_map(|(path, methods)| {
        let methods: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| Route { method, path: path.clone() })
    });
    // The claim needs no key: that is what it is for.
    routes.filter(|route| route.path != "/claim").collect()
}

fn body(kind: &str) -> Value {
    match kind {
        "models" => json!({"targets": [{"provider": "openai", "model": "gpt-5-mini"}]}),
        "prices" => json!({"input": 1.0, "output": 2.0}),
        "policies" => json!({"text": "permit (principal, action, resource);"}),
        "limits" => json!({"on": "run", "limits": [{"requests": 5, "per": "day"}]}),
        "guardrails" => json!({"on": ["request"], "detect": "secrets", "action": "block"}),
        "secrets" => json!({"value": "a value that nobody sees"}),
        "agents" | "organisations" | "service_accounts" | "teams" | "users" => json!({}),
        _ => json!({"kind": "demo"}),
    }
}

impl Route {
    fn kind(&self) -> &str {
        self.path[1..].split('/').next().unwrap()
    }

    /// Asks for it with a key, about the key `id` or the object `mine`, both of the organisation `default`.
    async fn ask(&self, desk: &Desk, id: &str, key: &str) -> Answered {
        let path = self.path.replace("{id}", id).replace("{name}", "mine");
        let query = match &*path {
            "/price" => "?provider=openai&model=gpt-5-mini",
            "/mcp/explain" => "?tool=git.log",
            "/mcp/pins/diff" => "?server=git&kind=tool&name=log",
            _ => "",
        };
        let sent = match (&*self.method, &*path) {
            ("post", "/keys") => Some(json!({"name": "another"})),
            ("post", "/usage/reprice") => Some(json!({"since": "1d"})),
            ("post", "/policy/explain") => Some(json!({"action": "call_model", "resource": "fast"})),
            ("post", "/policy/replay") => Some(json!({"policies": []})),
            ("post", "/mcp/pins/rollback") => Some(json!({"server": "git", "kind": "tool", "name": "log"})),
            ("post", "/apply") => Some(json!({"objects": []})),
            ("post", _) => Some(json!({})),
            ("put", _) => Some(body(self.kind())),
            _ => None,
        };
        let method = Method::from_bytes(self.method.to_uppercase().as_bytes()).unwrap();
        desk.ask(method, &format!("/api/v1{path}{query}"), Some(key), sent).await
    }
}

/// A gateway with one key of the team `support` and one object of each kind.
async fn furnished() -> (Desk, String) {
    let desk = mcp::desk().await;
    let mut id = String::new();
    for kind in declared() {
        id = refurnish(&desk, kind).await;
    }
    (desk, id)
}

/// Everything that is declared by name.
fn declared() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name).chain(["secrets"])
}

/// Puts back what a request about this kind may have deleted, and makes a fresh key.
async fn refurnish(desk: &Desk, kind: &str) -> String {
    if declared().any(|known| known == kind) {
        let put = desk.put(&format!("/api/v1/{kind}/mine"), body(kind)).await;
        assert!(put.status.is_success(), "{}", put.text);
    }
    let made = desk.post("/api/v1/keys", json!({"name": "app", "team": "support"})).await.json();
    made["key"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_route_does_for_every_role_and_organisation_what_is_promised() {
    let (desk, mut id) = furnished().await;
    for route in documented().await {
        let promised = PROMISED.iter().find(|(method, path, ..)| *method == route.method && *path == route.path);
        let Some((.., reaches, instance)) = promised else {
            panic!("nothing is promised about {} {}", route.method, route.path)
        };
        for (role, reach) in Role::ALL.into_iter().zip(reaches.chars()) {
            let asked = format!("{} {} by {role}", route.method, route.path);
            let own = route.ask(&desk, &id, &format!("{role}@default/support/ada")).await;
            let status = own.status.as_u16();
            match reach {
                'N' => assert_eq!((status, &*own.code()), (403, "not_allowed"), "{asked}"),
                // There was no call yet, and no client: whoever may ask is told so.
                _ if NONE_YET.contains(&&*route.path) => assert_eq!(status, 404, "{asked}"),
                // The key of the test is the team's and not ada's.
                'O' if route.path.contains("{id}") => assert_eq!(status, 404, "{asked}"),
                _ => assert!((200..300).contains(&status), "{asked}: {status} {}", own.text),
            }
            if route.method != "get" {
                id = refurnish(&desk, route.kind()).await;
            }
            let foreign = route.ask(&desk, &id, &format!("{role}@acme/support/ada")).await;
            let status = foreign.status.as_u16();
            match reach {
                'N' => assert_eq!(status, 403, "{asked} of another organisation"),
                _ if *instance => assert_eq!(status, 403, "{asked} of another organisation"),
                // Each organisation has secrets of its own, under whatever names.
                _ if route.method == "put" && route.path == "/secrets/{name}" => {
                    assert!(status < 300, "{asked}: {status}")
                }
                _ if route.path == "/secrets/{name}" => assert!(matches!(status, 200 | 404), "{asked}: {status}"),
                _ if route.method == "put" => assert_eq!(&*foreign.code(), "name_taken", "{asked}"),
                _ if route.path.contains('{') => assert_eq!(status, 404, "{asked} of another organisation"),
                _ => assert!(!foreign.text.contains(&id) && !foreign.text.contains("\"mine\""), "{}", foreign.text),
            }
            if route.method != "get" {
                id = refurnish(&desk, route.kind()).await;
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_promised_about_routes_that_are_not_there() {
    let documented = documented().await;
    for (method, path, ..) in PROMISED {
        assert!(documented.iter().any(|route| route.method == *method && route.path == *path), "{method} {path}");
    }
}

#[tokio::test]
async fn nobody_without_a_good_key_gets_anywhere() {
    let (desk, id) = furnished().await;
    for route in documented().await {
        let path = format!("/api/v1{}", route.path.replace("{id}", &id).replace("{name}", "mine"));
        let method = Method::from_bytes(route.method.to_uppercase().as_bytes()).unwrap();
        let none = desk.ask(method.clone(), &path, None, None).await;
        assert_eq!((none.status.as_u16(), &*none.code()), (401, "missing_key"), "{method} {path}");
        let roleless = desk.ask(method.clone(), &path, Some("roleless"), None).await;
        if route.path == "/whoami" {
            assert_eq!(roleless.status, 200, "whoever is somebody may know who");
            continue;
        }
        assert_eq!((roleless.status.as_u16(), &*roleless.code()), (403, "not_allowed"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_route_without_a_row_is_refused_to_everybody() {
    assert!(crate::admin::rights::row("GET", "/backdoor").is_none());
    assert!(crate::admin::rights::row("PATCH", "/keys").is_none());
    assert!(!crate::admin::rights::knows("/keys/{other}"));
}

#[tokio::test]
async fn a_team_lead_has_the_keys_of_the_own_team_and_no_others() {
    let (desk, of_support) = furnished().await;
    let lead = "team_lead@default/research";
    let made = desk.as_of(lead, Method::POST, "/api/v1/keys", Some(json!({"name": "mine"}))).await;
    assert_eq!((made.status.as_u16(), &made.json()["key"]["team"]), (201, &json!("research")));
    let other = desk.as_of(lead, Method::POST, "/api/v1/keys", Some(json!({"name": "x", "team": "support"}))).await;
    assert_eq!(&*other.code(), "not_allowed");
    let rows = desk.as_of(lead, Method::GET, "/api/v1/keys", None).await.json();
    let teams: Vec<_> = rows["rows"].as_array().unwrap().iter().map(|row| row["team"].clone()).collect();
    assert_eq!(teams, [json!("research")]);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(desk.as_of(lead, method, &format!("/api/v1/keys/{of_support}"), None).await.status, 404);
    }
    assert_eq!(desk.as_of("team_lead@default", Method::GET, "/api/v1/keys", None).await.json()["rows"], json!([]));
}

#[tokio::test]
async fn a_role_is_given_only_by_those_with_rights_to_it() {
    let desk = Desk::open().await;
    for (giver, given, status) in [
        ("owner", "owner", 201),
        ("admin", "admin", 201),
        ("admin", "owner", 403),
        ("team_lead", "team_lead", 201),
        ("team_lead", "auditor", 403),
        ("developer", "developer", 201),
        ("developer", "team_lead", 403),
    ] {
        let giver = format!("{giver}@default/support/ada");
        let made = desk.as_of(&giver, Method::POST, "/api/v1/keys", Some(json!({"name": "x", "role": given}))).await;
        assert_eq!(made.status, status, "{giver} makes {given}");
    }
}

#[tokio::test]
async fn nobody_gets_a_higher_role_by_rotating_a_key() {
    let desk = Desk::open().await;
    let made = desk.post("/api/v1/keys", json!({"name": "x", "role": "owner"})).await.json();
    let path = format!("/api/v1/keys/{}/rotate", made["key"]["id"].as_str().unwrap());
    assert_eq!(desk.as_of("admin@default", Method::POST, &path, Some(json!({}))).await.status, 403);
    assert_eq!(desk.as_of("owner@default", Method::POST, &path, Some(json!({}))).await.status, 200);
}

#[tokio::test]
async fn a_developer_makes_keys_for_nobody_else() {
    let desk = Desk::open().await;
    let ada = "developer@default/support/ada";
    let made = desk.as_of(ada, Method::POST, "/api/v1/keys", Some(json!({"name": "mine"}))).await.json();
    assert_eq!(made["key"]["user"], "ada");
    for other in [json!({"name": "x", "user": "ann"}), json!({"name": "x", "agent": "bot"})] {
        assert_eq!(desk.as_of(ada, Method::POST, "/api/v1/keys", Some(other)).await.status, 403);
    }
}
