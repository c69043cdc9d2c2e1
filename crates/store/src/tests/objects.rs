use serde_json::{Value, json};

use super::Home;
use crate::{ObjectEdit, Store, StoreError};

fn edit<'a>(name: &'a str, body: Option<&'a Value>, replaces: Option<u64>) -> ObjectEdit<'a> {
    ObjectEdit { kind: "models", name, body, replaces }
}

async fn change(store: &Store, organisation: &str, edits: &[ObjectEdit<'_>]) -> Result<bool, StoreError> {
    store.change_objects(organisation, edits, "key_1", 7).await
}

async fn version(store: &Store, name: &str) -> Option<u64> {
    store.object("acme", "models", name).await.unwrap().map(|object| object.version)
}

#[tokio::test]
async fn an_object_is_replaced_only_in_the_version_that_was_read() {
    let Home { store, .. } = &Home::new().await;
    let (one, two) = (json!({"targets": []}), json!({"targets": [1]}));
    assert!(change(store, "acme", &[edit("fast", Some(&one), None)]).await.unwrap());
    let first = version(store, "fast").await;
    assert!(change(store, "acme", &[edit("fast", Some(&two), first)]).await.unwrap());
    assert!(version(store, "fast").await > first);
    assert!(!change(store, "acme", &[edit("fast", Some(&one), first)]).await.unwrap(), "somebody else was faster");
    assert_eq!(store.object("acme", "models", "fast").await.unwrap().unwrap().body, two);
}

#[tokio::test]
async fn of_several_changes_all_are_made_or_none() {
    let Home { store, .. } = &Home::new().await;
    let body = json!({});
    assert!(!change(store, "acme", &[edit("fast", Some(&body), None), edit("slow", None, Some(9))]).await.unwrap());
    assert_eq!(version(store, "fast").await, None);
    let twice = change(store, "acme", &[edit("fast", Some(&body), None), edit("fast", Some(&body), None)]).await;
    assert!(matches!(twice, Err(StoreError::Exists { .. })));
    assert!(store.all_objects().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_name_belongs_to_one_organisation_and_others_do_not_see_it() {
    let Home { store, .. } = &Home::new().await;
    let body = json!({});
    change(store, "acme", &[edit("fast", Some(&body), None)]).await.unwrap();
    let taken = change(store, "other", &[edit("fast", Some(&body), None)]).await;
    assert!(matches!(taken, Err(StoreError::Exists { .. })));
    assert!(store.object("other", "models", "fast").await.unwrap().is_none());
    assert!(store.objects("other", "models").await.unwrap().is_empty());
    assert!(!change(store, "other", &[edit("fast", None, version(store, "fast").await)]).await.unwrap());
    assert_eq!(store.objects("acme", "models").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_version_never_comes_back() {
    let Home { store, .. } = &Home::new().await;
    let body = json!({});
    change(store, "acme", &[edit("fast", Some(&body), None)]).await.unwrap();
    let first = version(store, "fast").await;
    assert!(change(store, "acme", &[edit("fast", None, first)]).await.unwrap());
    let generation = store.objects_generation().await.unwrap();
    change(store, "acme", &[edit("fast", Some(&body), None)]).await.unwrap();
    assert!(version(store, "fast").await > first && version(store, "fast").await > Some(generation));
}
