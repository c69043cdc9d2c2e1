//! The admin API as its clients see it: the whole router, in process, over a real database in a temporary folder.

mod access;
mod audit;
mod budgets;
mod claim;
mod document;
mod keys;
mod mcp;
mod objects;
mod operations;
mod policies;
mod requests;
mod rights;
mod secrets;
mod usage;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, to_bytes};
use gatehouse_domain::{Code, Fault, Guests, PicoPerToken, PricedPart, Principal, PrincipalKind, Secret};
use gatehouse_oauth::server::Subject;
use gatehouse_store::audit::Refusal;
use gatehouse_store::{DataDir, LedgerEntry, Pepper, Store, StoreError};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::router;
use crate::control::{
    Answer, Breaker, BreakerState, BudgetStanding, ConfigProblem, ConfigStatus, Control, DecidingPolicy,
    DeclaredObject, FileKey, FileObject, From, Holder, McpChange, McpChanges, McpDecision, McpExplanation, McpFinding,
    McpQuestion, McpServerStanding, NotReady, Operations, PolicyAnswer, PolicyQuestion, PolicyRefusal, Price,
    Readiness, Reload, ReplayQuestion, ReplayReport, Whoami, Wrong, WrongHolder,
};

use crate::control::oauth::{Fetch, Fetched, OAuthOperations, Settings, Shown, Signed, Vouched};
use crate::oauth::SigningKeys;

const ADMIN: &str = "the-admin-key-of-the-file";

/// A gateway that stands still: two targets, one model, one key of the file.
struct Still {
    open: Mutex<Vec<&'static str>>,
    keys_changed: AtomicUsize,
    objects_changed: AtomicUsize,
    refusals: Mutex<Vec<Refusal>>,
    decisions: Mutex<Vec<McpDecision>>,
    broken_file: bool,
    ready: bool,
    claim_remote: bool,
}

impl Default for Still {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            keys_changed: AtomicUsize::new(0),
            objects_changed: AtomicUsize::new(0),
            refusals: Mutex::default(),
            decisions: Mutex::default(),
            broken_file: false,
            ready: true,
            claim_remote: false,
        }
    }
}

const TARGETS: [&str; 2] = ["openai/gpt-5-mini", "claude/claude-haiku-4-5"];

