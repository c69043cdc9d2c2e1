//! The configuration file on this machine: `catalog` with a real environment and a real file system around it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gatehouse_catalog::{
    Config, DEFAULT_NAME, DEFAULT_YAML, Declared, Known, Loaded, PolicyText, Price, Problem, Problems, Provider,
    Secrets, Severity, Surroundings,
};
use gatehouse_llm_gateway::providers::{self, Settings};
use gatehouse_llm_router::strategies;
use gatehouse_store::vault::MasterKeys;

use crate::failure::Failure;
use crate::policies;

/// The largest file a configuration may name: an OpenAPI document can be long.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A price file that `gatehouse prices update` stored, inside the data folder.
pub(crate) const PRICE_FILE: &str = "prices.yaml";

/// Names of provider kinds and strategies, from the crates that own them.
pub(crate) struct Names {
    provider_kinds: Vec<&'static str>,
    strategies: Vec<&'static str>,
}

impl Names {
    /// All of them.
    pub(crate) fn all() -> Self {
        Self {
            provider_kinds: providers::ALL.iter().map(|kind| kind.name).collect(),
            strategies: strategies::ALL.iter().map(|strategy| strategy.name).collect(),
        }
    }

    /// As the catalog takes them.
    pub(crate) fn known(&self) -> Known<'_> {
        Known { provider_kinds: &self.provider_kinds, strategies: &self.strategies }
    }
}

/// What stands beside a file.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    /// Objects of the database.
    pub(crate) declared: &'a [Declared<'a>],
    /// Secrets of the vault.
    pub(crate) secrets: Secrets<'a>,
}

impl Beside<'_> {
    /// Nothing that could be read yet.
    pub(crate) const NOTHING: Self = Self { declared: &[], secrets: Secrets::NotOpen };
}

/// Loads a file, or without one the built-in default, before anything else is open.
pub(crate) fn load(file: Option<&Path>) -> Result<Loaded, Failure> {
    load_with(file, Beside::NOTHING)
}

/// The same with what stands beside it.
pub(crate) fn load_with(file: Option<&Path>, beside: Beside<'_>) -> Result<Loaded, Failure> {
    let (file, bytes) = read_or_default(file)?;
    let mut loaded = problems_as_failure(check_with(file, &bytes, beside), file)?;
    let stored = stored_prices(&loaded.config.data_dir)?;
    // What the configuration says comes before what was stored.
    for (name, price) in stored {
        loaded.config.prices.entry(name).or_insert(price);
    }
    Ok(loaded)
}

/// The prices that `gatehouse prices update` stored in a data folder.
fn stored_prices(data_dir: &Path) -> Result<BTreeMap<String, Price>, Failure> {
    let file = data_dir.join(PRICE_FILE);
    match fs::read(&file) {
        Ok(bytes) => problems_as_failure(gatehouse_catalog::load_prices(&bytes, &file.display().to_string()), &file),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(BTreeMap::new()),
        Err(error) => {
            Err(Failure::problem(format!("cannot read {}: {error}", file.display()), "check who may read it"))
        }
    }
}

/// A file's name and content; the built-in default's without a file.
pub(crate) fn read_or_default(file: Option<&Path>) -> Result<(&Path, Vec<u8>), Failure> {
    match file {
        Some(file) => Ok((file, read(file)?)),
        None => Ok((Path::new(DEFAULT_NAME), DEFAULT_YAML.as_bytes().to_vec())),
    }
}

/// What stored secrets are wrapped by, as the configuration says.
pub(crate) fn master_keys(config: &Config) -> MasterKeys {
    MasterKeys { current: config.master_key.clone(), old: config.old_master_keys.clone() }
}

/// Reads a configuration file.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        Failure::problem(format!("cannot read {}: {error}", file.display()), "give the path of a configuration file")
    })
}

/// Checks the content of a file against everything on this machine.
pub(crate) fn check(file: &Path, bytes: &[u8]) -> Result<Loaded, Problems> {
    check_with(file, bytes, Beside::NOTHING)
}

/// The same with what stands beside it.
pub(crate) fn check_with(file: &Path, bytes: &[u8], beside: Beside<'_>) -> Result<Loaded, Problems> {
    check_among(file, bytes, beside, &Kept::new())
}

/// Texts of files as they were when they were last good, by path: they come before what the disk holds.
pub(crate) type Kept = BTreeMap<PathBuf, String>;

