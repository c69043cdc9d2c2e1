//! The entrances and what comes in through them: [`doors`] which endpoint a path is, [`asking`] what a request asks,
//! [`session`] the sessions of the older era, [`refuse`] how a fault is told.

pub mod asking;
pub mod doors;
pub mod refuse;
pub mod session;

pub use asking::{Asking, Unasked, What};
pub use refuse::Refusal;
pub use session::Session;
