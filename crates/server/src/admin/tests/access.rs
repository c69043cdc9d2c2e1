use super::*;

#[tokio::test]
async fn answers_are_never_stored() {
    let desk = Desk::open().await;
    for (path, key) in [("/api/v1/keys", Some(ADMIN)), ("/api/v1/keys", None), ("/api/v1/nothing-here", Some(ADMIN))] {
        assert_eq!(desk.ask(Method::GET, path, key, None).await.headers["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn paths_that_do_not_exist_need_a_key_too() {
    let desk = Desk::open().await;
    assert_eq!(desk.ask(Method::GET, "/api/v1/nothing-here", None, None).await.status, 401);
    assert_eq!(desk.as_of("viewer@default", Method::GET, "/api/v1/nothing-here", None).await.status, 404);
}

#[tokio::test]
async fn a_path_that_only_looks_like_another_has_its_own_rights() {
    let desk = Desk::open().await;
    let viewer = "viewer@default";
    for path in
        ["/api/v1/models/../keys", "/api/v1/models%2F..%2Fkeys", "/api/v1//keys", "/api/v1/keys/", "/api/v1/KEYS"]
    {
        let status = desk.as_of(viewer, Method::GET, path, None).await.status;
        assert!(status == 404 || status == 403, "{path}: {status}");
    }
    let head = desk.as_of(viewer, Method::HEAD, "/api/v1/keys", None).await;
    assert_eq!(head.status, 403, "HEAD is GET without a body");
}

#[tokio::test]
async fn who_keeps_guessing_waits_even_with_the_right_key() {
    let desk = Desk::open().await;
    for _ in 0..6 {
        assert_eq!(desk.as_of("wrong", Method::GET, "/api/v1/config", None).await.status, 401);
    }
    let waits = desk.get("/api/v1/config").await;
    assert_eq!((waits.status.as_u16(), &*waits.code()), (429, "too_many_attempts"));
    let seconds: u64 = waits.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&seconds));
    assert_eq!(desk.ask(Method::GET, "/api/v1/config", None, None).await.status, 401, "no key is no guess");
}

#[tokio::test]
async fn whoami_says_for_whom_a_key_stands() {
    let desk = Desk::open().await;
    let ada = desk.as_of("developer@acme/support/ada", Method::GET, "/api/v1/whoami", None).await.json();
    assert_eq!(
        (&ada["role"], &ada["organisation"], &ada["user"]),
        (&json!("developer"), &json!("acme"), &json!("ada"))
    );
    assert_eq!(desk.get("/api/v1/whoami").await.json()["role"], "owner");
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
