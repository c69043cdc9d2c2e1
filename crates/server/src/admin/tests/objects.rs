use super::*;

fn model(provider: &str) -> Value {
    json!({"targets": [{"provider": provider, "model": "m"}]})
}

impl Desk {
    async fn with_header(&self, method: Method, path: &str, header: (&str, &str), body: Option<Value>) -> Answered {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {ADMIN}"));
        let request = request.header(header.0, header.1).header("content-type", "application/json");
        self.send(request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()).await
    }
}

#[tokio::test]
async fn an_object_is_made_replaced_and_deleted_by_name() {
    let desk = Desk::open().await;
    let made = desk.put("/api/v1/models/slow", model("openai")).await;
    assert_eq!((made.status.as_u16(), &made.json()["change"]), (201, &json!("created")));
    let shown = desk.get("/api/v1/models/slow").await;
    assert_eq!((&shown.json()["source"], &shown.json()["body"]), (&json!("database"), &model("openai")));
    assert_eq!(shown.json()["changed_by"], "admin_key");
    assert_eq!(shown.headers["etag"], made.headers["etag"]);
    let again = desk.put("/api/v1/models/slow", model("openai")).await;
    assert_eq!((again.status.as_u16(), &again.json()["change"]), (200, &json!("unchanged")));
    let gone = desk.ask(Method::DELETE, "/api/v1/models/slow", Some(ADMIN), None).await;
    assert_eq!(gone.json()["change"], "deleted");
    assert_eq!(desk.get("/api/v1/models/slow").await.code(), "not_found");
    assert_eq!(desk.still.objects_changed.load(Ordering::Relaxed), 2, "what changes nothing is put in force by nobody");
}

#[tokio::test]
async fn objects_of_the_file_are_shown_and_not_changed() {
    let desk = Desk::open().await;
    let rows = desk.get("/api/v1/models").await.json();
    assert_eq!((&rows["rows"][0]["name"], &rows["rows"][0]["source"]), (&json!("fast"), &json!("file")));
    assert_eq!(desk.get("/api/v1/models/open%2F*").await.json()["name"], "open/*");
    assert_eq!(desk.put("/api/v1/models/fast", model("openai")).await.code(), "declared_in_file");
    assert_eq!(desk.ask(Method::DELETE, "/api/v1/models/fast", Some(ADMIN), None).await.code(), "declared_in_file");
}

#[tokio::test]
async fn an_object_the_configuration_would_not_work_with_is_refused_with_its_place() {
    let desk = Desk::open().await;
    let refused = desk.put("/api/v1/models/slow", model("nobody")).await;
    assert_eq!((refused.status.as_u16(), &*refused.code()), (400, "invalid_object"));
    let wrong = &refused.json()["error"]["wrong"][0];
    assert_eq!((&wrong["object"], &wrong["pointer"]), (&json!("models/slow"), &json!("/targets/0/provider")));
    assert_eq!(desk.get("/api/v1/models/slow").await.status, 404);
}

#[tokio::test]
async fn a_version_that_is_gone_is_not_overwritten() {
    let desk = Desk::open().await;
    let tag = desk.put("/api/v1/models/slow", model("openai")).await.headers["etag"].to_str().unwrap().to_owned();
    let put = |header, body| desk.with_header(Method::PUT, "/api/v1/models/slow", header, Some(body));
    let other = json!({"targets": [{"provider": "openai", "model": "other"}]});
    assert_eq!(put(("if-none-match", "*"), other.clone()).await.code(), "version_mismatch");
    assert_eq!(put(("if-match", "\"999\""), other.clone()).await.status, 412);
    assert_eq!(put(("if-match", &tag), other.clone()).await.status, 200);
    assert_eq!(put(("if-match", &tag), model("openai")).await.status, 412, "it has another version now");
    let delete = desk.with_header(Method::DELETE, "/api/v1/models/slow", ("if-match", &tag), None).await;
    assert_eq!(delete.status, 412);
    let absent = desk.with_header(Method::PUT, "/api/v1/models/none", ("if-match", "*"), Some(model("openai"))).await;
    assert_eq!(absent.status, 412);
}

