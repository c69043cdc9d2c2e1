//! Where a command works: on a data folder, or through a running gateway.

use std::path::PathBuf;

use clap::Args;
use gatehouse_catalog::Config;
use gatehouse_domain::Secret;
use gatehouse_store::{DataDir, Pepper, Store};

use crate::admin_client::AdminClient;
use crate::config_file;
use crate::failure::Failure;

/// Names a place. With nothing given: the data folder that `gatehouse up` uses here without a file.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// Work on the data folder of this configuration file.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Work through the gateway at this URL.
    #[arg(long, env = "GATEHOUSE_URL", global = true)]
    pub(crate) url: Option<String>,
    /// An admin key of that gateway.
    #[arg(long, env = "GATEHOUSE_ADMIN_KEY", hide_env_values = true, global = true)]
    pub(crate) key: Option<String>,
}

/// A place.
pub(crate) enum Place {
    /// A running gateway.
    Gateway(AdminClient),
    /// A data folder.
    Folder(Box<Folder>),
}

/// A data folder, opened.
pub(crate) struct Folder {
    /// The configuration that names it.
    pub(crate) config: Config,
    /// Its database.
    pub(crate) store: Store,
    /// What its keys are hashed with.
    pub(crate) pepper: Pepper,
}

impl PlaceArguments {
    /// The gateway, if one is named. A file on the command line comes before a URL in the environment.
    pub(crate) fn gateway(&self) -> Option<AdminClient> {
        let url = self.url.as_deref().filter(|_| self.config.is_none())?;
        Some(AdminClient::new(url, self.key.as_deref().filter(|key| !key.is_empty()).map(Secret::new)))
    }
}

impl Place {
    /// Opens it. A data folder must be there already: a command that looks at things does not make them.
    pub(crate) async fn open(arguments: &PlaceArguments) -> Result<Self, Failure> {
        if let Some(client) = arguments.gateway() {
            return Ok(Self::Gateway(client));
        }
        let config = config_file::load(arguments.config.as_deref())?.config;
        if !config.data_dir.is_dir() {
            let message = format!("there is no data folder {}", config.data_dir.display());
            let next = "start the gateway once, name its configuration with --config, or a running one with --url";
            return Err(Failure::problem(message, next));
        }
        let dir = DataDir::create(&config.data_dir)?;
        let store = Store::open(&dir).await?;
        let pepper = Pepper::load(&dir)?;
        Ok(Self::Folder(Box::new(Folder { config, store, pepper })))
    }
}
