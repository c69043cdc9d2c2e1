//! Conversations carried out. A [`Gate`] is what the pipeline knows of MCP: it finds doors, looks at guests, and reads messages
//! into [`Talk`](gatehouse_pipeline::Talk)s, each of which is one errand carried out by a future that owns everything it needs.
//!
//! - The way of a message: [`errand`] what it wants, found in the catalogue · [`talk`] the one conversation · [`local`] what the
//!   gateway answers by itself · [`voice`] how clients are spoken to.
//! - A call: [`reach`] the way to its server · [`carry`] one request and everything the server says because of it · [`pass_on`]
//!   what of that is no result · [`result`] what is · [`spill`] results too large to send.
//! - Questions: [`question`] what servers ask clients · [`across`] those that cross between the eras in the middle of a call ·
//!   [`park`] calls that wait for a modern client's answer · [`sampling`] those that a model of the gateway answers · [`beside`],
//!   [`window`] those outside of calls · [`consent`] our own, where a person has to agree first · [`agree`] and when they have.
//! - [`tasks`]: calls that become tasks, where client and server do not mean the same by one.
//! - Listening: [`listen`] streams that only tell of changes · [`ears`] how many there may be · [`feed`] where they hear of them.
//! - [`memory`] what is kept for a session while it lasts · [`opened`] what its id was found to hold · [`desk`] what all of them share, across configurations.

mod across;
mod agree;
mod beside;
mod carry;
mod consent;
mod desk;
mod ears;
mod errand;
mod feed;
mod gate;
mod listen;
mod local;
mod memory;
mod notes;
mod opened;
mod park;
mod pass_on;
mod question;
mod reach;
mod result;
mod sampling;
mod spill;
mod talk;
mod tasks;
mod voice;
mod window;

pub use desk::{Desk, DeskParts};
pub use gate::Gate;