#[tokio::test]
async fn whoever_knows_the_version_is_not_sent_it_again() {
    let desk = Desk::open().await;
    let tag = desk.put("/api/v1/models/slow", model("openai")).await.headers["etag"].to_str().unwrap().to_owned();
    let known = desk.with_header(Method::GET, "/api/v1/models/slow", ("if-none-match", &tag), None).await;
    assert_eq!((known.status.as_u16(), &*known.text), (304, ""));
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let desk = Desk::open().await;
    let created = desk.put("/api/v1/models/slow?dry_run=true", model("openai")).await.json();
    assert_eq!((&created["change"], &created["dry_run"]), (&json!("created"), &json!(true)));
    assert_eq!(desk.get("/api/v1/models/slow").await.status, 404);
    desk.put("/api/v1/prices/openai%2Fm", json!({"input": 1.0, "output": 2.0})).await;
    let updated = desk.put("/api/v1/prices/openai%2Fm?dry_run=true", json!({"input": 1.0, "output": 3.0})).await.json();
    assert_eq!(updated["diff"], json!([{"pointer": "/output", "before": 2.0, "after": 3.0}]));
    assert_eq!(desk.put("/api/v1/models/slow?dry_run=true", model("nobody")).await.code(), "invalid_object");
    assert_eq!(desk.still.objects_changed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_referred_to_is_not_deleted_and_says_by_whom() {
    let desk = Desk::open().await;
    desk.put("/api/v1/providers/mine", json!({"kind": "demo"})).await;
    desk.put("/api/v1/models/slow", model("mine")).await;
    let provider = desk.ask(Method::DELETE, "/api/v1/providers/mine", Some(ADMIN), None).await;
    assert_eq!((provider.status.as_u16(), &*provider.code()), (409, "still_referenced"));
    assert_eq!(provider.json()["error"]["wrong"][0]["object"], "models/slow");
    let key = json!({"name": "app", "models": ["fast"]});
    let id = desk.post("/api/v1/keys", key).await.json()["key"]["id"].as_str().unwrap().to_owned();
    assert!(!id.is_empty());
}

#[tokio::test]
async fn a_secret_goes_in_and_only_its_mask_comes_out() {
    const SECRET: &str = "sk-0123456789abcdef";
    let desk = Desk::open().await;
    let body = json!({"kind": "openai", "api_key": SECRET});
    assert_eq!(desk.put("/api/v1/providers/mine", body).await.status, 201);
    let shown = desk.get("/api/v1/providers/mine").await;
    assert_eq!(shown.json()["body"]["api_key"], json!({"secret": true, "last4": "cdef"}));
    let stored = desk.store.all_objects().await.unwrap();
    assert!(!stored[0].body.to_string().contains(SECRET));
    assert_eq!(crate::secrets::open(&desk.store, &stored[0]).await.unwrap()["api_key"], SECRET);
    for masked in [shown.json()["body"].clone(), json!({"kind": "openai", "api_key": SECRET})] {
        assert_eq!(desk.put("/api/v1/providers/mine", masked).await.json()["change"], "unchanged");
    }
    assert_eq!(desk.put("/api/v1/providers/mine", json!({"kind": "openai", "api_key": ""})).await.status, 400);
    desk.ask(Method::DELETE, "/api/v1/providers/mine", Some(ADMIN), None).await;
    let left = desk.store.vault().unwrap().list(None).await.unwrap();
    assert!(left.iter().all(|secret| secret.kind == "oauth_signing_key"), "the vault forgets with the object");
}

#[tokio::test]
async fn many_objects_are_applied_at_once_or_not_at_all() {
    let desk = Desk::open().await;
    let object = |kind: &str, name: &str, body| json!({"kind": kind, "name": name, "body": body});
    let both = [object("models", "slow", model("mine")), object("providers", "mine", json!({"kind": "demo"}))];
    let applied = desk.post("/api/v1/apply", json!({"objects": both})).await.json();
    assert_eq!((&applied["rows"][0]["change"], &applied["rows"][1]["change"]), (&json!("created"), &json!("created")));
    let half = [object("models", "a", model("mine")), object("models", "b", model("nobody"))];
    assert_eq!(desk.post("/api/v1/apply", json!({"objects": half})).await.code(), "invalid_object");
    assert_eq!(desk.get("/api/v1/models/a").await.status, 404);
    let twice = [object("models", "a", model("mine")), object("models", "a", model("mine"))];
    assert_eq!(desk.post("/api/v1/apply", json!({"objects": twice})).await.status, 400);
    assert_eq!(desk.post("/api/v1/apply", json!({"objects": [object("modles", "a", json!({}))]})).await.status, 400);
}

#[tokio::test]
async fn pruning_deletes_what_is_not_named_and_spares_the_file_and_other_organisations() {
    let desk = Desk::open().await;
    desk.put("/api/v1/models/slow", model("openai")).await;
    desk.as_of("admin@acme", Method::PUT, "/api/v1/models/theirs", Some(model("openai"))).await;
    let kept = json!({"objects": [{"kind": "models", "name": "kept", "body": model("openai")}], "prune": true});
    let dry = desk.post("/api/v1/apply?dry_run=true", kept.clone()).await.json();
    assert_eq!((&dry["dry_run"], &dry["rows"][1]["change"]), (&json!(true), &json!("deleted")));
    assert_eq!(desk.get("/api/v1/models/slow").await.status, 200);
    desk.post("/api/v1/apply", kept).await;
    assert_eq!(desk.get("/api/v1/models/slow").await.status, 404);
    let left: Vec<_> = desk.store.all_objects().await.unwrap().into_iter().map(|object| object.name).collect();
    assert_eq!(left, ["kept", "theirs"]);
    assert_eq!(desk.get("/api/v1/models/fast").await.status, 200);
}

#[tokio::test]
async fn names_that_make_trouble_are_refused() {
    let desk = Desk::open().await;
    for name in ["%20", "a%20", "%00", "..", &"x".repeat(129)] {
        let answer = desk.put(&format!("/api/v1/models/{name}"), model("openai")).await;
        assert!(answer.status.is_client_error(), "{name}: {}", answer.status);
    }
    assert!(desk.store.all_objects().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_listing_of_objects_comes_in_pages_with_opaque_cursors() {
    let desk = Desk::open().await;
    for name in ["a", "b", "c"] {
        desk.put(&format!("/api/v1/models/{name}"), model("openai")).await;
    }
    let (mut names, mut path) = (Vec::new(), "/api/v1/models?limit=2".to_owned());
    loop {
        let page = desk.get(&path).await.json();
        names.extend(page["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page.get("next_cursor") else { break };
        path = format!("/api/v1/models?limit=2&cursor={}", cursor.as_str().unwrap());
    }
    assert_eq!(names, ["a", "b", "c", "fast", "open/*"]);
    assert_eq!(desk.get("/api/v1/models?cursor=%21").await.status, 400);
}

#[tokio::test]
async fn every_change_and_every_refusal_is_in_the_audit_log() {
    let desk = Desk::open().await;
    desk.put("/api/v1/models/slow", model("openai")).await;
    desk.put("/api/v1/models/slow?dry_run=true", model("nobody")).await;
    desk.as_of("viewer@default", Method::DELETE, "/api/v1/models/slow", None).await;
    desk.as_of("viewer@default", Method::GET, "/api/v1/keys", None).await;
    desk.as_of("wrong", Method::GET, "/api/v1/keys", None).await;
    desk.get("/api/v1/models").await;
    let log = desk.get("/api/v1/audit").await.json();
    let entry = |entry: &Value| {
        [&entry["action"], &entry["outcome"], &entry["code"]].map(|value| value.as_str().unwrap_or("").to_owned())
    };
    let mut told: Vec<_> = log["rows"].as_array().unwrap().iter().map(entry).collect();
    told.reverse();
    let expected = [
        ["models.put", "begun", ""],
        ["models.put", "done", ""],
        ["models.put", "begun", ""],
        ["models.put", "failed", "invalid_object"],
    ];
    assert_eq!(told, expected);
    let refused = desk.still.refusals.lock().unwrap();
    let refused: Vec<_> = refused.iter().map(|refusal| (&*refusal.actor.who, &*refusal.action, refusal.code)).collect();
    let expected = [
        ("viewer@default", "models.delete", "not_allowed"),
        ("viewer@default", "keys.read", "not_allowed"),
        ("", "admin.get", "unknown_key"),
    ];
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn each_object_of_an_apply_has_an_entry_beside_that_of_the_act() {
    let desk = Desk::open().await;
    let object = |name: &str| json!({"kind": "models", "name": name, "body": model("openai")});
    desk.post("/api/v1/apply", json!({"objects": [object("a"), object("b")]})).await;
    let log = desk.get("/api/v1/audit?outcome=done").await.json();
    let actions: Vec<_> = log["rows"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    assert_eq!(actions, ["apply", "models.put", "models.put"]);
}

#[tokio::test]
async fn what_the_file_says_of_another_organisation_is_not_shown() {
    let desk = Desk::open().await;
    for (key, status) in [("auditor@acme", 200), ("auditor@default", 200), ("auditor@other", 404)] {
        assert_eq!(desk.as_of(key, Method::GET, "/api/v1/users/eve", None).await.status, status, "{key}");
        let rows = desk.as_of(key, Method::GET, "/api/v1/users", None).await.json();
        assert_eq!(rows["rows"].as_array().unwrap().len(), usize::from(status == 200), "{key}");
    }
}

#[tokio::test]
async fn what_an_organisation_makes_is_its_own() {
    let desk = Desk::open().await;
    let put = |path, body| desk.as_of("admin@acme", Method::PUT, path, Some(body));
    let made = put("/api/v1/agents/bot", json!({})).await.json();
    assert_eq!(made["object"]["body"], json!({"organisation": "acme"}));
    assert_eq!(put("/api/v1/users/x", json!({"organisation": "default"})).await.code(), "not_allowed");
    assert_eq!(put("/api/v1/users/x", json!({"role": "owner"})).await.code(), "not_allowed");
}

#[tokio::test]
async fn the_right_to_apply_is_not_the_right_to_every_kind() {
    let desk = Desk::open().await;
    desk.put("/api/v1/policies/open", json!({"text": "permit (principal, action, resource);"})).await;
    let policy = json!({"kind": "policies", "name": "mine", "body": {"text": "forbid (principal, action, resource);"}});
    let team = json!({"kind": "teams", "name": "ours", "body": {}});
    let apply = |objects| desk.as_of("owner@acme", Method::POST, "/api/v1/apply", Some(objects));
    assert_eq!(apply(json!({"objects": [policy]})).await.code(), "not_allowed");
    let applied = apply(json!({"objects": [team], "prune": true})).await.json();
    assert_eq!(applied["rows"].as_array().unwrap().len(), 1, "{applied}");
    assert_eq!(desk.get("/api/v1/policies/open").await.status, 200);
}

#[tokio::test]
async fn a_team_or_person_that_a_key_names_is_not_deleted() {
    let desk = Desk::open().await;
    for (kind, name) in [("teams", "support"), ("users", "ann"), ("service_accounts", "nightly"), ("agents", "bot")] {
        let path = format!("/api/v1/{kind}/{name}");
        desk.put(&path, json!({})).await;
        let field = kind.trim_end_matches('s');
        desk.post("/api/v1/keys", json!({"name": "app", field: name})).await;
        let deleted = desk.ask(Method::DELETE, &path, Some(ADMIN), None).await;
        assert_eq!((deleted.status.as_u16(), &*deleted.code()), (409, "still_referenced"), "{kind}");
        assert!(deleted.json()["error"]["wrong"][0]["object"].as_str().unwrap().starts_with("keys/"));
    }
}

#[tokio::test]
async fn a_reference_to_a_secret_is_kept_and_shown_as_it_is() {
    let desk = Desk::open().await;
    let body = json!({"kind": "openai", "api_key": "${secret:openai}"});
    assert_eq!(desk.put("/api/v1/providers/mine", body.clone()).await.status, 201);
    let shown = desk.get("/api/v1/providers/mine").await.json();
    assert_eq!(shown["body"], body);
    assert_eq!(desk.put("/api/v1/providers/mine", body).await.json()["change"], "unchanged");
    let mixed = json!({"kind": "openai", "api_key": "${secret:openai} and more of it"});
    desk.put("/api/v1/providers/mine", mixed).await;
    assert_eq!(desk.get("/api/v1/providers/mine").await.json()["body"]["api_key"]["secret"], true);
}

#[tokio::test]
async fn the_name_of_an_item_of_a_list_is_in_the_path_alone() {
    let desk = Desk::open().await;
    let body = json!({"name": "mine", "text": "permit (principal, action, resource);"});
    assert_eq!(desk.put("/api/v1/policies/mine", body).await.status, 400);
}

#[tokio::test]
async fn an_apply_may_be_as_long_as_a_configuration_file() {
    let desk = Desk::open().await;
    let tags = |n: usize| json!({"tags": {"long": "x".repeat(n)}});
    let object = |n: usize| json!({"kind": "teams", "name": format!("team-{n}"), "body": tags(1000)});
    let objects: Vec<Value> = (0..400).map(object).collect();
    assert_eq!(desk.post("/api/v1/apply?dry_run=true", json!({ "objects": objects })).await.status, 200);
    let huge = json!({"objects": [{"kind": "teams", "name": "x", "body": tags(5 * 1024 * 1024)}]});
    assert_eq!(desk.post("/api/v1/apply", huge).await.status, 413);
}
