//! The clients: for each, what its documentation says must stand where. docs/connect.md names the pages.

use serde_json::json;

use super::files::{Edit, FileEdit};
use super::{Client, Recipe, Settings};

/// What a client needs.
pub(super) fn recipe(client: Client, settings: &Settings) -> Recipe {
    match client {
        Client::ClaudeCode => claude_code(settings),
        Client::Codex => codex(settings),
        Client::Cursor => cursor(settings),
        Client::Vscode => vscode(settings),
        Client::GeminiCli => gemini_cli(settings),
        Client::Opencode => opencode(settings),
        Client::Continue => continue_dev(settings),
        Client::Goose => goose(settings),
        Client::OpenaiSdk => openai_sdk(settings),
        Client::AnthropicSdk => anthropic_sdk(settings),
        Client::GoogleGenai => google_genai(settings),
    }
}

/// The URL is the root: the client appends `/v1/messages`. `ANTHROPIC_AUTH_TOKEN` goes as a bearer token and comes
/// before a saved login.
fn claude_code(settings: &Settings) -> Recipe {
    let mut fields = vec![
        (vec!["env", "ANTHROPIC_BASE_URL"], json!(settings.url)),
        (vec!["env", "ANTHROPIC_AUTH_TOKEN"], json!(settings.key)),
    ];
    if let Some(model) = &settings.model {
        // The client picks a model by tier; each tier must lead to one the gateway has.
        for variable in [
            "ANTHROPIC_MODEL",
            "ANTHROPIC_DEFAULT_OPUS_MODEL",
            "ANTHROPIC_DEFAULT_SONNET_MODEL",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL",
        ] {
            fields.push((vec!["env", variable], json!(model)));
        }
    }
    let path = settings.home.folder("CLAUDE_CONFIG_DIR", ".claude").join("settings.json");
    Recipe {
        files: vec![FileEdit { path, edit: Edit::Json(fields) }],
        steps: vec![
            "Unset ANTHROPIC_API_KEY if it is set, then start `claude` and look at /status.".to_owned(),
            // Its list of MCP servers is in a file that it writes itself all the time.
            format!(
                "For its tools: claude mcp add --scope user --transport http gatehouse {} --header \"{}\"",
                settings.mcp(),
                settings.authorization_line()
            ),
        ],
        ..Recipe::default()
    }
}

/// Speaks the Responses dialect only. The key stays out of the file: `env_key` names the variable that holds it.
fn codex(settings: &Settings) -> Recipe {
    let table = vec!["model_providers", "gatehouse"];
    let at = |key: &'static str| [table.clone(), vec![key]].concat();
    let fields = vec![
        (vec!["model"], settings.model().to_owned()),
        (vec!["model_provider"], "gatehouse".to_owned()),
        (at("name"), "Gatehouse".to_owned()),
        (at("base_url"), format!("{}/v1", settings.url)),
        (at("env_key"), "GATEHOUSE_API_KEY".to_owned()),
        (at("wire_api"), "responses".to_owned()),
        (vec!["mcp_servers", "gatehouse", "url"], settings.mcp()),
        (vec!["mcp_servers", "gatehouse", "bearer_token_env_var"], "GATEHOUSE_API_KEY".to_owned()),
    ];
    let path = settings.home.folder("CODEX_HOME", ".codex").join("config.toml");
    Recipe {
        files: vec![FileEdit { path, edit: Edit::Toml(fields) }],
        exports: vec![("GATEHOUSE_API_KEY", settings.key.clone())],
        ..Recipe::default()
    }
}

/// Keeps models in its application state, which is no file to edit, and MCP servers in one.
fn cursor(settings: &Settings) -> Recipe {
    let server = json!({ "url": settings.mcp(), "headers": settings.headers() });
    let fields = vec![(vec!["mcpServers", "gatehouse"], server)];
    Recipe {
        files: vec![FileEdit { path: settings.home.root.join(".cursor/mcp.json"), edit: Edit::Json(fields) }],
        steps: vec![
            "In Cursor, open Settings, Models, API Keys:".to_owned(),
            format!("  1. OpenAI API Key: {}", settings.key),
            format!("  2. Override OpenAI Base URL: {}/v1", settings.url),
            format!("  3. Add Custom Model: {}, and switch it on.", settings.model()),
            "Cursor calls from its own servers: the gateway must have a public HTTPS address.".to_owned(),
        ],
        ..Recipe::default()
    }
}

