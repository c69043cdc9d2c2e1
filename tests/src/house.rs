//! A configuration file around scripted providers: what DESIGN §3.3 names, as a value a test can bend.

use serde_json::{Value, json};

use crate::gate::Gate;
use crate::upstream::Upstream;
use crate::wire::Dialect;

/// The secret of the key every house has.
pub const KEY: &str = "gk_test_3f9c1a7be2d84c06a5d1f0e98b7c6a54";

/// A configuration in the making. Starts with an ephemeral port and one key, `test`, that may use every model.
#[derive(Clone, Debug)]
pub struct House {
    config: Value,
}

impl Default for House {
    fn default() -> Self {
        Self::new()
    }
}

impl House {
    /// An empty house with one key.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: json!({
                "listen": "127.0.0.1:0",
                "auth": {"admin_key": KEY_OF_ADMIN},
                "providers": {}, "models": {},
                "keys": [{"name": "test", "secret": KEY}],
            }),
        }
    }

    /// A house with one provider speaking this dialect, and the model `fast` in front of its model `upstream-model`.
    #[must_use]
    pub fn with_one(dialect: Dialect, upstream: &Upstream) -> Self {
        Self::new().provider("only", dialect, upstream).model("fast", &["only/upstream-model"])
    }

    /// A provider that speaks this dialect.
    #[must_use]
    pub fn provider(self, name: &str, dialect: Dialect, upstream: &Upstream) -> Self {
        self.provider_at(name, dialect, &upstream.url())
    }

    /// A provider that speaks this dialect at this address.
    #[must_use]
    pub fn provider_at(self, name: &str, dialect: Dialect, url: &str) -> Self {
        let provider = match dialect {
            Dialect::OpenAiChat => {
                json!({"kind": "openai-compatible", "base_url": format!("{url}/v1"), "api_key": "provider-secret"})
            }
            Dialect::OpenAiResponses => {
                json!({"kind": "openai", "base_url": format!("{url}/v1"), "api_key": "provider-secret"})
            }
            Dialect::Anthropic => json!({"kind": "anthropic", "base_url": url, "api_key": "provider-secret"}),
            Dialect::Gemini => json!({"kind": "gemini", "base_url": url, "api_key": "provider-secret"}),
            Dialect::Bedrock => json!({
                "kind": "bedrock", "base_url": url, "region": "us-east-1",
                "access_key_id": "AKIDEXAMPLE", "secret_access_key": "provider-secret",
            }),
            Dialect::Cohere => json!({"kind": "cohere", "base_url": url, "api_key": "provider-secret"}),
        };
        self.set(&format!("/providers/{name}"), provider)
    }

    /// A model with these targets (`provider/model`), tried in this order.
    #[must_use]
    pub fn model(self, name: &str, targets: &[&str]) -> Self {
        let targets: Vec<Value> = targets
            .iter()
            .map(|target| {
                let (provider, model) = target.split_once('/').expect("provider/model");
                json!({"provider": provider, "model": model})
            })
            .collect();
        self.set(&format!("/models/{name}"), json!({"strategy": "priority", "targets": targets}))
    }

    /// Timers of a provider, short enough for a test to wait for.
    #[must_use]
    pub fn impatient(self, provider: &str) -> Self {
        self.set(
            &format!("/providers/{provider}/timeouts"),
            json!({"connect": 0.3, "first_byte": 0.3, "between_chunks": 0.3, "total": 3.0}),
        )
    }

    /// No second try at the same target: for tests that count attempts.
    #[must_use]
    pub fn without_retries(self, provider: &str) -> Self {
        self.set(&format!("/providers/{provider}/retries"), json!(0))
    }

    /// One more key.
    #[must_use]
    pub fn key(mut self, key: Value) -> Self {
        self.config["keys"].as_array_mut().expect("a list of keys").push(key);
        self
    }

    /// Sets whatever stands at this JSON pointer, making the objects on the way.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        let mut place = &mut self.config;
        for name in pointer.split('/').skip(1) {
            place = match name.parse::<usize>() {
                Ok(index) => &mut place[index],
                Err(_) => &mut place[name],
            };
        }
        *place = value;
        self
    }

    /// Where it says it is found; empty if it says nothing.
    #[must_use]
    pub fn public_url(&self) -> String {
        self.config["public_url"].as_str().unwrap_or_default().to_owned()
    }

    /// The file's text. JSON is YAML.
    #[must_use]
    pub fn file(&self) -> String {
        serde_json::to_string_pretty(&self.config).expect("JSON")
    }

    /// Starts the gateway with it.
    #[must_use]
    pub fn start(&self) -> Gate {
        Gate::start(&self.file())
    }
}

/// The admin key of every house.
pub const KEY_OF_ADMIN: &str = "gk_admin_90f4b2c86d1e4a7fb3058c2d7e9a6140";