impl Operations for Still {
    fn admin_key(&self) -> Option<Secret> {
        Some(Secret::new(ADMIN))
    }
    fn guests(&self) -> Guests {
        Guests::default()
    }
    fn readiness(&self) -> Readiness {
        let reasons = if self.ready { vec![] } else { vec![NotReady::Draining, NotReady::JournalUnavailable] };
        Readiness { ready: self.ready, reasons, generation: 4 }
    }
    fn metrics(&self) -> (String, &'static str) {
        ("# EOF\n".into(), "application/openmetrics-text; version=1.0.0; charset=utf-8")
    }
    fn breakers(&self) -> Vec<Breaker> {
        let open = self.open.lock().unwrap();
        let breaker = |target: &str| match open.contains(&target) {
            true => Breaker { target: target.into(), state: BreakerState::Open, retry_in_ms: Some(1_500) },
            false => Breaker { target: target.into(), state: BreakerState::Closed, retry_in_ms: None },
        };
        TARGETS.into_iter().map(breaker).collect()
    }
    fn reset_breaker(&self, target: &str) -> bool {
        self.open.lock().unwrap().retain(|open| *open != target);
        TARGETS.contains(&target)
    }
    fn reset_breakers(&self) -> usize {
        self.open.lock().unwrap().drain(..).count()
    }
    fn budgets(&self) -> Vec<BudgetStanding> {
        let budget = |id: &str, kind: &str, payer: &str| BudgetStanding {
            id: id.into(),
            kind: kind.into(),
            payer: payer.into(),
            measure: "usd".into(),
            per: Some("month".into()),
            zone: None,
            rolling: false,
            max: 100.0,
            used: 42.5,
            reserved: 0.5,
            remaining: 57.0,
            whole_at_unix_ms: Some(1_796_083_200_000),
            warn_at: vec![0.8],
            downgrade: None,
        };
        vec![
            budget("key:ci/0", "key", "ci"),
            budget("team:support/0", "team", "support"),
            budget("team:support/1", "team", "support"),
        ]
    }
    fn config_status(&self) -> ConfigStatus {
        ConfigStatus { generation: 4, source: "gatehouse.yaml".into(), since_unix_ms: 1_795_348_800_000, problem: None }
    }
    fn reload(&self) -> Answer<'_, Reload> {
        let problems = vec!["line 3, column 5: `targts` is unknown, did you mean `targets`?".into()];
        let refused = Reload::Refused(ConfigProblem { at_unix_ms: 1, problems });
        let accepted = Reload::Accepted(ConfigStatus { generation: 5, ..self.config_status() });
        Box::pin(std::future::ready(if self.broken_file { refused } else { accepted }))
    }
    fn file_keys(&self) -> Vec<FileKey> {
        let none = || RawValue::from_string("[]".into()).unwrap();
        vec![FileKey {
            id: "ci".into(),
            name: "ci".into(),
            holder: Holder { team: Some("support".into()), ..Holder::default() },
            ip_ranges: vec![],
            tags: None,
            role: None,
            mcp_servers: vec![],
            toolsets: vec![],
            agents: vec![],
            models: vec!["fast".into()],
            limits: none(),
            budgets: none(),
            expires_unix_ms: None,
        }]
    }
    fn keys_changed(&self) -> Answer<'_, ()> {
        self.keys_changed.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
    fn models(&self) -> Vec<String> {
        vec!["fast".into(), "open/*".into()]
    }
    /// Keys of this gateway are called by what they are: `admin@acme/support/ada` is ada of the team support.
    fn caller(&self, presented: &str) -> Result<Arc<Principal>, Fault> {
        if presented == "roleless" {
            return Ok(Arc::new(Principal::bare(PrincipalKind::Service, "roleless", "roleless")));
        }
        let unknown = || Fault::new(Code::UnknownKey, "unknown");
        let (role, rest) = presented.split_once('@').ok_or_else(unknown)?;
        let mut parts = rest.split('/');
        Ok(Arc::new(Principal {
            role: Some(role.parse().map_err(|_| unknown())?),
            organisation: parts.next().unwrap_or_default().into(),
            team: parts.next().map(Arc::from),
            user: parts.next().map(Arc::from),
            ..Principal::bare(PrincipalKind::User, presented, presented)
        }))
    }
    fn file_objects(&self) -> Vec<FileObject> {
        let object = |kind, name: &str, body| FileObject { kind, name: name.into(), organisation: None, body };
        let of_acme = Some(Arc::from("acme"));
        let key = json!({"secret": true, "last4": "cdef"});
        vec![
            object("providers", "openai", json!({"kind": "openai", "api_key": key})),
            object("models", "fast", json!({"targets": [{"provider": "openai", "model": "gpt-5-mini"}]})),
            object("models", "open/*", json!({"targets": [{"provider": "openai", "model": "*"}]})),
            FileObject { organisation: of_acme, ..object("users", "eve", json!({"organisation": "acme"})) },
        ]
    }
    /// Checks what the real one does first: that a provider is there for each target.
    fn check_objects(&self, objects: Vec<DeclaredObject>) -> Answer<'_, Result<(), Vec<Wrong>>> {
        let is_there = |name: &Value| {
            name == "openai" || objects.iter().any(|object| object.kind == "providers" && *name == *object.name)
        };
        let of_models = objects.iter().filter(|object| object.kind == "models");
        let wrong = of_models.filter(|model| !is_there(&model.body["targets"][0]["provider"])).map(|model| Wrong {
            object: Some(format!("models/{}", model.name)),
            pointer: "/targets/0/provider".into(),
            message: "there is no such provider".into(),
            hint: None,
        });
        let wrong: Vec<Wrong> = wrong.collect();
        Box::pin(std::future::ready(if wrong.is_empty() { Ok(()) } else { Err(wrong) }))
    }
    /// Something refers to the secret `used`, and does not take `broken` for it.
    fn check_secret(&self, _: &str, name: &str, value: Option<Secret>) -> Answer<'_, Vec<Wrong>> {
        let wrong = name == "used" && value.is_none_or(|value| value.reveal() == "broken");
        let wrong = wrong.then(|| Wrong {
            object: Some("providers/openai".into()),
            pointer: "/api_key".into(),
            message: "there is no secret `used`".into(),
            hint: None,
        });
        Box::pin(std::future::ready(wrong.into_iter().collect()))
    }
    fn objects_changed(&self) -> Answer<'_, Reload> {
        self.objects_changed.fetch_add(1, Ordering::Relaxed);
        self.reload()
    }
    fn explain_policy(&self, question: &PolicyQuestion) -> Result<PolicyAnswer, PolicyRefusal> {
        if question.action != "call_model" {
            return Err(PolicyRefusal::new("There is no such action.", "There is call_model."));
        }
        Ok(PolicyAnswer {
            allow: false,
            basis: "forbidden".into(),
            reason: "`no-big` forbids it.".into(),
            key_permits: None,
            principal: "Anonymous::\"anonymous\"".into(),
            action: question.action.clone(),
            resource: format!("Model::{:?}", question.resource),
            deciding: vec![DecidingPolicy { id: "no-big".into(), file: "a.cedar".into(), line: 3 }],
            errors: vec![],
        })
    }
    fn replay_policies(
        &self,
        question: ReplayQuestion,
        since: Option<u64>,
        _until: Option<u64>,
    ) -> Answer<'_, Result<ReplayReport, PolicyRefusal>> {
        let calls = since.map_or(0, |_| question.policies.len() as u64);
        Box::pin(std::future::ready(Ok(ReplayReport { calls, ..ReplayReport::default() })))
    }
    fn caller_from(&self, presented: &str, _from: &From<'_>) -> Result<Arc<Principal>, Fault> {
        self.caller(presented)
    }
    fn whoami(&self, presented: &str, from: &From<'_>) -> Result<Whoami, Fault> {
        if presented.starts_with("ey") {
            return Err(Fault::new(Code::IdentityUnavailable, "the issuer is away").retry_after(5));
        }
        let who = self.caller_from(presented, from)?;
        Ok(Whoami {
            kind: who.kind.as_str(),
            key: who.key.to_string(),
            name: who.name.to_string(),
            organisation: who.organisation.to_string(),
            team: who.team.as_deref().map(str::to_owned),
            user: who.user.as_deref().map(str::to_owned),
            service_account: None,
            agent: None,
            act: vec![],
            tags: None,
            role: who.role.map(gatehouse_domain::Role::as_str),
            models: self.models(),
            requests: None,
            tokens: None,
        })
    }
    fn check_holder(&self, holder: &Holder) -> Result<(), WrongHolder> {
        let known = holder.user.as_deref().is_none_or(|user| ["ann", "ada"].contains(&user));
        let wrong = || WrongHolder { message: "there is no user `anna`".into(), hint: "did you mean `ann`?".into() };
        if known { Ok(()) } else { Err(wrong()) }
    }
    fn stands_for(&self, holder: &Holder) -> Principal {
        Principal {
            organisation: holder.organisation.as_deref().unwrap_or("default").into(),
            team: holder.team.as_deref().map(Arc::from),
            user: holder.user.as_deref().map(Arc::from),
            ..Principal::bare(PrincipalKind::Service, "", "")
        }
    }
    fn environment(&self) -> String {
        "test".into()
    }
    fn note_refusal(&self, refusal: Refusal) {
        self.refusals.lock().unwrap().push(refusal);
    }
    fn priced_parts(&self, attempt: &LedgerEntry) -> Option<Vec<PricedPart>> {
        let rate = PicoPerToken(attempt.cost.nano_usd.unsigned_abs() * 1000 / attempt.usage.total());
        Some(vec![PricedPart { kind: "input", tokens: attempt.usage.total(), rate }])
    }
    fn mcp_servers(&self) -> Vec<McpServerStanding> {
        vec![McpServerStanding {
            name: "git".into(),
            state: "down",
            last_error: Some("refused".into()),
            era: Some("modern"),
            revision: Some("2026-07-28".into()),
            fetched_unix_ms: Some(1),
            tools: 2,
            prompts: 0,
            resources: 0,
            templates: 0,
            held: 1,
            tool_tokens: 300,
            findings: 1,
        }]
    }
    fn mcp_findings(&self) -> Vec<McpFinding> {
        let finding = |severity, server: &str| McpFinding {
            severity,
            code: "shared_name",
            server: server.into(),
            kind: "tool",
            name: "log".into(),
            message: "It has company.".into(),
        };
        vec![finding("low", "git"), finding("high", "git"), finding("low", "web")]
    }
    fn refresh_mcp_server(&self, name: &str) -> bool {
        ["git", "mine"].contains(&name)
    }
    /// Two texts are one change of a text.
    fn diff_mcp(&self, _: &str, before: &str, after: &str) -> McpChanges {
        let change =
            McpChange { path: String::new(), before: Some(before.into()), after: Some(after.into()), class: "text" };
        let changes = if before == after { vec![] } else { vec![change] };
        McpChanges { class: changes.first().map(|change| change.class), changes }
    }
    fn decide_mcp(&self, decision: McpDecision) -> Answer<'_, Result<bool, StoreError>> {
        self.decisions.lock().unwrap().push(decision);
        Box::pin(std::future::ready(Ok(true)))
    }
    fn explain_mcp(&self, question: &McpQuestion) -> Result<McpExplanation, PolicyRefusal> {
        if question.key.as_deref() == Some("nobody") {
            return Err(PolicyRefusal::new("There is no such key.", "GET /api/v1/keys lists them."));
        }
        Ok(McpExplanation {
            visible: false,
            why: "held".into(),
            message: "It waits.".into(),
            tool: Some(question.tool.clone()),
            exposed: None,
            server_state: Some("up"),
            findings: vec![],
        })
    }
    fn price(&self, provider: &str, model: &str, _at: SystemTime) -> Option<Price> {
        (provider == "openai" && model == "gpt-5-mini").then(|| Price {
            provider: provider.into(),
            model: model.into(),
            input: 0.25,
            output: 2.0,
            cache_read: 0.025,
            cache_write: 0.25,
            from: "list".into(),
        })
    }
}

