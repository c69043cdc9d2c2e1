//! Bearer tokens of identity providers (JSON Web Tokens, RFC 7519 and RFC 8725): keys + token + now → who it is.
//!
//! Pure: the control plane fetches an issuer's keys and hands them in. Start reading at [`Token::read`] and
//! [`Token::verify`].

mod claims;
mod keyring;
mod strict;
#[cfg(test)]
mod tests;
mod token;

pub use claims::{ClaimNames, Expected, Identity, Issuer, Own};
pub use keyring::{Keyring, KeyringError};
pub use token::{Token, TokenFault, looks_like_token};

/// How a token may be signed. Neither `none` nor anything with a shared secret is among them.
pub use jsonwebtoken::Algorithm;
