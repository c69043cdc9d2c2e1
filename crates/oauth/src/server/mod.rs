//! The side of a server: of our own authorization server, and of our resources. Values in, values out; the routes are in
//! `gatehouse-server`, the tables in `gatehouse-store`.
//!
//! Start reading at [`authorize`] (what a client may ask for), [`token`] (what it gets for what) and [`refresh`] (how a grant
//! lives on).

pub mod assertion;
pub mod authorize;
pub mod client;
pub mod form;
pub mod html;
pub mod jwt;
pub mod metadata;
mod oops;
pub mod pages;
pub mod redirect;
pub mod refresh;
pub mod resource;
pub mod subject;
pub mod token;

pub use form::Form;
pub use oops::{Oops, Wrong};
pub use subject::Subject;
