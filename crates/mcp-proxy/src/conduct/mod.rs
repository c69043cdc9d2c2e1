//! Conversations carried out. A [`Gate`] is what the pipeline knows of MCP: it finds doors, looks at guests, and reads messages
//! into [`Talk`](gatehouse_pipeline::Talk)s, each of which is one errand carried out by a future that owns everything it needs.
//!
//! [`errand`] what a message wants, found in the catalogue · [`talk`] the one conversation · [`local`] what the gateway answers by
//! itself · [`carry`] one request to one server and everything the server says because of it · [`across`] questions that cross
//! between the eras on the way · [`voice`] how clients are spoken to
//! · [`question`] what servers ask clients · [`park`] calls that wait for a modern client's answer · [`listen`] streams that only
//! tell of changes · [`ears`] how many of
//! those there may be · [`feed`] where those hear of them · [`window`] where a session is asked beside its calls · [`memory`] what is kept for a session while it lasts · [`spill`] results
//! too large to send · [`sampling`] questions that a model of the gateway answers
//! · [`desk`] what all of them share, across configurations.

mod across;
mod agree;
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
mod park;
mod question;
mod result;
mod sampling;
mod spill;
mod talk;
mod voice;
mod window;

pub use desk::{Desk, DeskParts};
pub use gate::Gate;
