//! The four cells of the bridge, at the level of values.

mod answers;
mod hello;
mod notices;
mod questions;
mod tasks;

use serde_json::{Value, json};

use super::answers::Dress;
use crate::era::Revision;
use crate::wire::Raw;

const MODERN: Revision = Revision::V2026_07_28;
const LEGACY: Revision = Revision::V2025_11_25;
const OLD: Revision = Revision::V2025_03_26;

fn raw(value: &Value) -> Raw {
    Raw::of(value)
}

fn dress() -> Dress {
    Dress {
        server_info: Some(raw(&json!({ "name": "gatehouse", "version": "1" }))),
        ttl_ms: 5000,
        public: false,
        client: None,
    }
}
