//! What metrics may name: the models, providers and targets of the configuration in force.

use std::sync::Arc;

use gatehouse_catalog::Config;
use gatehouse_domain::Gateway;
use gatehouse_llm_gateway::providers;
use gatehouse_telemetry::Vocabulary;

pub(super) fn vocabulary(config: &Config, gateway: &dyn Gateway) -> Vocabulary {
    let models = config.models.keys().map(Arc::clone);
    let providers = config.providers.iter().map(|(name, provider)| {
        let conventional = providers::kind(&provider.kind).map_or(&*provider.kind, |kind| kind.telemetry_name);
        (Arc::clone(name), Arc::from(conventional))
    });
    let upstream = gateway.targets().iter().map(|target| Arc::clone(&target.model));
    Vocabulary::new(models, providers, upstream)
}
