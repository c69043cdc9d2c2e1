use serde_json::{Value, json};

use super::Home;
use crate::{PutObject, StoreError};

fn put<'a>(name: &'a str, body: &'a Value, replaces: Option<u64>) -> PutObject<'a> {
    PutObject { organisation: "acme", kind: "models", name, body, replaces, by: "key_1", now_unix_ms: 7 }
}

#[tokio::test]
async fn an_object_is_replaced_only_in_the_version_that_was_read() {
    let home = Home::new().await;
    let store = &home.store;
    let (one, two) = (json!({"targets": []}), json!({"targets": [1]}));
    let first = store.put_object(put("fast", &one, None)).await.unwrap().unwrap();
    let second = store.put_object(put("fast", &two, Some(first))).await.unwrap().unwrap();
    assert!(second > first);
    assert_eq!(store.put_object(put("fast", &one, Some(first))).await.unwrap(), None, "somebody else was faster");
    let stored = store.object("acme", "models", "fast").await.unwrap().unwrap();
    assert_eq!((&stored.body, stored.version, &*stored.changed_by), (&two, second, "key_1"));
}

#[tokio::test]
async fn a_name_belongs_to_one_organisation_and_others_do_not_see_it() {
    let home = Home::new().await;
    let store = &home.store;
    let body = json!({});
    store.put_object(put("fast", &body, None)).await.unwrap();
    let foreign = PutObject { organisation: "other", ..put("fast", &body, None) };
    assert!(matches!(store.put_object(foreign).await, Err(StoreError::Exists { .. })));
    assert!(store.object("other", "models", "fast").await.unwrap().is_none());
    assert!(store.objects("other", "models").await.unwrap().is_empty());
    assert!(!store.delete_object("other", "models", "fast", 1).await.unwrap());
    assert_eq!(store.objects("acme", "models").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_version_never_comes_back() {
    let home = Home::new().await;
    let store = &home.store;
    let body = json!({});
    let first = store.put_object(put("fast", &body, None)).await.unwrap().unwrap();
    assert!(store.delete_object("acme", "models", "fast", first).await.unwrap());
    let generation = store.objects_generation().await.unwrap();
    let again = store.put_object(put("fast", &body, None)).await.unwrap().unwrap();
    assert!(again > first && again > generation);
}
