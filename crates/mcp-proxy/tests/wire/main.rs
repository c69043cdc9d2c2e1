//! Links at the wire: scripted servers on loopback and scripted children, good ones and bad ones.

mod http_legacy;
mod http_modern;
mod links;
mod people;
mod script;
mod sse;
mod stdio;
