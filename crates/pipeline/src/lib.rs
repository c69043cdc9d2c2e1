//! The one path of a call. Start reading at `path.rs`: it names the stages in order; each stage is one file.

pub mod alerts;
mod body;
mod caller;
mod core;
mod guard;
pub mod identity;
mod ids;
mod inner;
mod journey;
pub mod keeper;
pub mod outbox;
mod path;
mod rounds;
mod snapshot;
mod stages;
pub mod talk;
mod token_cache;

pub use body::GateBody;
pub use caller::present_key;
pub use core::{Core, CoreParts, Shared};
pub use guard::{Guardrails, Webhook};
pub use inner::{Inbound, Made, Making};
pub use keeper::Keeper;
pub use path::{Arrived, pass};
pub use snapshot::{Caps, KeyEntry, KeyTable, Lane, Snapshot, Token};
pub use talk::{Conducted, Conducting, Floor, Refused, Talk, Talks, Visit, converse};
pub use token_cache::TokenCache;
