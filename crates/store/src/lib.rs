//! Every table and the ledger journal.
//!
//! - [`DataDir`]: the folder everything durable lives in, private to its owner, used by one gateway at a time.
//! - [`Store`]: the database. Each file under `tables/` is one table and the questions asked of it.
//! - [`journal`]: the write-ahead journal of upstream attempts, written on the data path without a system call.
//! - [`Shipper`]: carries the journal into the ledger table, exactly one row per attempt.
//! - [`audit`]: the audit log, hash-chained and signed, and what finds out whether it is still what was written.
//! - [`vault`]: secrets at rest, under envelope encryption.
//! - [`keys`]: minting, recognising and hashing API keys; [`Pepper`] is the secret they are hashed with.
//!
//! ```text
//! data core ── intent, settle ──▶ JournalWriter ─▶ mapped segment ─▶ Shipper ─▶ ledger table
//!                                                     ▲ prepared and synced by the Journal's threads
//! ```

pub mod audit;
mod data_dir;
mod database;
mod error;
pub mod export;
mod hex;
pub mod journal;
pub mod keys;
mod secret_file;
mod shipper;
mod tables;
pub mod vault;

#[cfg(test)]
mod tests;

pub use data_dir::{DataDir, DataDirLock};
pub use database::Store;
pub use error::StoreError;
pub use secret_file::{Pepper, TokenKey};
pub use shipper::{Drained, Recovery, Shipper, ShipperConfig, ShipperStats};
pub use tables::corrections::{Reprice, Repriced};
pub use tables::keys::{KeyRecord, NewKey};
pub use tables::ledger::{LatestQuery, LedgerEntry};
pub use tables::mcp_catalogue::{ListsRow, NameRow};
pub use tables::mcp_connections::{McpConnection, McpConnectionKey, McpConnectionState, McpTokens};
pub use tables::mcp_pins::{PinRow, PinnedItem};
pub use tables::mcp_results::{KeptResult, ResultPiece};
pub use tables::oauth::OAuthKeep;
pub use tables::oauth::clients::OAuthClientRow;
pub use tables::oauth::grants::{OAuthGrantQuery, OAuthGrantRow, OAuthRefreshRow};
pub use tables::oauth::tickets::Taken;
pub use tables::objects::{ObjectEdit, StoredObject};
pub use tables::requests::{RequestEntry, RequestFilter, RequestLog, RequestRow, RunSums};
pub use tables::responses::{ResponseChange, StoredResponse};
pub use tables::spending::{Span, Spender, Spent};
pub use tables::usage::{UnknownDimension, UsageDimension, UsageQuery, UsageRow};
