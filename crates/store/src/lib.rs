//! Every table and the ledger journal.
