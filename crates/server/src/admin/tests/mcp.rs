use gatehouse_store::PinRow;

use super::*;

fn version(name: &str, hash: &str, state: &str, seen_unix_ms: u64) -> PinRow {
    PinRow {
        server: "git".into(),
        kind: "tool".into(),
        name: name.into(),
        hash: hash.repeat(64),
        state: state.into(),
        document: format!("document {hash}"),
        seen_unix_ms,
        decided_unix_ms: None,
        decided_by: None,
    }
}

/// `log` was approved, then changed twice; `push` was approved.
pub(super) async fn desk() -> Desk {
    let desk = Desk::open().await;
    let versions = [
        version("log", "a", "approved", 1),
        version("log", "b", "pending", 2),
        version("log", "c", "pending", 3),
        version("push", "d", "approved", 1),
    ];
    desk.store.mcp_pins_seen(&versions).await.unwrap();
    desk
}

/// What was decided: name, first digit of the hash, and whether it was approved.
fn decided(desk: &Desk) -> Vec<(String, String, bool)> {
    let decisions = desk.still.decisions.lock().unwrap();
    decisions.iter().map(|each| (each.name.clone(), each.hash[..1].to_owned(), each.approved)).collect()
}

#[tokio::test]
async fn servers_tell_how_they_stand_and_are_asked_again() {
    let desk = Desk::open().await;
    let row = &desk.get("/api/v1/mcp/servers").await.json()["rows"][0];
    assert_eq!((&row["name"], &row["state"], &row["tools"]), (&json!("git"), &json!("down"), &json!(2)));
    assert_eq!(desk.post("/api/v1/mcp/servers/git/refresh", json!({})).await.status, StatusCode::OK);
    assert_eq!(desk.post("/api/v1/mcp/servers/no/refresh", json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn findings_are_listed_by_server_and_severity() {
    let desk = Desk::open().await;
    let count = async |query: &str| {
        let answer = desk.get(&format!("/api/v1/mcp/findings{query}")).await;
        answer.json()["rows"].as_array().unwrap().len()
    };
    assert_eq!((count("").await, count("?server=git").await, count("?server=git&severity=high").await), (3, 2, 1));
}

#[tokio::test]
async fn versions_are_listed_page_by_page() {
    let desk = desk().await;
    let first = desk.get("/api/v1/mcp/pins?limit=3").await.json();
    assert_eq!(first["rows"].as_array().unwrap().len(), 3);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = desk.get(&format!("/api/v1/mcp/pins?limit=3&cursor={cursor}")).await.json();
    assert_eq!((second["rows"][0]["name"].as_str(), second.get("next_cursor")), (Some("push"), None));
    let pending = desk.get("/api/v1/mcp/pins?state=pending").await.json();
    assert_eq!(pending["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_newest_version_is_compared_with_the_last_that_was_approved() {
    let desk = desk().await;
    let diff = desk.get("/api/v1/mcp/pins/diff?server=git&kind=tool&name=log").await.json();
    assert_eq!(
        (&diff["changes"][0]["before"], &diff["changes"][0]["after"]),
        (&json!("document a"), &json!("document c"))
    );
    assert_eq!((&diff["class"], &diff["document"]), (&json!("text"), &json!("document c")));
    let chosen = desk.get("/api/v1/mcp/pins/diff?server=git&kind=tool&name=log&from=b&to=c").await.json();
    assert_eq!(chosen["changes"][0]["before"], "document b");
    let none = desk.get("/api/v1/mcp/pins/diff?server=git&kind=tool&name=none").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_newest_of_everything_that_is_pending_is_approved_at_once() {
    let desk = desk().await;
    let answer = desk.post("/api/v1/mcp/pins/approve", json!({"server": "git"})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(decided(&desk), [("log".to_owned(), "c".to_owned(), true)]);
}

#[tokio::test]
async fn one_version_is_approved_and_another_taken_back() {
    let desk = desk().await;
    let of_log = |hash: Option<&str>| json!({"server": "git", "kind": "tool", "name": "log", "hash": hash});
    desk.post("/api/v1/mcp/pins/approve", of_log(Some("b"))).await;
    let answer = desk.post("/api/v1/mcp/pins/rollback", of_log(None)).await.json();
    assert_eq!(answer["rows"][0]["state"], "held");
    let expected = [("log".to_owned(), "b".to_owned(), true), ("log".to_owned(), "c".to_owned(), false)];
    assert_eq!(decided(&desk), expected);
}

#[tokio::test]
async fn what_is_approved_already_is_not_decided_again() {
    let desk = desk().await;
    let answer = desk.post("/api/v1/mcp/pins/approve", json!({"server": "git", "kind": "tool", "name": "push"})).await;
    assert_eq!((answer.status, answer.json()["rows"].as_array().unwrap().len()), (StatusCode::OK, 0));
    assert!(decided(&desk).is_empty());
}

#[tokio::test]
async fn it_is_explained_why_a_tool_is_not_there() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/api/v1/mcp/explain?tool=git.log&key=ci").await.json()["why"], "held");
    assert_eq!(desk.get("/api/v1/mcp/explain").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(desk.get("/api/v1/mcp/explain?tool=x&key=nobody").await.status, StatusCode::BAD_REQUEST);
}
