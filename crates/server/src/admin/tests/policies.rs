use super::*;

#[tokio::test]
async fn a_question_to_the_policies_is_answered_with_who_decided() {
    let desk = Desk::open().await;
    let asked = json!({"action": "call_model", "resource": "big", "principal": {"team": "support"}});
    let answer = desk.post("/api/v1/policy/explain", asked).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["deciding"][0], json!({"id": "no-big", "file": "a.cedar", "line": 3}));
}

#[tokio::test]
async fn a_question_that_is_none_is_told_what_there_is() {
    let desk = Desk::open().await;
    let answer = desk.post("/api/v1/policy/explain", json!({"action": "fly", "resource": "big"})).await;
    assert_eq!((answer.status, &*answer.code()), (StatusCode::BAD_REQUEST, "invalid_request"));
    let answer = desk.post("/api/v1/policy/explain", json!({"acton": "call_model"})).await;
    assert_eq!((answer.status, &*answer.code()), (StatusCode::BAD_REQUEST, "invalid_request"), "{}", answer.text);
    assert!(answer.text.contains("acton"), "{}", answer.text);
}

#[tokio::test]
async fn a_replay_takes_the_period_in_the_words_of_reports() {
    let desk = Desk::open().await;
    let asked = json!({"policies": [{"name": "a.cedar", "text": ""}], "since": "7d"});
    assert_eq!(desk.post("/api/v1/policy/replay", asked).await.json()["calls"], 1);
    let wrong = desk.post("/api/v1/policy/replay", json!({"policies": [], "since": "yesterday"})).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text);
}
