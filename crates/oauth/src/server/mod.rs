//! The side of a server: of our own authorization server, and of our resources.
