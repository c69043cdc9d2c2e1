use std::path::Path;

use gatehouse_catalog::KINDS;

use super::*;

/// The document is part of the contract: a change of it is seen in review. `UPDATE_GOLDEN=1` rewrites the file that is served.
#[tokio::test]
async fn the_openapi_document_is_what_the_handlers_say() {
    let written = crate::admin::document::written();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin/openapi.json");
        std::fs::write(file, written).unwrap();
        return;
    }
    let served = Desk::open().await.get("/api/v1/openapi.json").await;
    assert_eq!(served.headers["content-type"], "application/json");
    assert!(served.text == written, "the document has changed: UPDATE_GOLDEN=1 cargo test, and read the diff");
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_names_every_operation_once() {
    let document = Desk::open().await.get("/api/v1/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let mut ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
}

#[tokio::test]
async fn every_operation_is_on_the_admin_page() {
    let page = include_str!("../../../../../docs/admin-api.md");
    let document = Desk::open().await.get("/api/v1/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        // All kinds have the same four; each has a row where kinds are listed.
        let kind = KINDS.iter().map(|kind| kind.name).find(|kind| path[1..].split('/').next() == Some(kind));
        let path = kind.map_or(path.clone(), |kind| path.replacen(kind, "KIND", 1));
        assert!(kind.is_none_or(|kind| page.contains(&format!("\n| `{kind}` |"))), "docs/admin-api.md lacks {kind:?}");
        for method in methods.as_object().unwrap().keys() {
            let row = format!("| `{} {path}` |", method.to_uppercase());
            assert!(page.contains(&row), "docs/admin-api.md lacks {row}");
        }
    }
}
