//! The one path of a call. Start reading at `path.rs`: it names the stages in order; each stage is one file.

mod body;
mod caller;
mod core;
mod ids;
mod in_time;
mod journey;
pub mod keeper;
pub mod outbox;
mod path;
mod snapshot;
mod stages;

pub use body::GateBody;
pub use caller::present_key;
pub use core::{Core, CoreParts, Shared};
pub use keeper::Keeper;
pub use path::{Arrived, pass};
pub use snapshot::{Caps, KeyEntry, KeyTable, Lane, Snapshot, Token};
