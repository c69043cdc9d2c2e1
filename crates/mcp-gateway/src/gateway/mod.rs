//! The entrances and what comes in through them: [`doors`] which endpoint a path is, [`guests`] who may knock at all,
//! [`asking`] what a request asks, [`session`] the sessions of the older era, [`refuse`] how a fault is told.

pub mod asking;
pub mod doors;
pub mod guests;
pub mod refuse;
pub mod session;

pub use asking::{Asking, Unasked, What};
pub use guests::Guests;
pub use refuse::Refusal;
pub use session::Session;
