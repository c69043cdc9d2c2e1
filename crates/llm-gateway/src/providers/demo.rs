//! The demo model that `gatehouse up` runs in its own process, so that a first request needs no key. `up` fills in its
//! address; it speaks Chat.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// The built-in demo model.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "demo",
    telemetry_name: "demo",
    default_base_url: None,
    version_path: "/v1",
    key_env: &[],
    needs: Needs::Nothing,
    native: &[endpoint::CHAT_AND_EMBEDDINGS],
    quirks: |_, _| Quirks::default(),
    thinking: model::thinking,
    rewrite: None,
};
