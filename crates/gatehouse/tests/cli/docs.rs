//! The pages say what is true.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{done, folder, gatehouse};

fn page(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    fs::read_to_string(path).expect("the page")
}

/// The fenced blocks of a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn every_yaml_block_of_the_configuration_page_passes_check() {
    let folder = folder();
    fs::write(folder.path().join("secret.txt"), "k7Qz-from-a-file-2mW9xT4b").expect("written");
    fs::write(folder.path().join("cert.pem"), "-----BEGIN CERTIFICATE-----").expect("written");
    fs::write(folder.path().join("key.pem"), "-----BEGIN PRIVATE KEY-----").expect("written");
    fs::create_dir(folder.path().join("policies")).expect("made");
    let policy = "permit (principal, action == Action::\"call_model\", resource);";
    fs::write(folder.path().join("policies/all.cedar"), policy).expect("written");
    let page = page("configuration.md");
    let blocks = blocks(&page, "yaml");
    assert!(blocks.len() >= 10, "only {} blocks", blocks.len());
    for (n, block) in blocks.iter().enumerate() {
        let file = format!("block{n}.yaml");
        fs::write(folder.path().join(&file), block).expect("written");
        let mut command = gatehouse(folder.path());
        for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env(name, "from-the-environment");
        }
        done(command.env("CI_KEY", "0123456789abcdef").args(["check", &file]));
    }
}

#[test]
fn every_key_of_the_file_stands_on_the_configuration_page() {
    let folder = folder();
    let schema: Value = serde_json::from_str(&done(gatehouse(folder.path()).arg("schema"))).expect("JSON");
    let page = page("configuration.md");
    let objects = schema["$defs"].as_object().expect("objects").values().chain([&schema]);
    for key in objects.filter_map(|object| object["properties"].as_object()).flat_map(|object| object.keys()) {
        assert!(page.contains(&format!("`{key}`")), "`{key}` is not on the page");
    }
}

#[test]
fn every_command_stands_on_the_command_line_page() {
    let folder = folder();
    let page = page("cli.md");
    let help = done(gatehouse(folder.path()).arg("--help"));
    let commands = help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("commands");
    for line in commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let command = line.split_whitespace().next().expect("a name");
        assert!(page.contains(&format!("## gatehouse {command}")), "{command} is not on the page");
    }
}

#[test]
fn every_client_stands_on_the_connect_page() {
    let folder = folder();
    let page = page("connect.md");
    let help = done(gatehouse(folder.path()).args(["connect", "--help"]));
    let clients: Vec<&str> =
        help.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split(':').next()).collect();
    assert!(clients.len() >= 7, "{help}");
    for client in clients {
        assert!(page.contains(&format!("connect {client}")), "{client} is not on the page");
    }
}
