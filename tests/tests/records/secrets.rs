//! Secrets that came in by the API: used, never shown, never in clear on the disk.

use gatehouse_tests::{Dialect, House, Upstream};
use serde_json::json;

const SECRET: &str = "sk-by-api-0123456789-cafe";

#[test]
fn a_provider_made_by_the_api_calls_with_its_key_which_nobody_sees_again() {
    let upstream = Upstream::start();
    let mut gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let provider =
        json!({"kind": "openai-compatible", "base_url": format!("{}/v1", upstream.url()), "api_key": SECRET});
    let model = json!({"targets": [{"provider": "mine", "model": "some-model"}]});
    let objects = json!({"objects": [
        {"kind": "providers", "name": "mine", "body": provider}, {"kind": "models", "name": "slow", "body": model},
    ]});
    let applied = gate.admin().post("/api/v1/apply", &objects);
    assert_eq!(applied.status, 200, "{}", applied.text());
    let shown = gate.admin().get("/api/v1/providers/mine");
    assert_eq!(shown.json()["body"]["api_key"], json!({"secret": true, "last4": "cafe"}));
    assert!(!applied.text().contains(SECRET) && !shown.text().contains(SECRET));
    for _ in 0..2 {
        assert_eq!(gate.client().ask(Dialect::OpenAiChat, "slow", "Hello?").status, 200);
        gate.kill9();
        for file in std::fs::read_dir(gate.folder().join("gatehouse-data")).expect("a folder").flatten() {
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            let clear = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!clear, "{}", file.path().display());
        }
        gate.restart();
    }
    for received in upstream.requests() {
        assert_eq!(received.header("authorization"), Some(&*format!("Bearer {SECRET}")));
    }
    assert_eq!(upstream.served(), 2);
}
