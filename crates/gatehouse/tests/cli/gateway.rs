//! Commands that open a data folder or talk to a running gateway.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::{done, fails, folder, gatehouse, refused, text};

const CONFIG: &str = "listen: 127.0.0.1:0\nproviders: {d: {kind: demo}}\nmodels: {fast: {targets: [{provider: d, \
                      model: demo}]}}\nkeys: [{name: ci, secret: 0123456789abcdef, models: [fast]}]\n";

/// A folder with a configuration and an empty data folder.
fn house() -> tempfile::TempDir {
    let folder = folder();
    fs::write(folder.path().join("g.yaml"), CONFIG).expect("written");
    fs::create_dir(folder.path().join("gatehouse-data")).expect("made");
    folder
}

fn at(house: &Path, arguments: &[&str]) -> Command {
    let mut command = gatehouse(house);
    command.args(arguments).args(["--config", "g.yaml"]);
    command
}

fn rows(house: &Path, arguments: &[&str]) -> Vec<Value> {
    let said = done(at(house, arguments).args(["--output", "json"]));
    let mut answer: Value = serde_json::from_str(&said).expect("JSON");
    serde_json::from_value(answer["rows"].take()).expect("rows")
}

#[test]
fn a_key_is_made_listed_rotated_and_taken_back() {
    let house = house();
    let house = house.path();
    let made = rows(house, &["keys", "create", "app", "--model", "fast", "--limit", "requests=5/minute"]);
    let (id, secret) = (made[0]["id"].as_str().expect("an id"), made[0]["secret"].as_str().expect("a secret"));
    assert!(secret.starts_with("gk_live_"));
    assert_eq!(made[0]["limits"], json!([{"requests": 5, "per": "minute"}]));

    let listed = rows(house, &["keys", "list"]);
    assert_eq!((&listed[0]["name"], &listed[0]["source"]), (&json!("ci"), &json!("file")));
    assert_eq!((&listed[1]["id"], &listed[1]["state"]), (&json!(id), &json!("active")));
    assert!(!listed.iter().any(|row| row.to_string().contains(secret)), "a secret is shown once");

    let rotated = rows(house, &["keys", "rotate", id]);
    assert_ne!(rotated[0]["secret"], json!(secret));
    assert!(rotated[0]["old_secret_until_unix_ms"].is_u64());

    assert_eq!(rows(house, &["keys", "revoke", id])[0]["state"], "revoked");
    assert!(refused(&mut at(house, &["keys", "rotate", id])).contains("is revoked"));
}

#[test]
fn a_key_for_a_model_there_is_not_is_refused() {
    let house = house();
    let said = refused(&mut at(house.path(), &["keys", "create", "app", "--model", "fsat"]));
    assert!(said.contains("did you mean `fast`?"), "{said}");
    assert!(rows(house.path(), &["keys", "list"]).len() == 1);
}

#[test]
fn a_key_that_is_not_there_is_said() {
    let house = house();
    for action in ["revoke", "rotate"] {
        assert!(refused(&mut at(house.path(), &["keys", action, "key_x"])).contains("there is no key key_x"));
    }
}

#[test]
fn without_a_data_folder_nothing_is_made() {
    let folder = folder();
    assert!(refused(gatehouse(folder.path()).args(["keys", "list"])).contains("there is no data folder"));
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
}

#[test]
fn a_report_of_an_empty_ledger_has_no_rows_by_key_and_names_its_columns() {
    let house = house();
    assert!(rows(house.path(), &["usage", "report", "--by", "key,model", "--since", "7d"]).is_empty());
    let table = done(&mut at(house.path(), &["usage", "report", "--by", "key,model"]));
    let header: Vec<&str> = table.lines().next().expect("a header").split_whitespace().collect();
    assert_eq!(header, ["KEY", "MODEL", "ATTEMPTS", "INPUT_TOKENS", "OUTPUT_TOKENS", "COST_USD"]);
}

#[test]
fn prices_of_ones_own_come_first() {
    let house = house();
    fs::write(house.path().join("p.yaml"), "overrides:\n  d/gpt-5-mini: {input: 1, output: 2}\n").expect("written");
    done(&mut at(house.path(), &["prices", "update", "p.yaml"]));
    let prices = rows(house.path(), &["prices", "show", "GPT-5-mini"]);
    assert_eq!((&prices[0]["source"], &prices[0]["output"]), (&json!("yours"), &json!(2.0)));
    assert!(prices.iter().any(|row| row["provider"] == "openai" && row["model"] == "gpt-5-mini"));
}

#[test]
fn a_wrong_price_file_is_refused_and_the_stored_one_stays() {
    let house = house();
    fs::write(house.path().join("p.yaml"), "overrides:\n  d/m: {input: 1, output: -2}\n").expect("written");
    let said = refused(&mut at(house.path(), &["prices", "update", "p.yaml"]));
    assert!(said.contains("p.yaml:2:") && said.contains("overrides.d/m.output"), "{said}");
    assert!(!house.path().join("gatehouse-data/prices.yaml").exists());
}

