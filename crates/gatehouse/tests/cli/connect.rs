//! `connect` writes what each client's documentation asks for, keeps all else, and can take it back.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{done, fails, folder, gatehouse, refused};

const URL: &str = "http://gw.test:8080/";

fn connect(home: &Path, client: &str, more: &[&str]) -> Command {
    let mut command = gatehouse(home);
    command.args(["connect", client, "--url", URL, "--home"]).arg(home).args(more);
    command
}

/// Writes over what is there, checks the result, takes it back and expects the very bytes that were there before.
fn there_and_back(client: &str, file: &str, before: &str, check: impl Fn(&str)) {
    let home = folder();
    let path = home.path().join(file);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, before).expect("written");
    // Twice: the second time must not take the first for the original.
    for model in ["first", "fast"] {
        done(&mut connect(home.path(), client, &["--key", "gh_k", "--model", model, "--write"]));
    }
    check(&fs::read_to_string(&path).expect("there"));
    done(&mut connect(home.path(), client, &["--revert"]));
    assert_eq!(fs::read_to_string(&path).expect("there"), before);
    let left = fs::read_dir(path.parent().expect("a folder")).expect("listed").count();
    assert_eq!(left, 1, "a record was left behind");
}

/// Writes where nothing is, takes it back, and expects nothing.
fn from_nothing(client: &str, file: &str) {
    let home = folder();
    done(&mut connect(home.path(), client, &["--key", "gh_k", "--write"]));
    assert!(home.path().join(file).exists());
    done(&mut connect(home.path(), client, &["--revert"]));
    assert!(!home.path().join(file).exists());
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn claude_code() {
    let before = "{\n    \"theme\": \"dark\",\n    \"env\": {\n        \"A\": \"1\"\n    }\n}\n";
    there_and_back("claude-code", ".claude/settings.json", before, |text| {
        let settings = json(text);
        assert_eq!(settings["theme"], "dark");
        assert_eq!(settings["env"]["A"], "1");
        assert_eq!(settings["env"]["ANTHROPIC_BASE_URL"], "http://gw.test:8080");
        assert_eq!(settings["env"]["ANTHROPIC_AUTH_TOKEN"], "gh_k");
        assert_eq!(settings["env"]["ANTHROPIC_DEFAULT_HAIKU_MODEL"], "fast");
        assert!(text.starts_with("{\n    \"theme\": \"dark\",\n    \"env\": {\n        \"A\": \"1\",\n"), "{text}");
    });
    from_nothing("claude-code", ".claude/settings.json");
}

#[test]
fn codex() {
    let before = "# mine\nmodel = \"gpt-5\" # best\n\n[mcp_servers.docs]\ncommand = \"docs\" # keep\n";
    there_and_back("codex", ".codex/config.toml", before, |text| {
        let config: toml_edit::DocumentMut = text.parse().expect("TOML");
        assert_eq!(config["model"].as_str(), Some("fast"));
        assert_eq!(config["model_provider"].as_str(), Some("gatehouse"));
        let provider = &config["model_providers"]["gatehouse"];
        assert_eq!(provider["base_url"].as_str(), Some("http://gw.test:8080/v1"));
        assert_eq!(provider["wire_api"].as_str(), Some("responses"));
        assert_eq!(provider["env_key"].as_str(), Some("GATEHOUSE_API_KEY"));
        let tools = &config["mcp_servers"]["gatehouse"];
        assert_eq!(tools["url"].as_str(), Some("http://gw.test:8080/mcp"));
        assert_eq!(tools["bearer_token_env_var"].as_str(), Some("GATEHOUSE_API_KEY"));
        assert!(text.contains("# mine") && text.contains("# best") && text.contains("\"docs\" # keep"), "{text}");
        assert!(!text.contains("gh_k"), "the key belongs into the environment");
    });
    from_nothing("codex", ".codex/config.toml");
}

#[test]
fn vscode() {
    let file = if cfg!(target_os = "macos") {
        "Library/Application Support/Code/User/chatLanguageModels.json"
    } else {
        ".config/Code/User/chatLanguageModels.json"
    };
    there_and_back("vscode", file, "[\n\t{ \"name\": \"Ollama\", \"vendor\": \"ollama\" }\n]\n", |text| {
        let models = json(text);
        assert_eq!(models[0]["vendor"], "ollama");
        assert_eq!(models[1]["vendor"], "customendpoint");
        assert_eq!(models[1]["models"][0]["url"], "http://gw.test:8080/v1/chat/completions");
        assert_eq!(models[1]["models"][0]["id"], "fast");
        assert_eq!(models.as_array().map(Vec::len), Some(2));
    });
    from_nothing("vscode", file);
    let servers = file.replace("chatLanguageModels", "mcp");
    there_and_back("vscode", &servers, "{ \"servers\": { \"mine\": { \"command\": \"x\" } } }", |text| {
        let servers = &json(text)["servers"];
        assert_eq!(servers["mine"]["command"], "x");
        assert_eq!(servers["gatehouse"]["url"], "http://gw.test:8080/mcp");
        assert_eq!(servers["gatehouse"]["headers"]["Authorization"], "Bearer gh_k");
    });
}

#[test]
fn cursor() {
    let before = "{\n  \"mcpServers\": {\n    \"mine\": { \"command\": \"x\" }\n  }\n}\n";
    there_and_back("cursor", ".cursor/mcp.json", before, |text| {
        let servers = &json(text)["mcpServers"];
        assert_eq!(servers["mine"]["command"], "x");
        assert_eq!(servers["gatehouse"]["url"], "http://gw.test:8080/mcp");
        assert_eq!(servers["gatehouse"]["headers"]["Authorization"], "Bearer gh_k");
    });
    from_nothing("cursor", ".cursor/mcp.json");
    let home = folder();
    let said = done(&mut connect(home.path(), "cursor", &["--key", "gh_k"]));
    assert!(said.contains("Override OpenAI Base URL: http://gw.test:8080/v1"), "{said}");
}

#[test]
fn gemini_cli() {
    there_and_back_pair();
    from_nothing("gemini-cli", ".gemini/.env");
}

fn there_and_back_pair() {
    let home = folder();
    let (env, settings) = (home.path().join(".gemini/.env"), home.path().join(".gemini/settings.json"));
    fs::create_dir_all(home.path().join(".gemini")).expect("made");
    let before = ("# keys\nGEMINI_API_KEY=old\nDEBUG=1", "{ // mine\n  \"ui\": {\"theme\": \"x\"},\n}");
    fs::write(&env, before.0).expect("written");
    fs::write(&settings, before.1).expect("written");
    done(&mut connect(home.path(), "gemini-cli", &["--key", "gh_k", "--model", "fast", "--write"]));
    assert_eq!(
        fs::read_to_string(&env).expect("there"),
        "# keys\nGEMINI_API_KEY=gh_k\nDEBUG=1\nGOOGLE_GEMINI_BASE_URL=http://gw.test:8080\nGEMINI_MODEL=fast\n"
    );
    let written = fs::read_to_string(&settings).expect("there");
    assert!(written.contains("\"httpUrl\": \"http://gw.test:8080/mcp\""), "{written}");
    assert!(written.contains("// mine") && written.contains("\"selectedType\": \"gemini-api-key\""), "{written}");
    done(&mut connect(home.path(), "gemini-cli", &["--revert"]));
    assert_eq!(fs::read_to_string(&env).expect("there"), before.0);
    assert_eq!(fs::read_to_string(&settings).expect("there"), before.1);
}

#[test]
fn opencode() {
    let before = "{\n  \"$schema\": \"https://opencode.ai/config.json\",\n  \"model\": \"a/b\"\n}";
    there_and_back("opencode", ".config/opencode/opencode.json", before, |text| {
        let config = json(text);
        assert_eq!(config["model"], "gatehouse/fast");
        let provider = &config["provider"]["gatehouse"];
        assert_eq!(provider["npm"], "@ai-sdk/openai-compatible");
        assert_eq!(provider["options"]["baseURL"], "http://gw.test:8080/v1");
        assert_eq!(provider["models"]["fast"]["name"], "fast");
        assert_eq!(config["mcp"]["gatehouse"]["url"], "http://gw.test:8080/mcp");
        assert_eq!(config["mcp"]["gatehouse"]["headers"]["Authorization"], "Bearer gh_k");
    });
    from_nothing("opencode", ".config/opencode/opencode.json");
}

#[test]
fn clients_without_a_file_are_told_in_words() {
    let home = folder();
    for (client, expected) in [
        ("openai-sdk", "export OPENAI_BASE_URL=http://gw.test:8080/v1\nexport OPENAI_API_KEY=gh_k"),
        ("anthropic-sdk", "export ANTHROPIC_BASE_URL=http://gw.test:8080\n"),
        ("google-genai", "export GOOGLE_GEMINI_BASE_URL=http://gw.test:8080\n"),
        ("goose", "export OPENAI_HOST=http://gw.test:8080\n"),
        ("continue", "apiBase: http://gw.test:8080/v1"),
    ] {
        let said = done(&mut connect(home.path(), client, &["--key", "gh_k"]));
        assert!(said.contains(expected), "{said}");
        fails(&mut connect(home.path(), client, &["--key", "gh_k", "--write"]), 2);
    }
}

#[test]
fn printing_touches_nothing_and_needs_no_key() {
    let home = folder();
    let said = done(&mut connect(home.path(), "claude-code", &[]));
    assert!(said.contains("YOUR_GATEHOUSE_KEY") && said.contains(".claude/settings.json"));
    assert!(said.contains("claude mcp add --scope user --transport http gatehouse http://gw.test:8080/mcp"));
    assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 0);
    fails(&mut connect(home.path(), "claude-code", &["--write"]), 2);
}

