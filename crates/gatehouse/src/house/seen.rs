//! What metrics may name: the models, providers and targets of the configuration in force, MCP servers and their tools.

use std::sync::Arc;

use gatehouse_catalog::Config;
use gatehouse_catalog::mcp::OWN_SERVER;
use gatehouse_domain::Gateway;
use gatehouse_llm_gateway::providers;
use gatehouse_telemetry::Vocabulary;

/// `tools`: each by its canonical name and by its server's own.
pub(super) fn vocabulary(config: &Config, gateway: &dyn Gateway, tools: &[[Arc<str>; 2]]) -> Vocabulary {
    let models = config.models.keys().map(Arc::clone);
    let providers = config.providers.iter().map(|(name, provider)| {
        let conventional = providers::kind(&provider.kind).map_or(&*provider.kind, |kind| kind.telemetry_name);
        (Arc::clone(name), Arc::from(conventional))
    });
    let servers = config.mcp.servers.keys().cloned().chain([Arc::from(OWN_SERVER)]);
    let servers = servers.map(|name| (name, Arc::from("mcp")));
    let upstream = gateway.targets().iter().map(|target| Arc::clone(&target.model));
    let [canonical, own] = [0, 1].map(|which| tools.iter().map(move |names| Arc::clone(&names[which])));
    Vocabulary::new(models.chain(canonical), providers.chain(servers), upstream.chain(own))
}
