//! Every outbound connection: pools, TLS, timeouts, breakers.
