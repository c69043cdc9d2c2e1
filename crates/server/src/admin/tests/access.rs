use super::*;

/// Every route with a request it takes, and what it answers to the right key.
fn routes(key: &str) -> Vec<(Method, String, Option<Value>, u16)> {
    let get = |path: &str, status| (Method::GET, path.to_owned(), None, status);
    let post = |path: String, body, status| (Method::POST, path, Some(body), status);
    vec![
        get("/api/v1/openapi.json", 200),
        get("/api/v1/keys", 200),
        post("/api/v1/keys".into(), json!({"name": "another"}), 201),
        get(&format!("/api/v1/keys/{key}"), 200),
        post(format!("/api/v1/keys/{key}/rotate"), json!({}), 200),
        (Method::DELETE, format!("/api/v1/keys/{key}"), None, 200),
        get("/api/v1/usage", 200),
        get("/api/v1/attempts", 200),
        get("/api/v1/requests", 200),
        get(&format!("/api/v1/requests/{key}"), 404),
        get(&format!("/api/v1/runs/{key}"), 404),
        get("/api/v1/audit", 200),
        get("/api/v1/audit/verify", 200),
        get("/api/v1/usage/export", 200),
        post("/api/v1/usage/reprice".into(), json!({"since": "1d"}), 200),
        get("/api/v1/breakers", 200),
        post("/api/v1/breakers/reset".into(), json!({}), 200),
        get("/api/v1/models", 200),
        get("/api/v1/models/fast", 200),
        get("/api/v1/providers", 200),
        get("/api/v1/providers/openai", 200),
        get("/api/v1/prices?provider=openai&model=gpt-5-mini", 200),
        get("/api/v1/config", 200),
        post("/api/v1/config/reload".into(), json!({}), 200),
        get("/api/v1/health", 200),
        get("/api/v1/nothing-here", 404),
        (Method::PUT, "/api/v1/keys".into(), None, 405),
    ]
}

#[tokio::test]
async fn every_route_wants_the_right_key() {
    let desk = Desk::open().await;
    let (key, secret) = desk.key("app").await;
    for (method, path, body, expected) in routes(&key) {
        let none = desk.ask(method.clone(), &path, None, body.clone()).await;
        assert_eq!((none.status.as_u16(), &*none.code()), (401, "missing_key"), "{method} {path} without a key");
        for wrong in ["wrong", &secret] {
            let answer = desk.ask(method.clone(), &path, Some(wrong), body.clone()).await;
            assert_eq!((answer.status.as_u16(), &*answer.code()), (401, "unknown_key"), "{method} {path} with {wrong}");
        }
        let right = desk.ask(method.clone(), &path, Some(ADMIN), body).await;
        assert_eq!(right.status.as_u16(), expected, "{method} {path}: {}", right.text);
        assert_eq!(right.headers["cache-control"], "no-store", "{method} {path}");
    }
}

#[tokio::test]
async fn every_documented_route_is_in_the_table_above() {
    let desk = Desk::open().await;
    let document = desk.get("/api/v1/openapi.json").await.json();
    let table = routes("KEY");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|_| path != "/claim") {
            let pattern = format!("/api/v1{path}").replace("{id}", "KEY").replace("{run}", "KEY");
            let covered = table.iter().any(|(m, p, ..)| {
                let p = p.split('?').next().unwrap();
                m.as_str().eq_ignore_ascii_case(method)
                    && (p == pattern || pattern.strip_suffix("{name}").is_some_and(|head| p.starts_with(head)))
            });
            assert!(covered, "{method} {path} is not tested for access");
        }
    }
}

#[tokio::test]
async fn the_key_may_ride_in_x_api_key_but_not_in_the_query() {
    let desk = Desk::open().await;
    let request = |uri: String| Request::get(uri);
    let header = request("/api/v1/config".into()).header("x-api-key", ADMIN).body(Body::empty()).unwrap();
    assert_eq!(desk.send(header).await.status, 200);
    let query = request(format!("/api/v1/config?key={ADMIN}")).body(Body::empty()).unwrap();
    assert_eq!(desk.send(query).await.status, 401);
}

#[tokio::test]
async fn a_refusal_says_what_to_do_next() {
    let desk = Desk::open().await;
    let answer = desk.ask(Method::GET, "/api/v1/keys", None, None).await;
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    let error = &answer.json()["error"];
    assert_eq!(error["message"], "The admin API needs a key.");
    assert!(error["hint"].as_str().unwrap().starts_with("Send `Authorization: Bearer KEY`"), "{error}");
}

#[tokio::test]
async fn a_path_or_method_that_does_not_exist_says_where_the_others_are() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/api/v1/nothing-here").await.code(), "not_found");
    assert_eq!(desk.get("/api/v1/config/reload").await.code(), "method_not_allowed");
    assert_eq!(desk.get("/api/v1/claim").await.code(), "method_not_allowed");
}

#[tokio::test]
async fn a_wrong_body_is_told_in_the_same_shape() {
    let desk = Desk::open().await;
    let broken = Request::post("/api/v1/keys").header("authorization", format!("Bearer {ADMIN}"));
    let broken = broken.header("content-type", "application/json").body(Body::from("{")).unwrap();
    let broken = desk.send(broken).await;
    assert_eq!((broken.status.as_u16(), &*broken.code()), (400, "invalid_json"));
    let unknown = desk.post("/api/v1/keys", json!({"name": "x", "modles": []})).await;
    assert_eq!((unknown.status.as_u16(), &*unknown.code()), (400, "invalid_request"));
    assert!(unknown.text.contains("modles"), "{}", unknown.text);
    let plain = Request::post("/api/v1/keys").header("authorization", format!("Bearer {ADMIN}"));
    let plain = desk.send(plain.body(Body::from("{}")).unwrap()).await;
    assert_eq!((plain.status.as_u16(), &*plain.code()), (415, "unsupported_media"));
    let long = desk.post("/api/v1/keys", json!({"name": "x".repeat(300 * 1024)})).await;
    assert_eq!((long.status.as_u16(), &*long.code()), (413, "body_too_large"));
}
