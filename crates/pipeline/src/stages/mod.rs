//! The stages, one file each, in the order in which a call passes them.

pub(crate) mod admit;
pub(crate) mod authenticate;
pub(crate) mod background;
pub(crate) mod read;
pub(crate) mod recall;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod send;
