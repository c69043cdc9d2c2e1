//! The admin API as its clients see it: the whole router, in process, over a real database in a temporary folder.

mod access;
mod audit;
mod claim;
mod document;
mod keys;
mod operations;
mod requests;
mod usage;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, to_bytes};
use gatehouse_domain::{PicoPerToken, PricedPart, Secret};
use gatehouse_store::audit::Refusal;
use gatehouse_store::{DataDir, LedgerEntry, Pepper, Store};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::router;
use crate::control::{
    Answer, Breaker, BreakerState, ConfigProblem, ConfigStatus, Control, FileKey, Model, ModelTarget, NotReady,
    Operations, Price, Provider, Readiness, Reload, Source,
};

const ADMIN: &str = "the-admin-key-of-the-file";

/// A gateway that stands still: two targets, one model, one key of the file.
struct Still {
    open: Mutex<Vec<&'static str>>,
    keys_changed: AtomicUsize,
    refusals: Mutex<Vec<Refusal>>,
    broken_file: bool,
    ready: bool,
}

const TARGETS: [&str; 2] = ["openai/gpt-5-mini", "claude/claude-haiku-4-5"];

impl Operations for Still {
    fn admin_key(&self) -> Option<Secret> {
        Some(Secret::new(ADMIN))
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
            team: Some("support".into()),
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
    fn models(&self) -> Vec<Model> {
        let target = ModelTarget { provider: "openai".into(), model: "gpt-5-mini".into(), weight: 1 };
        let model = |name: &str| Model {
            name: name.into(),
            strategy: "weighted".into(),
            targets: vec![target.clone()],
            fallbacks: vec![],
            source: Source::File,
        };
        vec![model("fast"), model("open/*")]
    }
    fn providers(&self) -> Vec<Provider> {
        vec![Provider {
            name: "openai".into(),
            kind: "openai".into(),
            address: "https://api.openai.com".into(),
            credentials: true,
            source: Source::File,
        }]
    }
    fn note_refusal(&self, refusal: Refusal) {
        self.refusals.lock().unwrap().push(refusal);
    }
    fn priced_parts(&self, attempt: &LedgerEntry) -> Option<Vec<PricedPart>> {
        let rate = PicoPerToken(attempt.cost.nano_usd.unsigned_abs() * 1000 / attempt.usage.total());
        Some(vec![PricedPart { kind: "input", tokens: attempt.usage.total(), rate }])
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
        Self::with(Still {
            open: Mutex::new(vec![]),
            keys_changed: AtomicUsize::new(0),
            refusals: Mutex::default(),
            broken_file: false,
            ready: true,
        })
        .await
    }

    async fn with(still: Still) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::create(folder.path().join("data")).unwrap();
        let store = Store::open(&dir).await.unwrap();
        let pepper = Pepper::load(&dir).unwrap();
        let still = Arc::new(still);
        let operations = Arc::clone(&still) as Arc<dyn Operations>;
        let router = router(Control { store: store.clone(), pepper: pepper.clone(), operations });
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
