use super::*;

#[tokio::test]
async fn limits_and_budgets_are_listed_with_where_they_stand() {
    let rows = Desk::open().await.get("/api/v1/budgets?kind=team&payer=support").await.json();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 2);
    assert_eq!(
        rows["rows"][0],
        json!({"id": "team:support/0", "kind": "team", "payer": "support", "measure": "usd", "per": "month",
            "rolling": false, "max": 100.0, "used": 42.5, "reserved": 0.5, "remaining": 57.0,
            "whole_at_unix_ms": 1_796_083_200_000_u64, "warn_at": [0.8]})
    );
}

#[tokio::test]
async fn a_listing_of_budgets_is_paged_by_cursor() {
    let desk = Desk::open().await;
    let first = desk.get("/api/v1/budgets?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = desk.get(&format!("/api/v1/budgets?limit=2&cursor={}", cursor.replace(':', "%3A"))).await.json();
    assert_eq!((&second["rows"][0]["id"], second.get("next_cursor")), (&json!("team:support/1"), None));
    for query in ["limit=0", "limit=1001", "cursor=nobody", "team=support"] {
        assert_eq!(desk.get(&format!("/api/v1/budgets?{query}")).await.status, 400, "{query}");
    }
}
