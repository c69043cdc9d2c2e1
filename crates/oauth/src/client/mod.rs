//! The side of a client: of the authorization servers that MCP servers name.
//!
//! What an MCP server and its authorization server say is hostile until it is judged; each file is one judge or one
//! sentence of ours, in the order in which they are needed:
//!
//! `place` which addresses may be asked at all → `challenge` what a 401 or 403 wants → `discovery` where documents are looked
//! for → `metadata` which of them are believed → `registration` as whom we come → `authorize` the page the person visits, and
//! what comes back from it → `token` every question to a token endpoint, and its answers → `revocation` tokens given back.
//!
//! Nothing here fetches, waits or remembers: `gatehouse-mcp-proxy` does.

mod assertion;
mod authorize;
mod challenge;
mod discovery;
mod form;
mod metadata;
mod place;
mod registration;
mod revocation;
mod scopes;
mod token;

pub use assertion::{AssertionFault, ClientKey};
pub use authorize::{Callback, CallbackFault, Expected, Visit, authorization_url};
pub use challenge::Challenge;
pub use discovery::{issuer_documents, resource_documents};
pub use metadata::{Disbelief, IssuerMetadata, ResourceMetadata};
pub use place::{NoPlace, Place};
pub use registration::{
    Client, ClientAuth, Configured, DOCUMENT_PATH, Registration, RegistrationFault, client_document, read_registration,
    register, registration_request,
};
pub use revocation::revocation_request;
pub use scopes::{Scopes, scopes_to_ask};
pub use token::{Grant, Issued, TokenFault, TokenRequest, read_issued, token_request};
