//! Listeners, TLS, routes, admin API.

pub mod admin;
pub mod control;
