//! Listeners, TLS, routes, admin API.
