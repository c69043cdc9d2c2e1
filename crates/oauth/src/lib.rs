//! OAuth as values, both ways: what our authorization server says and checks ([`server`]), what our client asks and believes
//! ([`client`]).

pub mod client;
pub mod server;
