//! Where the configuration comes from: a file, or the built-in default. The last good file is kept in the data folder, so
//! that a restart with a broken one still serves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gatehouse_catalog::{Config, Loaded, Problems};

use crate::config_file::{self, Beside, Kept};
use crate::failure::Failure;

/// Name of the last good configuration in the data folder.
const LAST_GOOD: &str = "last-good.yaml";

/// The policy files that belong to it, by path, as JSON.
const LAST_GOOD_POLICIES: &str = "last-good-policies.json";

/// A file, or the default.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// What the command line sets over it.
    pub(crate) over: Overrides,
}

/// What the command line sets over the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// `--listen`.
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// `--data-dir`.
    pub(crate) data_dir: Option<PathBuf>,
}

/// What was loaded at start.
pub(crate) struct Started {
    pub(crate) loaded: Loaded,
    /// The file's path, `defaults` or `last_good`.
    pub(crate) from: String,
    /// Why the file itself is not in force.
    pub(crate) refused: Option<String>,
}

impl Source {
    /// How it is called in status and messages.
    pub(crate) fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "defaults".to_owned(), |file| file.display().to_string())
    }

    /// Reads and checks it with what stands beside it in the database. It has to stand alone, too: the next start reads it
    /// before there is a database.
    pub(crate) fn load(&self, beside: Beside<'_>) -> Result<Loaded, Failure> {
        let mut loaded = config_file::load_with(self.file.as_deref(), Beside { declared: &[], ..beside })?;
        if !beside.declared.is_empty() {
            loaded = config_file::load_with(self.file.as_deref(), beside)?;
        }
        Ok(self.with_overrides(loaded))
    }

    /// Reads it at start: a broken file gives way to the last good one, loudly.
    pub(crate) fn load_at_start(&self, beside: Beside<'_>) -> Result<Started, Failure> {
        let failure = match self.load(beside) {
            Ok(loaded) => return Ok(Started { loaded, from: self.name(), refused: None }),
            Err(failure) => failure,
        };
        let Some((file, last_good)) = self.file.as_ref().and_then(|file| Some((file, self.find_last_good(file)?)))
        else {
            return Err(failure);
        };
        let Ok(loaded) = load_last_good(file, &last_good, beside) else { return Err(failure) };
        Ok(Started {
            loaded: self.with_overrides(loaded),
            from: "last_good".to_owned(),
            refused: Some(failure.to_string()),
        })
    }

    /// Keeps the file that was just put in force, and its policies. References in it stay references: no secret is
    /// copied.
    pub(crate) fn keep(&self, config: &Config) {
        let Some(file) = &self.file else { return };
        let policies = config.policies.iter().filter_map(|text| Some((text.file.clone()?, text.text.clone())));
        let policies = serde_json::to_vec(&policies.collect::<Kept>()).map_err(io::Error::other);
        let written = policies
            .and_then(|policies| replace(&config.data_dir, LAST_GOOD_POLICIES, &policies))
            .and_then(|()| replace(&config.data_dir, LAST_GOOD, &fs::read(file)?));
        if let Err(error) = written {
            tracing::warn!(%error, path = %config.data_dir.display(), "the last good configuration could not be kept");
        }
    }

    /// The data folder of a file that cannot be read as a whole: its own line says it, or it is at its default.
    fn find_last_good(&self, file: &Path) -> Option<PathBuf> {
        let folder = file.parent().unwrap_or(Path::new("."));
        let text = fs::read_to_string(file).unwrap_or_default();
        let written = text.lines().find_map(|line| line.strip_prefix("data_dir:"));
        let written =
            written.map(|rest| rest.split(" #").next().unwrap_or(rest).trim().trim_matches(['"', '\'']).to_owned());
        let data_dir =
            self.over.data_dir.clone().unwrap_or_else(|| folder.join(written.as_deref().unwrap_or("gatehouse-data")));
        Some(data_dir.join(LAST_GOOD)).filter(|path| path.exists())
    }

    fn with_overrides(&self, mut loaded: Loaded) -> Loaded {
        if let Some(listen) = self.over.listen {
            loaded.config.listen_on(listen);
        }
        if let Some(data_dir) = &self.over.data_dir {
            let relative = loaded.config.database.strip_prefix(&loaded.config.data_dir).map(Path::to_owned);
            if let Ok(database) = relative {
                loaded.config.database = data_dir.join(database);
            }
            loaded.config.data_dir.clone_from(data_dir);
        }
        loaded
    }
}

fn load_last_good(file: &Path, last_good: &Path, beside: Beside<'_>) -> Result<Loaded, Problems> {
    let policies = fs::read(last_good.with_file_name(LAST_GOOD_POLICIES)).unwrap_or_default();
    let kept: Kept = serde_json::from_slice(&policies).unwrap_or_default();
    // Relative paths in it start where they did in the file.
    config_file::check_among(file, &fs::read(last_good).unwrap_or_default(), beside, &kept)
}

/// Writes a file of a folder whole or not at all.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = folder.join(format!("{name}.new"));
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, folder.join(name))
}
