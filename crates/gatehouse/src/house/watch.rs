//! Reloads when the configuration file changes, or a policy file it names. Folders are watched, not files, because editors
//! and Kubernetes replace files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_server::TlsReload;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::House;
use super::lifecycle::{failure, reload};
use crate::failure::Failure;

/// Editors write a file in several steps; a change is read once it has been quiet this long.
const QUIET: Duration = Duration::from_millis(100);

/// Watches the configuration file, if there is one, and reloads for as long as the process lives.
pub(super) fn start(house: &Arc<House>, certificates: &TlsReload) -> Result<(), Failure> {
    let Some(file) = house.source.file.clone() else { return Ok(()) };
    let told = |error| failure("the configuration file cannot be watched", error);
    let (changed, changes) = mpsc::channel(1);
    let name = file.file_name().map(ToOwned::to_owned);
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let ours = |path: &PathBuf| {
            path.file_name() == name.as_deref()
                || path.ends_with("..data")
                || path.extension().is_some_and(|suffix| suffix == "cedar")
        };
        if event.is_ok_and(|event| !event.kind.is_access() && event.paths.iter().any(ours)) {
            // Full means that a reload is due already.
            let _due_already = changed.try_send(());
        }
    });
    let mut folders = Folders { watcher: watcher.map_err(told)?, watched: BTreeSet::new() };
    folders.watch(folder_of(&file)).map_err(told)?;
    folders.watch_policies(house);
    tokio::spawn(reload_on_change(Arc::clone(house), certificates.clone(), folders, changes));
    Ok(())
}

async fn reload_on_change(
    house: Arc<House>,
    certificates: TlsReload,
    mut folders: Folders,
    mut changes: mpsc::Receiver<()>,
) {
    while changes.recv().await.is_some() {
        while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
        reload(&house, &certificates).await;
        folders.watch_policies(&house);
    }
}

/// What is watched. Folders are only ever added: a change in one that is not named any more costs a reload, no more.
struct Folders {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    fn watch(&mut self, folder: PathBuf) -> notify::Result<()> {
        if !self.watched.contains(&folder) {
            self.watcher.watch(&folder, RecursiveMode::NonRecursive)?;
            self.watched.insert(folder);
        }
        Ok(())
    }

    /// The folders of the policies in force.
    fn watch_policies(&mut self, house: &House) {
        let Some(loaded) = house.state().loaded.clone() else { return };
        for file in loaded.config.policies.iter().filter_map(|text| text.file.as_deref()) {
            if let Err(error) = self.watch(folder_of(file)) {
                tracing::warn!(%error, file = %file.display(), "changes of this policy file will not be seen");
            }
        }
    }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), PathBuf::from)
}
