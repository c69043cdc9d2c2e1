//! Between the eras: what one side says in the words of the other. Values in, values out; who asks whom, and when, is the
//! conductor's. A cell of the bridge is a pair of revisions, the server's and the client's; where both are of one era, only
//! what the client's revision does not have is taken off.
//!
//! [`answers`] results and errors · [`hello`] what servers and clients say of themselves · [`capabilities`] what they can ·
//! [`questions`] what servers ask their clients · [`notices`] notifications · [`listen`] what a subscription wants ·
//! [`tasks`] tasks and their ids · [`tools`] tools in lists.

pub mod answers;
pub mod capabilities;
mod forms;
pub mod hello;
pub mod listen;
pub mod notices;
pub mod questions;
pub mod sampling;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod tools;
