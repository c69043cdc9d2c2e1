//! What exists right now: the configuration as written, resolved into one immutable snapshot.
//!
//! Start reading at `load`.

mod check;
mod config;
mod default;
mod kinds;
mod load;
pub mod mcp;
pub mod oauth;
mod objects;
pub mod pattern;
pub mod principals;
mod problem;
mod references;
mod resolve;
mod schema;
mod secrets;
mod shape;
mod tenants;
#[cfg(test)]
mod tests;
pub mod written;
mod yaml;

pub use config::{
    Alert, Auth, Budget, Config, Counted, Detector, Endpoint, Guardrail, Key, Limit, LogFormat, Model, Period,
    PolicyText, Price, Provider, Rule, Server, Target, Telemetry, Terms, Tls, Webhook, Window,
};
pub use default::{DEFAULT_NAME, DEFAULT_YAML};
pub use kinds::{KINDS, Kind, mask};
pub use load::{Loaded, Surroundings, load, load_prices, load_with, policy_texts};
pub use objects::{Declared, Object, Written, read_objects};
pub use problem::{Belongs, Position, Problem, Problems, Severity, did_you_mean};
pub use references::refers_to_a_secret;
pub use resolve::WrongTerms;
pub use schema::{Known, published as schema, terms as terms_schema};
pub use secrets::{OpenSecrets, Secrets, is_secret_name};
