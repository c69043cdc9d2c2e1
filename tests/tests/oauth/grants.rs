//! How a grant lives and ends: codes, refresh tokens, revocation.

use gatehouse_tests::browser::{Browser, post_form, query_of};
use gatehouse_tests::{Gate, KEY};
use serde_json::{Value, json};

use super::{LOCAL, allow, authorize, error, house, redeem, refresh, registered, text, token, tokens};

#[test]
fn a_code_is_good_once_and_a_second_use_ends_what_the_first_gave() {
    let gate = house().start();
    let client = registered(&gate, &[LOCAL]);
    let address = allow(&mut Browser::new(&gate), &authorize(&client, LOCAL, &[]), KEY);
    let code = query_of(&address, "code").unwrap();
    let first = redeem(&gate, &client, &code).json();
    assert_eq!(error(&redeem(&gate, &client, &code)), "invalid_grant");
    assert_eq!(error(&refresh(&gate, &client, &text(&first["refresh_token"]))), "invalid_grant");
}

#[test]
fn a_code_is_redeemed_by_who_asked_for_it_alone() {
    let gate = house().start();
    let (client, other) = (registered(&gate, &[LOCAL]), registered(&gate, &[LOCAL]));
    let code = || {
        let address = allow(&mut Browser::new(&gate), &authorize(&client, LOCAL, &[]), KEY);
        query_of(&address, "code").unwrap()
    };
    assert_eq!(error(&redeem(&gate, &other, &code())), "invalid_grant");
    for change in [
        ("code_verifier", "another-verifier-that-is-long-enough-for-anybody"),
        ("redirect_uri", "http://127.0.0.1:1/cb"),
    ] {
        let code = code();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client.as_str()),
            ("code", code.as_str()),
            ("code_verifier", super::VERIFIER),
            ("redirect_uri", LOCAL),
        ];
        fields.retain(|(name, _)| *name != change.0);
        fields.push(change);
        assert_eq!(error(&token(&gate, &fields)), "invalid_grant", "{change:?}");
    }
}

#[test]
fn a_refresh_token_is_replaced_and_a_lost_answer_is_given_again() {
    let gate = house().start();
    let (client, first) = tokens(&gate, KEY, &[]);
    let token = text(&first["refresh_token"]);
    let (second, again) = (refresh(&gate, &client, &token).json(), refresh(&gate, &client, &token).json());
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(second["refresh_token"], again["refresh_token"], "two that race get one successor");
}

#[test]
fn a_copied_refresh_token_ends_the_whole_family() {
    let gate = house().start();
    let (client, first) = tokens(&gate, KEY, &[]);
    let stolen = text(&first["refresh_token"]);
    let second = text(&refresh(&gate, &client, &stolen).json()["refresh_token"]);
    let third = text(&refresh(&gate, &client, &second).json()["refresh_token"]);
    assert_eq!(error(&refresh(&gate, &client, &stolen)), "invalid_grant");
    assert_eq!(error(&refresh(&gate, &client, &third)), "invalid_grant", "the owner's, too");
    let grants = gate.admin().get("/api/v1/oauth/grants?ended=true").json();
    assert_eq!(grants["rows"][0]["revoked_by"], "refresh_token_copied");
}

#[test]
fn a_hundred_refreshes_at_once_give_one_successor() {
    let gate = house().start();
    let (client, first) = tokens(&gate, KEY, &[]);
    let token = text(&first["refresh_token"]);
    let threads: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| (0..5).map(|_| refresh(&gate, &client, &token)).collect::<Vec<_>>()))
            .collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let successors: std::collections::BTreeSet<String> =
        threads.iter().map(|answer| text(&answer.json()["refresh_token"])).collect();
    assert_eq!((threads.len(), successors.len()), (100, 1));
}

#[test]
fn a_refreshed_token_has_no_more_scopes_than_were_granted() {
    let gate = house().start();
    let (client, first) = tokens(&gate, KEY, &[("scope", "mcp:tools:github")]);
    let token_of = |scope: &str, refresh: &str| {
        let fields =
            [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", refresh), ("scope", scope)];
        token(&gate, &fields)
    };
    let refresh = text(&first["refresh_token"]);
    assert_eq!(error(&token_of("mcp:tools", &refresh)), "invalid_scope");
    assert_eq!(token_of("mcp:read:github", &refresh).json()["scope"], "mcp:read:github");
}

#[test]
fn a_grant_goes_with_the_key_that_was_logged_in_with() {
    let gate = house().start();
    let made = gate.admin().post("/api/v1/keys", &json!({"name": "short-lived"})).json();
    let (client, first) = tokens(&gate, &text(&made["secret"]), &[]);
    let path = format!("/api/v1/keys/{}", text(&made["key"]["id"]));
    assert_eq!(gate.admin().send("DELETE", &path, b"").response().status, 200);
    assert_eq!(error(&refresh(&gate, &client, &text(&first["refresh_token"]))), "invalid_grant");
}

fn revoke(gate: &Gate, client: &str, token: &Value) -> u16 {
    post_form(&gate.stranger(), "/oauth/revoke", &[("token", &text(token)), ("client_id", client)]).status
}

#[test]
fn a_client_gives_a_token_back_and_nobody_elses() {
    let gate = house().start();
    let (client, first) = tokens(&gate, KEY, &[]);
    let stranger = registered(&gate, &[LOCAL]);
    assert_eq!(revoke(&gate, &stranger, &first["refresh_token"]), 200, "no stranger learns what exists");
    let second = refresh(&gate, &client, &text(&first["refresh_token"])).json();
    assert_eq!(second["token_type"], "Bearer");
    assert_eq!(revoke(&gate, &client, &second["refresh_token"]), 200);
    assert_eq!(error(&refresh(&gate, &client, &text(&second["refresh_token"]))), "invalid_grant");
}

#[test]
fn an_administrator_ends_grants_and_clients_from_the_command_line() {
    let gate = house().start();
    let (client, first) = tokens(&gate, KEY, &[]);
    let url = format!("http://{}", gate.address());
    let run = |arguments: &[&str]| {
        let mut all = vec!["oauth"];
        all.extend(arguments);
        all.extend(["--url", &url, "--key", gatehouse_tests::KEY_OF_ADMIN, "--output", "json"]);
        let output = gatehouse_tests::run_cli(&all);
        assert!(output.status.success(), "{all:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let grant = text(&run(&["grants", "list"])["rows"][0]["id"]);
    drop(run(&["grants", "revoke", &grant]));
    assert_eq!(error(&refresh(&gate, &client, &text(&first["refresh_token"]))), "invalid_grant");
    drop(run(&["clients", "revoke", &client]));
    assert_eq!(error(&refresh(&gate, &client, "x")), "invalid_client");
    let actions = gate.admin().get("/api/v1/audit?action=oauth.*&limit=50").json().to_string();
    for action in ["oauth.register", "oauth.login", "oauth.consent", "oauth.grant", "oauth.grants.revoke"] {
        assert!(actions.contains(&format!("\"{action}\"")), "{action} is not in {actions}");
    }
}
