//! What opens, and for whom.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::era::Revision;
use crate::wire::Raw;

const NOW: u64 = 1_800_000_000;
const NONCE: [u8; NONCE_LEN] = [7; NONCE_LEN];

fn sealer(key: u8, old: &[u8]) -> Sealer {
    let old: Vec<_> = old.iter().map(|old| [*old; KEY_LEN]).collect();
    Sealer::new(&[key; KEY_LEN], &old).unwrap()
}

fn session() -> Session {
    Session {
        id: "n1".into(),
        principal: "ann".into(),
        route: "/mcp".into(),
        revision: Revision::V2025_06_18,
        capabilities: Raw::of(&json!({ "sampling": {} })),
        info: None,
        policy_epoch: 3,
        expires: NOW + 60,
    }
}

fn state(params: &Value) -> RequestState {
    RequestState {
        principal: "ann".into(),
        server: "time".into(),
        state: Some("theirs".into()),
        parked: None,
        digest: call_digest("/mcp", "tools/call", Some(&Raw::of(params))),
        expires: NOW + 60,
    }
}

#[test]
fn a_token_goes_through_a_header_and_comes_back() {
    let token = sealer(1, &[]).close(&session(), NONCE).unwrap();
    assert!(token.bytes().all(|byte| byte.is_ascii_graphic()) && !token.contains("ann"));
    assert_eq!(sealer(1, &[]).open::<Session>(&token, NOW), Ok(session()), "another replica with the key");
}

#[test]
fn a_token_of_one_purpose_is_none_of_another() {
    let task = Task { principal: "ann".into(), server: "time".into(), id: "t".into(), crossing: None };
    let token = sealer(1, &[]).close(&task, NONCE).unwrap();
    assert_eq!(sealer(1, &[]).open::<Session>(&token, NOW), Err(SealError::Unknown));
    assert_eq!(sealer(1, &[]).open::<RequestState>(&token, NOW), Err(SealError::Unknown));
    assert_eq!(sealer(1, &[]).open::<Task>(&token, NOW), Ok(task));
}

#[test]
fn a_steady_token_is_the_same_every_time_and_tells_nothing() {
    let task = |id: &str| Task { principal: "ann".into(), server: "time".into(), id: id.into(), crossing: None };
    let steady = |key, id| sealer(key, &[]).close_steadily(&task(id)).unwrap();
    assert_eq!(steady(1, "t"), steady(1, "t"));
    assert_ne!(steady(1, "t"), steady(1, "u"));
    assert_ne!(steady(1, "t")[..16], steady(2, "t")[..16], "who has not the key cannot try what is inside");
    assert_eq!(sealer(1, &[]).open::<Task>(&steady(1, "t"), NOW), Ok(task("t")));
}

#[test]
fn an_old_key_opens_until_it_is_taken_away() {
    let token = sealer(1, &[]).close(&session(), NONCE).unwrap();
    assert!(sealer(2, &[1]).open::<Session>(&token, NOW).is_ok());
    assert_eq!(sealer(2, &[]).open::<Session>(&token, NOW), Err(SealError::Unknown));
    let newer = sealer(2, &[1]).close(&session(), NONCE).unwrap();
    assert!(sealer(1, &[]).open::<Session>(&newer, NOW).is_err(), "the newest key seals");
}

#[test]
fn a_token_past_its_time_does_not_open() {
    let token = sealer(1, &[]).close(&session(), NONCE).unwrap();
    assert!(sealer(1, &[]).open::<Session>(&token, NOW + 59).is_ok());
    assert_eq!(sealer(1, &[]).open::<Session>(&token, NOW + 60), Err(SealError::Expired));
}

#[test]
fn a_session_is_good_for_one_caller_on_one_path() {
    let session = session();
    assert!(session.is_for("ann", "/mcp"));
    assert!(!session.is_for("bob", "/mcp") && !session.is_for("ann", "/mcp/servers/time"));
}

#[test]
fn the_state_of_a_call_is_good_for_that_call() {
    let params =
        json!({ "name": "time.now", "arguments": { "zone": "UTC", "x": [1, "é"] }, "_meta": { "progressToken": 1 } });
    let again = Raw::read(
        r#"{"inputResponses":{"q":{}}, "arguments":{"x":[1,"\u00e9"],"zone":"UTC"},"na\u006de":"time.now","requestState":"s"}"#.into(),
    );
    let digest = |route, method, params: &Raw| call_digest(route, method, Some(params));
    let (state, again) = (state(&params), again.unwrap());
    assert!(state.is_for("ann", "time", &digest("/mcp", "tools/call", &again)));
    assert!(!state.is_for("bob", "time", &digest("/mcp", "tools/call", &again)));
    assert!(!state.is_for("ann", "git", &digest("/mcp", "tools/call", &again)));
    assert!(!state.is_for("ann", "time", &digest("/mcp", "prompts/get", &again)));
    assert!(!state.is_for("ann", "time", &digest("/mcp/servers/time", "tools/call", &again)));
    for other in
        [json!({ "name": "time.set" }), json!({ "name": "time.now", "arguments": { "zone": "CET", "x": [1, "é"] } })]
    {
        assert!(!state.is_for("ann", "time", &digest("/mcp", "tools/call", &Raw::of(&other))), "{other}");
    }
}

#[test]
fn no_bit_of_a_token_can_be_changed() {
    let token = sealer(1, &[]).close(&state(&json!({})), NONCE).unwrap();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(sealer(1, &[]).open::<RequestState>(&changed, NOW).is_err(), "character {at}");
    }
    assert!(sealer(1, &[]).open::<RequestState>(&format!("{token}A"), NOW).is_err());
    assert!(sealer(1, &[]).open::<RequestState>(&token[..token.len() - 1], NOW).is_err());
}

proptest! {
    #[test]
    fn what_is_no_token_does_not_open(text in any::<String>(), length in 0usize..200) {
        prop_assert_eq!(sealer(1, &[]).open::<RequestState>(&text, NOW), Err(SealError::Unknown));
        prop_assert_eq!(sealer(1, &[]).open::<RequestState>(&"A".repeat(length), NOW), Err(SealError::Unknown));
    }
}
