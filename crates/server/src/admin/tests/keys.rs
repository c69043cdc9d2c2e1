use gatehouse_store::keys as api_keys;

use super::*;

#[tokio::test]
async fn a_secret_is_shown_once_and_its_hash_stored() {
    let desk = Desk::open().await;
    let (id, secret) = desk.key("app").await;
    assert_eq!(api_keys::form(&secret), api_keys::Form::Minted);
    assert!(secret.contains(id.trim_start_matches("key_")), "a key names its id");
    for path in ["/api/v1/keys".to_owned(), format!("/api/v1/keys/{id}")] {
        assert!(!desk.get(&path).await.text.contains(&secret), "{path}");
    }
    let stored = desk.store.key(&id).await.unwrap().unwrap();
    assert_eq!(stored.key.hash, api_keys::hash(&desk.pepper, &secret));
    assert_eq!(desk.still.keys_changed.load(Ordering::Relaxed), 1, "the data plane was told");
}

#[tokio::test]
async fn a_key_carries_what_it_was_given() {
    let desk = Desk::open().await;
    let wanted = json!({
        "name": "app", "team": "support", "models": ["fast", "open/some-model"], "expires": "2099-01-01",
        "limits": [{"requests": 600, "per": "minute"}, {"concurrent": 50}], "budgets": [{"usd": 100.0, "per": "month"}],
    });
    let made = desk.post("/api/v1/keys", wanted.clone()).await.json();
    let id = made["key"]["id"].as_str().unwrap();
    let key = desk.get(&format!("/api/v1/keys/{id}")).await.json();
    assert_eq!(key, made["key"]);
    for field in ["name", "team", "models", "limits", "budgets"] {
        assert_eq!(key[field], wanted[field], "{field}");
    }
    assert_eq!(key["expires_unix_ms"], 4_070_908_800_000_u64);
    assert_eq!((&key["source"], &key["state"]), (&json!("database"), &json!("active")));
}

#[tokio::test]
async fn a_key_has_an_owner_a_role_and_a_place_to_be_used_from() {
    let desk = Desk::open().await;
    let wanted = json!({
        "name": "app", "user": "ann", "role": "auditor", "tags": "env=prod", "ip_ranges": ["10.0.0.0/8"],
        "mcp_servers": ["time"], "toolsets": ["support"], "agents": ["billing"],
    });
    let made = desk.post("/api/v1/keys", wanted.clone()).await.json();
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(&made["key"][field], value, "{field}");
    }
    assert!(made["secret"].as_str().unwrap().starts_with("gk_test_"), "the environment of the configuration");
}

#[tokio::test]
async fn whoami_is_for_everybody_and_tells_a_wrong_key_why() {
    let desk = Desk::open().await;
    let admin = desk.get("/api/v1/whoami").await.json();
    assert_eq!((&admin["kind"], &admin["role"]), (&json!("admin_key"), &json!("owner")));
    assert_eq!(desk.ask(Method::GET, "/api/v1/whoami", None, None).await.code(), "missing_key");
    let away = desk.ask(Method::GET, "/api/v1/whoami", Some("ey.ey.x"), None).await;
    assert_eq!((away.code().as_str(), away.headers["retry-after"].to_str().unwrap()), ("identity_unavailable", "5"));
}

