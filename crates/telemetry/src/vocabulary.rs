//! The names metrics may carry: those of the configuration in force. Anything else is counted as "other", so that no
//! caller can make a series by inventing a model.

use std::sync::Arc;

use foldhash::HashMap;

use crate::names;

/// A known name as a small number, so that a record's series is found without hashing text twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct NameId(u32);

/// What the consumer knows of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    ids: HashMap<Arc<str>, NameId>,
    texts: Vec<Arc<str>>,
    provider_kinds: HashMap<Arc<str>, Arc<str>>,
}

impl Vocabulary {
    /// From the names clients use for models, the providers as (name, kind), and the upstream models of all targets.
    #[must_use]
    pub fn new(
        models: impl IntoIterator<Item = Arc<str>>,
        providers: impl IntoIterator<Item = (Arc<str>, Arc<str>)>,
        upstream_models: impl IntoIterator<Item = Arc<str>>,
    ) -> Self {
        let mut this = Self { texts: vec![names::OTHER.into()], ..Self::default() };
        models.into_iter().chain(upstream_models).for_each(|name| this.learn(name));
        for (name, kind) in providers {
            this.provider_kinds.insert(Arc::clone(&name), names::provider(&kind).into());
            this.learn(name);
        }
        this
    }

    fn learn(&mut self, name: Arc<str>) {
        let Ok(next) = u32::try_from(self.texts.len()) else { return };
        if !self.ids.contains_key(&name) {
            self.ids.insert(Arc::clone(&name), NameId(next));
            self.texts.push(name);
        }
    }

    /// The number of a name; the number of "other" for one we do not know.
    pub(crate) fn id(&self, name: &str) -> NameId {
        self.ids.get(name).copied().unwrap_or_default()
    }

    /// The name behind a number.
    pub(crate) fn text(&self, id: NameId) -> &str {
        self.texts.get(id.0 as usize).map_or(names::OTHER, |name| name)
    }

    /// `gen_ai.provider.name` of a configured provider.
    pub(crate) fn provider_kind(&self, provider: &str) -> &str {
        self.provider_kinds.get(provider).map_or(names::OTHER, |kind| kind)
    }
}
