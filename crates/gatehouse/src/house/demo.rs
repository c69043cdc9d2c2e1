//! Starts the demo provider when a configuration first names it.

use std::io;
use std::net::SocketAddr;

use gatehouse_catalog::Config;
use tokio::sync::OnceCell;

/// The demo provider's address, once it runs.
#[derive(Default)]
pub(super) struct Demo(OnceCell<SocketAddr>);

impl Demo {
    /// Base URL of the demo provider; empty if the configuration has none.
    pub(super) async fn address(&self, config: &Config) -> io::Result<String> {
        if !config.providers.values().any(|provider| provider.kind == "demo") {
            return Ok(String::new());
        }
        let address = self.0.get_or_try_init(gatehouse_server::demo::start).await?;
        Ok(format!("http://{address}"))
    }
}
