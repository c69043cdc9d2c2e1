//! `gatehouse connect CLIENT`: what a client needs to use this gateway, printed, written, or taken back.
//!
//! A client is a `Recipe`: files to edit, variables to set, steps to do by hand. Printing applies the edits to nothing,
//! writing applies them to what is there, and a record beside each file holds what was there before.

mod clients;
mod env_file;
mod files;
mod json_text;
mod record;
mod toml_text;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use files::FileEdit;

/// What stands for the key while none is given.
const NO_KEY: &str = "YOUR_GATEHOUSE_KEY";

/// Arguments of `connect`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The client.
    #[arg(value_enum)]
    client: Client,
    /// Where the gateway is.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The gateway key the client shall use.
    #[arg(long, env = "GATEHOUSE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The model the client shall ask for; `demo` if the client cannot do without one.
    #[arg(long)]
    model: Option<String>,
    /// Write the client's configuration instead of printing it. Everything else in the file stays as it is.
    #[arg(long, conflicts_with = "revert")]
    write: bool,
    /// Put back exactly what was there before `--write`.
    #[arg(long)]
    revert: bool,
    /// With --revert: also if the file was changed since.
    #[arg(long, requires = "revert")]
    force: bool,
    /// The home folder whose files are meant, in place of your own.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
}

/// A client that can be pointed at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// Claude Code.
    ClaudeCode,
    /// OpenAI Codex.
    Codex,
    /// Cursor.
    Cursor,
    /// Visual Studio Code chat.
    Vscode,
    /// Gemini CLI.
    GeminiCli,
    /// OpenCode.
    Opencode,
    /// Continue.
    Continue,
    /// Goose.
    Goose,
    /// The OpenAI SDKs.
    OpenaiSdk,
    /// The Anthropic SDKs.
    AnthropicSdk,
    /// The Google Gen AI SDKs.
    GoogleGenai,
}

/// What a client needs.
#[derive(Debug, Default)]
pub(crate) struct Recipe {
    /// Files to edit.
    files: Vec<FileEdit>,
    /// Variables to set in the shell the client starts from.
    exports: Vec<(&'static str, String)>,
    /// What to do or to know.
    steps: Vec<String>,
}

/// What a recipe is made from.
#[derive(Debug)]
pub(crate) struct Settings {
    /// URL of the gateway, without a slash at its end.
    url: String,
    key: String,
    model: Option<String>,
    home: Home,
}

/// Where clients keep their files.
#[derive(Debug)]
struct Home {
    root: PathBuf,
    /// Whether variables such as `CODEX_HOME` count: they speak of the real home.
    real: bool,
}

impl Home {
    /// A client's folder, at its usual place or where its variable says.
    fn folder(&self, variable: &str, usual: &str) -> PathBuf {
        let moved = std::env::var_os(variable).filter(|path| self.real && !path.is_empty());
        moved.map_or_else(|| self.root.join(usual), PathBuf::from)
    }
}

impl Settings {
    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or("demo")
    }

    /// The endpoint of all tools the key may use.
    fn mcp(&self) -> String {
        format!("{}/mcp", self.url)
    }

    fn authorization_line(&self) -> String {
        format!("Authorization: Bearer {}", self.key)
    }

    fn headers(&self) -> serde_json::Value {
        serde_json::json!({ "Authorization": format!("Bearer {}", self.key) })
    }
}

/// Prints, writes or takes back.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings(arguments)?;
    let recipe = clients::recipe(arguments.client, &settings);
    let mut out = std::io::stdout().lock();
    if arguments.revert {
        return revert(&recipe, arguments.force, &mut out);
    }
    if !arguments.write {
        return print(&recipe, &mut out);
    }
    if recipe.files.is_empty() {
        let message = "this client has no file that could be written";
        return Err(Failure::usage(message, "run it without --write and follow what it prints"));
    }
    if arguments.key.is_none() {
        let next = "give it with --key or GATEHOUSE_KEY; `gatehouse keys create NAME` makes one";
        return Err(Failure::usage("--write needs a key", next));
    }
    for file in &recipe.files {
        record::write(file)?;
        writeln!(out, "wrote {}", file.path.display())?;
    }
    print_rest(&recipe, &mut out)?;
    writeln!(out, "undo with: gatehouse connect {} --revert", arguments.client.name())?;
    Ok(())
}

impl Client {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let url = arguments.url.trim_end_matches('/');
    let parsed: Option<http::Uri> = url.parse().ok();
    let usable = parsed.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none());
    if !usable || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Failure::usage(format!("`{url}` is not a URL"), "write it like http://127.0.0.1:8080"));
    }
    let one_line = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    if arguments.key.as_deref().is_some_and(|key| !one_line(key)) {
        return Err(Failure::usage("the key has spaces or other characters no key has", "copy it again, whole"));
    }
    if arguments.model.as_deref().is_some_and(|model| !one_line(model)) {
        return Err(Failure::usage("the model has spaces or other characters no name has", "give one name"));
    }
    let root = arguments
        .home
        .clone()
        .or_else(std::env::home_dir)
        .ok_or_else(|| Failure::problem("there is no home folder", "name one with --home"))?;
    Ok(Settings {
        url: url.to_owned(),
        key: arguments.key.clone().unwrap_or_else(|| NO_KEY.to_owned()),
        model: arguments.model.clone(),
        home: Home { root, real: arguments.home.is_none() },
    })
}

fn print(recipe: &Recipe, out: &mut impl Write) -> Result<(), Failure> {
    for file in &recipe.files {
        writeln!(out, "# {}", file.path.display())?;
        writeln!(out, "{}", file.edit.apply("").map_err(|reason| Failure::problem(reason, ""))?)?;
    }
    print_rest(recipe, out)
}

fn print_rest(recipe: &Recipe, out: &mut impl Write) -> Result<(), Failure> {
    for (name, value) in &recipe.exports {
        writeln!(out, "export {name}={}", env_file::quoted(value))?;
    }
    for step in &recipe.steps {
        writeln!(out, "{step}")?;
    }
    Ok(())
}

fn revert(recipe: &Recipe, force: bool, out: &mut impl Write) -> Result<(), Failure> {
    let mut found = false;
    for file in &recipe.files {
        if record::revert(&file.path, force)? {
            found = true;
            writeln!(out, "restored {}", file.path.display())?;
        }
    }
    if found {
        return Ok(());
    }
    Err(Failure::problem("nothing was written for this client", "use the --home that --write was used with"))
}
