use super::*;

fn still(open: &[&'static str]) -> Still {
    Still { open: Mutex::new(open.to_vec()), ..Still::default() }
}

#[tokio::test]
async fn breakers_are_listed_and_closed_by_hand() {
    let desk = Desk::with(still(&TARGETS)).await;
    let rows = desk.get("/api/v1/breakers").await.json();
    assert_eq!(rows["rows"][0], json!({"target": "openai/gpt-5-mini", "state": "open", "retry_in_ms": 1500}));
    let one = desk.post("/api/v1/breakers/reset", json!({"target": "openai/gpt-5-mini"})).await;
    assert_eq!(one.json(), json!({"reset": 1}));
    assert_eq!(desk.get("/api/v1/health").await.json()["held_back"], json!(["claude/claude-haiku-4-5"]));
    assert_eq!(desk.post("/api/v1/breakers/reset", json!({})).await.json(), json!({"reset": 1}));
    assert_eq!(desk.get("/api/v1/health").await.json()["held_back"], json!([]));
    assert_eq!(desk.post("/api/v1/breakers/reset", json!({"target": "no/one"})).await.status, 404);
}

#[tokio::test]
async fn a_price_is_looked_up_for_a_moment() {
    let desk = Desk::open().await;
    let price = desk.get("/api/v1/price?provider=openai&model=gpt-5-mini&at=2026-11-01").await.json();
    assert_eq!((&price["input"], &price["output"]), (&json!(0.25), &json!(2.0)));
    let unpriced = desk.get("/api/v1/price?provider=openai&model=other").await;
    assert_eq!(unpriced.status, 404);
    assert!(unpriced.json()["error"]["hint"].as_str().unwrap().contains("prices.overrides"));
    assert_eq!(desk.get("/api/v1/price?provider=openai").await.status, 400);
    assert_eq!(desk.get("/api/v1/price?provider=openai&model=m&at=then").await.status, 400);
}

#[tokio::test]
async fn a_reload_answers_with_what_is_in_force_then() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/api/v1/config").await.json()["generation"], 4);
    assert_eq!(desk.post("/api/v1/config/reload", json!({})).await.json()["generation"], 5);
}

#[tokio::test]
async fn a_bad_file_is_refused_with_its_problems() {
    let desk = Desk::with(Still { broken_file: true, ..still(&[]) }).await;
    let refused = desk.post("/api/v1/config/reload", json!({})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("line 3, column 5"), "{}", refused.text);
}

#[tokio::test]
async fn probes_need_no_key() {
    let desk = Desk::open().await;
    let ask = async |path| desk.ask(Method::GET, path, None, None).await;
    assert_eq!(ask("/healthz").await.status, 200);
    let ready = ask("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.json()), (200, json!({"ready": true, "reasons": [], "generation": 4})));
    let metrics = ask("/metrics").await;
    assert!(metrics.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
}

#[tokio::test]
async fn a_gateway_that_is_not_ready_says_why() {
    let desk = Desk::with(Still { ready: false, ..still(&[]) }).await;
    let ready = desk.ask(Method::GET, "/readyz", None, None).await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reasons"], json!(["draining", "journal_unavailable"]));
    assert_eq!(desk.ask(Method::GET, "/healthz", None, None).await.status, 200, "a restart would not help");
}

#[tokio::test]
async fn a_database_that_is_gone_is_told_and_not_panicked_about() {
    let desk = Desk::open().await;
    desk.store.close().await;
    let keys = desk.get("/api/v1/keys").await;
    assert_eq!((keys.status.as_u16(), &*keys.code()), (500, "internal"));
}
