//! What exists right now: the configuration as written, resolved into one immutable snapshot.
//!
//! Start reading at `load`.

mod check;
mod config;
mod default;
mod load;
pub mod pattern;
pub mod principals;
mod problem;
mod references;
mod resolve;
mod schema;
mod shape;
#[cfg(test)]
mod tests;
pub mod written;
mod yaml;

pub use config::{
    Auth, Budget, Config, Content, Counted, Endpoint, Key, Limit, LogFormat, Model, Period, PolicyText, Price, Provider,
    Rule, Server, Target, Telemetry, Terms, Tls, Window,
};
pub use default::{DEFAULT_NAME, DEFAULT_YAML};
pub use load::{Loaded, Surroundings, load, load_prices, policy_texts};
pub use problem::{Position, Problem, Problems, Severity, did_you_mean};
pub use resolve::WrongTerms;
pub use schema::{Known, published as schema, terms as terms_schema};