/// Checks the content of a file against everything on this machine, but for the files that are kept.
pub(crate) fn check_among(file: &Path, bytes: &[u8], beside: Beside<'_>, kept: &Kept) -> Result<Loaded, Problems> {
    let read = |around: &Surroundings<'_>| gatehouse_catalog::load_with(bytes, beside.declared, around);
    let mut loaded = around_with(file, kept, beside.secrets, read)?;
    // What stands in for a secret looks like none: credentials are looked at when the vault is open.
    let mut problems = if loaded.stands_in { Vec::new() } else { provider_problems(&loaded) };
    problems.extend(policies::problems(&loaded));
    problems.extend(guardrail_problems(&loaded));
    if problems.iter().all(|problem| problem.severity == Severity::Warning) {
        loaded.warnings.extend(problems);
        return Ok(loaded);
    }
    problems.extend(loaded.warnings);
    problems.sort_by_key(|problem| problem.position);
    Err(Problems(problems))
}

/// Policies by file or pattern, relative to a folder.
pub(crate) fn policy_texts(items: &[String], folder: &Path) -> Result<Vec<PolicyText>, Problems> {
    let names = Names::all();
    let around = Surroundings {
        file_name: "policies",
        folder,
        env: &|_| None,
        read: &read_text,
        list: &list_names,
        secrets: Secrets::NotOpen,
        known: names.known(),
    };
    gatehouse_catalog::policy_texts(items, &around)
}

/// What a pattern finds in a folder: where its files are kept, those and no others.
fn list_among(folder: &Path, kept: &Kept) -> std::io::Result<Vec<String>> {
    let here = kept.keys().filter(|path| path.parent() == Some(folder));
    let names: Vec<String> = here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    if names.is_empty() { list_names(folder) } else { Ok(names) }
}

/// The names of the files in a folder. A name that is not UTF-8 fits no pattern.
fn list_names(folder: &Path) -> std::io::Result<Vec<String>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(folder)?;
    entries.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose()).collect()
}

/// Does something with this machine around a file: its environment, its files.
pub(crate) fn around<T>(file: &Path, work: impl FnOnce(&Surroundings<'_>) -> T) -> T {
    around_with(file, &Kept::new(), Secrets::NotOpen, work)
}

fn around_with<T>(file: &Path, kept: &Kept, secrets: Secrets<'_>, work: impl FnOnce(&Surroundings<'_>) -> T) -> T {
    let folder = file.parent().unwrap_or(Path::new(""));
    let env = |name: &str| std::env::var(name).ok();
    let name = file.display().to_string();
    let names = Names::all();
    let read = |path: &Path| kept.get(path).map_or_else(|| read_text(path), |text| Ok(text.clone()));
    let list = |folder: &Path| list_among(folder, kept);
    let known = names.known();
    work(&Surroundings { file_name: &name, folder, env: &env, read: &read, list: &list, secrets, known })
}

/// What each kind of provider says of its settings: which credentials are missing, which address is none.
fn provider_problems(loaded: &Loaded) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, provider) in &loaded.config.providers {
        // The demo provider gets its address when it is started.
        if provider.kind == "demo" && provider.base_url.is_none() {
            continue;
        }
        let problems = providers::resolve(name, &provider.kind, &settings(provider)).err().unwrap_or_default();
        found.extend(problems.into_iter().map(|problem| {
            loaded.problem_at(&format!("providers.{name}.{}", problem.field), problem.message, problem.hint)
        }));
    }
    found
}

/// What the detectors say of their settings: patterns that are none, schemas that refer elsewhere.
fn guardrail_problems(loaded: &Loaded) -> Vec<Problem> {
    let found = crate::guardrails::guardrails(&loaded.config).err().unwrap_or_default();
    found.into_iter().map(|problem| loaded.problem_at(&problem.path, problem.message, problem.hint)).collect()
}

/// A provider's settings in the words of the LLM gateway.
pub(crate) fn settings(provider: &Provider) -> Settings {
    Settings {
        base_url: provider.base_url.as_ref().map(|url| url.text.clone()),
        api_key: provider.api_key.clone(),
        region: provider.region.clone(),
        access_key_id: provider.access_key_id.clone(),
        secret_access_key: provider.secret_access_key.clone(),
        session_token: provider.session_token.clone(),
        project: provider.project.clone(),
        location: provider.location.clone(),
        credentials: provider.credentials.clone(),
        api_version: provider.api_version.clone(),
        dialect: provider.dialect.clone(),
        headers: provider.headers.clone(),
    }
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("{length} bytes are more than {FILE_BYTES_MAX}")));
    }
    fs::read_to_string(path)
}

/// Problems as the end of a command.
pub(crate) fn problems_as_failure<T>(loaded: Result<T, Problems>, file: &Path) -> Result<T, Failure> {
    loaded.map_err(|problems| {
        let next = "mend the lines above; `gatehouse check` runs the same checks without starting anything";
        Failure::problem(format!("{} cannot be used:\n{problems}", file.display()), next)
    })
}
