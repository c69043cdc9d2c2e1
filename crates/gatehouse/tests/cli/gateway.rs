//! Commands that talk to a running gateway or open its data folder.
