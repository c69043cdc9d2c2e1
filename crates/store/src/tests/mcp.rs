use bytes::Bytes;

use super::Home;
use crate::{KeptResult, ListsRow, NameRow, PinRow, PinnedItem, Store};

const ITEM: PinnedItem<'_> = PinnedItem { server: "git", kind: "tool", name: "log" };

fn version(hash: &str, state: &str, seen_unix_ms: u64) -> PinRow {
    PinRow {
        server: "git".to_owned(),
        kind: "tool".to_owned(),
        name: "log".to_owned(),
        hash: hash.to_owned(),
        state: state.to_owned(),
        document: "{}".to_owned(),
        seen_unix_ms,
        decided_unix_ms: None,
        decided_by: None,
    }
}

async fn states(store: &Store) -> Vec<(String, String)> {
    store.mcp_pin_versions(ITEM).await.unwrap().into_iter().map(|row| (row.hash, row.state)).collect()
}

#[tokio::test]
async fn what_a_person_decided_the_policy_does_not_change() {
    let Home { store, .. } = &Home::new().await;
    store.mcp_pins_seen(&[version("1", "approved", 1), version("2", "pending", 2)]).await.unwrap();
    assert!(store.mcp_pin_decided(ITEM, "2", "held", "key_1", 9).await.unwrap());
    store.mcp_pins_seen(&[version("1", "pending", 3), version("2", "approved", 3)]).await.unwrap();
    let state = |hash: &str, state: &str| (hash.to_owned(), state.to_owned());
    assert_eq!(states(store).await, [state("1", "pending"), state("2", "held")]);
    let decided = store.mcp_pins().await.unwrap().pop().unwrap();
    assert_eq!(
        (decided.decided_by.as_deref(), decided.decided_unix_ms, decided.seen_unix_ms),
        (Some("key_1"), Some(9), 2)
    );
}

#[tokio::test]
async fn a_version_that_was_never_seen_cannot_be_decided_on() {
    let Home { store, .. } = &Home::new().await;
    assert!(!store.mcp_pin_decided(ITEM, "1", "approved", "key_1", 9).await.unwrap());
}

#[tokio::test]
async fn a_removed_servers_name_is_given_to_another() {
    let Home { store, .. } = &Home::new().await;
    let name = |server: &str| NameRow {
        kind: "tool".to_owned(),
        server: server.to_owned(),
        real: "search".to_owned(),
        exposed: "search".to_owned(),
    };
    store.mcp_names_given(&[name("gone")], 1).await.unwrap();
    store.mcp_names_given(&[name("git")], 2).await.unwrap();
    assert_eq!(store.mcp_names().await.unwrap(), [name("git")]);
}

#[tokio::test]
async fn lists_take_the_place_of_older_ones() {
    let Home { store, .. } = &Home::new().await;
    let lists = |body: &str| ListsRow {
        server: "git".to_owned(),
        source: "x".to_owned(),
        body: body.to_owned(),
        fetched_unix_ms: 1,
    };
    store.mcp_lists_fetched(&lists("1")).await.unwrap();
    store.mcp_lists_fetched(&lists("2")).await.unwrap();
    assert_eq!(store.mcp_lists().await.unwrap(), [lists("2")]);
}

fn result(id: &str, kept_unix_ms: u64) -> KeptResult {
    KeptResult {
        id: id.to_owned(),
        principal: "key_1".to_owned(),
        mime: "text/plain".to_owned(),
        body: Bytes::from_static(b"0123456789"),
        kept_unix_ms,
        expires_unix_ms: kept_unix_ms + 100,
    }
}

#[tokio::test]
async fn a_kept_result_is_read_in_pieces_by_whose_it_is() {
    let Home { store, .. } = &Home::new().await;
    store.keep_mcp_result(&result("a", 0)).await.unwrap();
    let piece = store.mcp_result("a", "key_1", 8, 5, 50).await.unwrap().unwrap();
    assert_eq!((&piece.bytes[..], piece.total), (&b"89"[..], 10));
    assert_eq!(store.mcp_result("a", "key_1", 20, 5, 50).await.unwrap().unwrap().bytes, "");
    assert_eq!(store.mcp_result("a", "key_2", 0, 5, 50).await.unwrap(), None);
    assert_eq!(store.mcp_result("a", "key_1", 0, 5, 100).await.unwrap(), None);
}

#[tokio::test]
async fn what_expired_goes_and_of_too_much_the_oldest() {
    let Home { store, .. } = &Home::new().await;
    for (id, kept) in [("old", 0), ("a", 50), ("b", 60), ("c", 70)] {
        store.keep_mcp_result(&result(id, kept)).await.unwrap();
    }
    assert_eq!(store.sweep_mcp_results(100, 20).await.unwrap(), 2);
    assert_eq!(store.mcp_result("a", "key_1", 0, 1, 100).await.unwrap(), None);
    assert!(store.mcp_result("b", "key_1", 0, 1, 100).await.unwrap().is_some());
}
