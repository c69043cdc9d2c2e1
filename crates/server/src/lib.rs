//! Sockets on the caller's side: listeners, TLS, the data plane's cores and the control plane's router.

pub mod admin;
pub mod control;
mod cores;
pub mod demo;
mod io;
mod listener;
mod lookout;
pub mod moment;
pub mod oauth;
pub mod secrets;
mod service;
mod tls;

pub use cores::{CoreSeed, Cores, Drained};
pub use listener::{Caps, bind};
pub use service::{ControlPlane, Peer, Serves};
pub use tls::{TlsFiles, TlsReload};