/// It issues no access tokens: those who do are tested through the binary.
impl OAuthOperations for Still {
    fn settings(&self) -> Option<Settings> {
        None
    }
    fn fetch(&self, _: Fetch) -> Answer<'_, Result<Fetched, &'static str>> {
        Box::pin(std::future::ready(Err("it cannot be reached")))
    }
    fn verify(&self, _: &Signed<'_>) -> Result<Vouched, Fault> {
        Err(Fault::new(Code::InvalidToken, "nobody is believed"))
    }
    fn token_of(&self, _: &str) -> Result<Shown, Fault> {
        Err(Fault::new(Code::InvalidToken, "nobody is believed"))
    }
    fn who(&self, _: &Subject) -> Result<Arc<Principal>, Fault> {
        Err(Fault::new(Code::RevokedKey, "nobody is known"))
    }
    fn grant_revoked(&self, _: &str) {}
    fn signing_keys_changed(&self) {}
}

/// The API, and what it stands on.
struct Desk {
    router: Router,
    store: Store,
    pepper: Pepper,
    still: Arc<Still>,
    _folder: TempDir,
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl Desk {
    async fn open() -> Self {
        Self::with(Still::default()).await
    }

    async fn with(still: Still) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::create(folder.path().join("data")).unwrap();
        let store = Store::open(&dir).await.unwrap();
        let pepper = Pepper::load(&dir).unwrap();
        let still = Arc::new(still);
        let operations = Arc::clone(&still) as Arc<dyn Operations>;
        let router = router(Control {
            store: store.clone(),
            pepper: pepper.clone(),
            operations,
            claim_remote: still.claim_remote,
            oauth: Arc::clone(&still) as Arc<dyn OAuthOperations>,
            signing: Arc::new(SigningKeys::open(&store).await.unwrap()),
        });
        Self { router, store, pepper, still, _folder: folder }
    }

    async fn ask(&self, method: Method, path: &str, key: Option<&str>, body: Option<Value>) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let body = match body {
            None => Body::empty(),
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        Answered { status: parts.status, headers: parts.headers, text }
    }

    /// Asks with a key of a role, or any other one.
    async fn as_of(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> Answered {
        self.ask(method, path, Some(key), body).await
    }

    async fn put(&self, path: &str, body: Value) -> Answered {
        self.ask(Method::PUT, path, Some(ADMIN), Some(body)).await
    }

    async fn get(&self, path: &str) -> Answered {
        self.ask(Method::GET, path, Some(ADMIN), None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answered {
        self.ask(Method::POST, path, Some(ADMIN), Some(body)).await
    }

    /// Makes a key and returns its id and secret.
    async fn key(&self, name: &str) -> (String, String) {
        let made = self.post("/api/v1/keys", json!({"name": name})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let made = made.json();
        (made["key"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    }
}