#[test]
fn doctor_finds_a_healthy_house_healthy() {
    let house = house();
    let found = rows(house.path(), &["doctor"]);
    assert!(found.iter().all(|row| row["status"] == "ok"), "{found:?}");
    assert!(found.iter().any(|row| row["check"] == "database"));
}

#[test]
fn doctor_finds_a_broken_configuration_and_a_provider_that_is_not_there() {
    let house = house();
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let config =
        format!("listen: 127.0.0.1:0\nproviders: {{p: {{kind: openai-compatible, base_url: \"http://{closed}\"}}}}\n");
    fs::write(house.path().join("g.yaml"), config).expect("written");
    let output = fails(&mut at(house.path(), &["doctor"]), 1);
    assert!(text(&output.stdout).contains("provider p"));
    fs::write(house.path().join("g.yaml"), "listn: x\n").expect("written");
    let output = fails(&mut at(house.path(), &["doctor"]), 1);
    assert!(text(&output.stdout).contains("did you mean `listen`?"));
}

/// A gateway at the wire: answers each request with the next of these, and gives back what was asked.
fn gateway(answers: Vec<(u16, Value)>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            asked.push(request(&mut stream));
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).expect("answered");
        }
        asked
    });
    (address, served)
}

/// One request, head and body.
fn request(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let n = stream.read(&mut piece).expect("read");
        bytes.extend_from_slice(&piece[..n]);
        let so_far = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if n == 0 || body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
            return so_far.into_owned();
        }
    }
}

fn through(url: &SocketAddr, arguments: &[&str]) -> (tempfile::TempDir, Command) {
    let folder = folder();
    let mut command = gatehouse(folder.path());
    command.args(arguments).args(["--url", &format!("http://{url}"), "--key", "admin-key", "--output", "json"]);
    (folder, command)
}

#[test]
fn keys_are_made_through_a_running_gateway() {
    let (url, served) = gateway(vec![(201, json!({"secret": "gh_s", "key": {"id": "key_1", "name": "app"}}))]);
    let (_folder, mut command) = through(&url, &["keys", "create", "app", "--team", "t", "--budget", "5/day"]);
    let said: Value = serde_json::from_str(&done(&mut command)).expect("JSON");
    assert_eq!(said["rows"][0], json!({"id": "key_1", "name": "app", "secret": "gh_s"}));
    let asked = served.join().expect("served").remove(0);
    assert!(asked.starts_with("POST /api/v1/keys HTTP/1.1\r\n") && asked.contains("authorization: Bearer admin-key"));
    let body: Value = serde_json::from_str(asked.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    assert_eq!(body["budgets"], json!([{"usd": 5.0, "per": "day"}]));
    assert_eq!(body["team"], "t");
}

#[test]
fn every_page_of_a_listing_is_read() {
    let (url, served) = gateway(vec![
        (200, json!({"rows": [{"id": "a"}], "next_cursor": "a&b"})),
        (200, json!({"rows": [{"id": "b"}]})),
    ]);
    let (_folder, mut command) = through(&url, &["keys", "list"]);
    let said: Value = serde_json::from_str(&done(&mut command)).expect("JSON");
    assert_eq!(said["rows"], json!([{"id": "a"}, {"id": "b"}]));
    assert!(served.join().expect("served")[1].starts_with("GET /api/v1/keys?limit=1000&cursor=a%26b "));
}

#[test]
fn usage_is_asked_with_the_words_of_the_command_line() {
    let row = json!({"key": "k", "attempts": 2, "input_tokens": 3, "output_tokens": 4, "cost_usd": 0.5});
    let (url, served) = gateway(vec![(200, json!({"rows": [row]}))]);
    let (_folder, mut command) = through(&url, &["usage", "report", "--by", "key", "--since", "7d"]);
    let said: Value = serde_json::from_str(&done(&mut command)).expect("JSON");
    assert_eq!(said["rows"][0], row);
    assert!(served.join().expect("served")[0].starts_with("GET /api/v1/usage?by=key&since=7d "));
}

#[test]
fn an_error_of_the_admin_api_is_told_with_its_hint() {
    let error = json!({"error": {"code": "unknown_key", "message": "No such key.", "hint": "List them."}});
    let (url, served) = gateway(vec![(404, error)]);
    let (_folder, mut command) = through(&url, &["keys", "revoke", "a/b"]);
    assert_eq!(refused(&mut command), "error: No such key.\n  next: List them.\n");
    assert!(served.join().expect("served")[0].starts_with("DELETE /api/v1/keys/a%2Fb "));
}

#[test]
fn a_gateway_that_is_not_there_is_said_and_the_key_is_not() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let (_folder, mut command) = through(&closed, &["keys", "list"]);
    let said = refused(&mut command);
    assert!(said.contains("cannot reach") && !said.contains("admin-key"), "{said}");
    let (_folder, mut command) = through(&closed, &["doctor"]);
    fails(&mut command, 1);
}