#[tokio::test]
async fn a_key_that_would_not_do_what_it_says_is_refused() {
    let desk = Desk::open().await;
    let wrong = [
        (json!({"name": " "}), "name is empty"),
        (json!({"name": "x\ny"}), "control characters"),
        (json!({"name": "x".repeat(129)}), "too long"),
        (json!({"name": "x", "models": ["fsat"]}), "no model"),
        (json!({"name": "x", "expires": "2020-01-01"}), "in the past"),
        (json!({"name": "x", "expires": "soon"}), "not a date"),
        (json!({"name": "x", "limits": [{"requests": 1}]}), "`per` is missing"),
        (json!({"name": "x", "limits": [{"requests": 1, "tokens": 1, "per": "hour"}]}), "one of requests"),
        (json!({"name": "x", "limits": [{"concurrent": 1, "per": "hour"}]}), "has no window"),
        (json!({"name": "x", "limits": [{"concurrent": 0}]}), "refuse every call"),
        (json!({"name": "x", "budgets": [{"usd": 0.0, "per": "day"}]}), "more than 0"),
        (json!({"name": "x", "budgets": [{"usd": 1.0, "per": "decade"}]}), "decade"),
        (
            json!({"name": "x", "budgets": [{"usd": 1.0, "per": "day", "zone": "Europe/Berln"}]}),
            "did you mean `Europe/Berlin`",
        ),
        (json!({"name": "x", "budgets": [{"usd": 1.0, "per": "day", "warn_at": [80]}]}), "shares, not percent"),
        (
            json!({"name": "x", "budgets": [{"usd": 1.0, "per": "day", "on_exhaust": {"downgrade": "fsat"}}]}),
            "no model",
        ),
        (json!({"name": "x", "models": vec!["fast"; 257]}), "too many"),
        (json!({"name": "x", "user": "anna"}), "did you mean `ann`?"),
        (json!({"name": "x", "ip_ranges": ["10.0.0.0/40"]}), "range of addresses"),
        (json!({"name": "x", "tags": "env"}), "no list of tags"),
        (json!({"name": "x", "role": "boss"}), "`boss` is no role"),
    ];
    for (body, says) in wrong {
        let answer = desk.post("/api/v1/keys", body.clone()).await;
        assert!(answer.status.is_client_error() && answer.text.contains(says), "{body} -> {}", answer.text);
    }
    assert_eq!(desk.still.keys_changed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn keys_of_the_file_come_first_and_are_read_only() {
    let desk = Desk::open().await;
    desk.key("app").await;
    let rows = desk.get("/api/v1/keys").await.json();
    assert_eq!((&rows["rows"][0]["id"], &rows["rows"][0]["source"]), (&json!("ci"), &json!("file")));
    assert_eq!(desk.ask(Method::DELETE, "/api/v1/keys/ci", Some(ADMIN), None).await.status, 409);
    assert_eq!(desk.post("/api/v1/keys/ci/rotate", json!({})).await.status, 409);
    assert_eq!(desk.get("/api/v1/keys/ci").await.json()["team"], "support");
}

#[tokio::test]
async fn a_listing_comes_in_pages() {
    let desk = Desk::open().await;
    for n in 0..4 {
        desk.key(&format!("key {n}")).await;
    }
    let (mut names, mut path) = (Vec::new(), "/api/v1/keys?limit=2".to_owned());
    let mut pages = 0;
    loop {
        let page = desk.get(&path).await.json();
        pages += 1;
        names.extend(page["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page.get("next_cursor") else { break };
        path = format!("/api/v1/keys?limit=2&cursor={}", cursor.as_str().unwrap());
    }
    names.sort();
    assert_eq!((pages, names), (3, vec!["ci".into(), "key 0".into(), "key 1".into(), "key 2".into(), "key 3".into()]));
}

#[tokio::test]
async fn a_page_nobody_could_have_asked_for_is_refused() {
    let desk = Desk::open().await;
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=nobody", "page=2"] {
        assert_eq!(desk.get(&format!("/api/v1/keys?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn rotation_gives_a_new_secret_and_keeps_the_old_one_for_a_while() {
    let desk = Desk::open().await;
    let (id, old) = desk.key("app").await;
    let rotated = desk.post(&format!("/api/v1/keys/{id}/rotate"), json!({"overlap_secs": 60})).await.json();
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, old);
    assert_eq!(rotated["key"]["id"], *id);
    let stored = desk.store.key(&id).await.unwrap().unwrap();
    let (old_hash, until) = stored.old_hash.unwrap();
    assert_eq!(old_hash, api_keys::hash(&desk.pepper, &old));
    assert_eq!(rotated["key"]["old_secret_until_unix_ms"], until);
    assert_eq!(stored.key.hash, api_keys::hash(&desk.pepper, new));
    assert_eq!(desk.still.keys_changed.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_leaked_secret_can_be_ended_at_once() {
    let desk = Desk::open().await;
    let (id, _) = desk.key("app").await;
    let rotated = desk.post(&format!("/api/v1/keys/{id}/rotate"), json!({"overlap_secs": 0})).await.json();
    assert_eq!(rotated["key"].get("old_secret_until_unix_ms"), None);
    let too_long = desk.post(&format!("/api/v1/keys/{id}/rotate"), json!({"overlap_secs": 2_592_001})).await;
    assert_eq!(too_long.status, 400);
}

#[tokio::test]
async fn a_revoked_key_stays_revoked() {
    let desk = Desk::open().await;
    let (id, _) = desk.key("app").await;
    let path = format!("/api/v1/keys/{id}");
    let revoked = desk.ask(Method::DELETE, &path, Some(ADMIN), None).await.json();
    assert_eq!(revoked["state"], "revoked");
    let again = desk.ask(Method::DELETE, &path, Some(ADMIN), None).await.json();
    assert_eq!(again["revoked_unix_ms"], revoked["revoked_unix_ms"]);
    assert_eq!(desk.post(&format!("{path}/rotate"), json!({})).await.status, 409);
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_not_found() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/api/v1/keys/key_nobody").await.code(), "not_found");
    assert_eq!(desk.ask(Method::DELETE, "/api/v1/keys/key_nobody", Some(ADMIN), None).await.status, 404);
    assert_eq!(desk.post("/api/v1/keys/key_nobody/rotate", json!({})).await.status, 404);
    assert_eq!(desk.get("/api/v1/keys/%FF").await.code(), "invalid_request");
}