#[test]
fn the_key_may_come_from_the_environment() {
    let home = folder();
    let said = done(connect(home.path(), "openai-sdk", &[]).env("GATEHOUSE_KEY", "gh_env"));
    assert!(said.contains("gh_env"));
}

#[test]
fn a_file_changed_since_is_not_put_back_without_force() {
    let home = folder();
    let path = home.path().join(".claude/settings.json");
    done(&mut connect(home.path(), "claude-code", &["--key", "gh_k", "--write"]));
    fs::write(&path, "{\"mine\": 1}").expect("written");
    assert!(refused(&mut connect(home.path(), "claude-code", &["--revert"])).contains("changed since"));
    assert_eq!(fs::read_to_string(&path).expect("there"), "{\"mine\": 1}");
    done(&mut connect(home.path(), "claude-code", &["--revert", "--force"]));
    assert!(!path.exists());
}

#[test]
fn a_file_that_cannot_be_read_is_left_alone() {
    let home = folder();
    let path = home.path().join(".claude/settings.json");
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, "{ \"broken\": ").expect("written");
    refused(&mut connect(home.path(), "claude-code", &["--key", "gh_k", "--write"]));
    assert_eq!(fs::read_to_string(&path).expect("there"), "{ \"broken\": ");
}

#[test]
fn nothing_to_take_back_is_said() {
    let home = folder();
    assert!(refused(&mut connect(home.path(), "codex", &["--revert"])).contains("nothing was written"));
}

#[test]
fn new_files_are_for_their_owner_only_and_links_stay_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let home = folder();
    let dotfiles = folder();
    fs::create_dir(home.path().join(".claude")).expect("made");
    let real = dotfiles.path().join("claude.json");
    fs::write(&real, "{}").expect("written");
    symlink(&real, home.path().join(".claude/settings.json")).expect("linked");
    done(&mut connect(home.path(), "claude-code", &["--key", "gh_k", "--write"]));
    assert!(fs::read_to_string(&real).expect("there").contains("gh_k"));
    assert!(home.path().join(".claude/settings.json").is_symlink());
    done(&mut connect(home.path(), "opencode", &["--key", "gh_k", "--write"]));
    let mode = fs::metadata(home.path().join(".config/opencode/opencode.json")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
