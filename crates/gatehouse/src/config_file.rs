//! The configuration file on this machine: `catalog` with a real environment and a real file system around it.

use std::fs;
use std::path::Path;

use gatehouse_catalog::{DEFAULT_NAME, DEFAULT_YAML, Known, Loaded, Problems, Surroundings};

use crate::failure::Failure;

/// The largest file a `${file:…}` may name.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The names of provider kinds and strategies.
pub(crate) const KNOWN: Known<'static> = Known {
    provider_kinds: &[
        "anthropic",
        "anthropic-compatible",
        "azure-openai",
        "bedrock",
        "cerebras",
        "cohere",
        "deepseek",
        "demo",
        "fireworks",
        "gemini",
        "github-models",
        "groq",
        "huggingface",
        "lmstudio",
        "mistral",
        "moonshot",
        "nvidia",
        "ollama",
        "openai",
        "openai-compatible",
        "openrouter",
        "perplexity",
        "sambanova",
        "together",
        "vertex",
        "vllm",
        "xai",
        "zai",
    ],
    strategies: &["weighted", "priority", "least_busy", "lowest_latency", "lowest_cost", "headroom"],
};

/// Loads a file, or without one the built-in default.
pub(crate) fn load(file: Option<&Path>) -> Result<Loaded, Failure> {
    match file {
        Some(file) => {
            let bytes = read(file)?;
            problems_as_failure(check(file, &bytes), file)
        }
        None => {
            let file = Path::new(DEFAULT_NAME);
            problems_as_failure(check(file, DEFAULT_YAML.as_bytes()), file)
        }
    }
}

/// Reads a configuration file.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        Failure::problem(format!("cannot read {}: {error}", file.display()), "give the path of a configuration file")
    })
}

/// Checks the content of a file against everything on this machine.
pub(crate) fn check(file: &Path, bytes: &[u8]) -> Result<Loaded, Problems> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let env = |name: &str| std::env::var(name).ok();
    let name = file.display().to_string();
    let around = Surroundings { file_name: &name, folder, env: &env, read: &read_text, known: KNOWN };
    gatehouse_catalog::load(bytes, &around)
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("{length} bytes are more than {FILE_BYTES_MAX}")));
    }
    fs::read_to_string(path)
}

fn problems_as_failure(loaded: Result<Loaded, Problems>, file: &Path) -> Result<Loaded, Failure> {
    loaded.map_err(|problems| {
        let next = "mend the lines above; `gatehouse check` runs the same checks without starting anything";
        Failure::problem(format!("{} cannot be used:\n{problems}", file.display()), next)
    })
}