/// One provider group in the list of language models, one server in that of MCP servers.
fn vscode(settings: &Settings) -> Recipe {
    let usual = if cfg!(target_os = "macos") { "Library/Application Support/Code/User" } else { ".config/Code/User" };
    let entry = json!({
        "name": "Gatehouse",
        "vendor": "customendpoint",
        "apiKey": settings.key,
        "apiType": "chat-completions",
        "models": [{
            "id": settings.model(),
            "name": format!("{} (Gatehouse)", settings.model()),
            "url": format!("{}/v1/chat/completions", settings.url),
            "toolCalling": true,
            "vision": true,
            "maxInputTokens": 128_000,
            "maxOutputTokens": 16_000,
        }],
    });
    let server = json!({ "type": "http", "url": settings.mcp(), "headers": settings.headers() });
    let servers = Edit::Json(vec![(vec!["servers", "gatehouse"], server)]);
    let folder = settings.home.root.join(usual);
    Recipe {
        files: vec![
            FileEdit { path: folder.join("chatLanguageModels.json"), edit: Edit::JsonEntry { field: "name", entry } },
            FileEdit { path: folder.join("mcp.json"), edit: servers },
        ],
        steps: vec!["Restart VS Code and pick the model in the chat's model picker.".to_owned()],
        ..Recipe::default()
    }
}

/// Reads its variables from a file of its own; the way to sign in is a setting.
fn gemini_cli(settings: &Settings) -> Recipe {
    let folder = settings.home.folder("GEMINI_CLI_HOME", "").join(".gemini");
    let mut variables =
        vec![("GOOGLE_GEMINI_BASE_URL", settings.url.clone()), ("GEMINI_API_KEY", settings.key.clone())];
    if let Some(model) = &settings.model {
        variables.push(("GEMINI_MODEL", model.clone()));
    }
    let server = json!({ "httpUrl": settings.mcp(), "headers": settings.headers() });
    let fields = vec![
        (vec!["security", "auth", "selectedType"], json!("gemini-api-key")),
        (vec!["mcpServers", "gatehouse"], server),
    ];
    Recipe {
        files: vec![
            FileEdit { path: folder.join(".env"), edit: Edit::Env(variables) },
            FileEdit { path: folder.join("settings.json"), edit: Edit::Json(fields) },
        ],
        ..Recipe::default()
    }
}

/// The shape of version 1, which version 2 reads as well.
fn opencode(settings: &Settings) -> Recipe {
    let model = settings.model();
    let provider = json!({
        "npm": "@ai-sdk/openai-compatible",
        "name": "Gatehouse",
        "options": { "baseURL": format!("{}/v1", settings.url), "apiKey": settings.key },
        "models": { model: { "name": model } },
    });
    let server = json!({ "type": "remote", "url": settings.mcp(), "headers": settings.headers(), "enabled": true });
    let fields = vec![
        (vec!["provider", "gatehouse"], provider),
        (vec!["model"], json!(format!("gatehouse/{model}"))),
        (vec!["mcp", "gatehouse"], server),
    ];
    let path = settings.home.folder("XDG_CONFIG_HOME", ".config").join("opencode/opencode.json");
    Recipe { files: vec![FileEdit { path, edit: Edit::Json(fields) }], ..Recipe::default() }
}

fn continue_dev(settings: &Settings) -> Recipe {
    let (url, key, model) = (&settings.url, &settings.key, settings.model());
    Recipe {
        steps: vec![
            "Add to `models:` in ~/.continue/config.yaml:".to_owned(),
            format!("  - name: Gatehouse {model}\n    provider: openai\n    model: {model}"),
            format!("    apiBase: {url}/v1\n    apiKey: {key}"),
        ],
        ..Recipe::default()
    }
}

fn goose(settings: &Settings) -> Recipe {
    Recipe {
        exports: vec![
            ("GOOSE_PROVIDER", "openai".to_owned()),
            ("GOOSE_MODEL", settings.model().to_owned()),
            ("OPENAI_HOST", settings.url.clone()),
            ("OPENAI_API_KEY", settings.key.clone()),
        ],
        ..Recipe::default()
    }
}

fn openai_sdk(settings: &Settings) -> Recipe {
    Recipe {
        exports: vec![("OPENAI_BASE_URL", format!("{}/v1", settings.url)), ("OPENAI_API_KEY", settings.key.clone())],
        steps: vec![format!("# Python: OpenAI().chat.completions.create(model=\"{}\", …)", settings.model())],
        ..Recipe::default()
    }
}

fn anthropic_sdk(settings: &Settings) -> Recipe {
    Recipe {
        exports: vec![("ANTHROPIC_BASE_URL", settings.url.clone()), ("ANTHROPIC_API_KEY", settings.key.clone())],
        steps: vec![format!("# Python: Anthropic().messages.create(model=\"{}\", …)", settings.model())],
        ..Recipe::default()
    }
}

fn google_genai(settings: &Settings) -> Recipe {
    Recipe {
        exports: vec![("GOOGLE_GEMINI_BASE_URL", settings.url.clone()), ("GEMINI_API_KEY", settings.key.clone())],
        steps: vec![format!("# Python: Client().models.generate_content(model=\"{}\", …)", settings.model())],
        ..Recipe::default()
    }
}
