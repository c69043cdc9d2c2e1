//! `alerts`: names and addresses.

use std::collections::HashMap;

use super::address::endpoint;
use crate::check::{Check, nth};
use crate::config::Alert;
use crate::written::{self, AlertOn};

pub(super) fn all(alerts: Vec<written::Alert>, check: &mut Check) -> Vec<Alert> {
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut resolved = Vec::with_capacity(alerts.len());
    for (n, alert) in alerts.into_iter().enumerate() {
        let path = nth("alerts", n);
        if alert.name.is_empty() {
            check.error_at(&format!("{path}.name"), "empty", Some("logs and metrics say it".to_owned()));
        }
        if let Some(first) = names.insert(alert.name.clone(), n) {
            let message = format!("alerts[{first}] has the name `{}` already", alert.name);
            check.error_at(&format!("{path}.name"), message, Some("names are unique".to_owned()));
        }
        let secret = alert.secret.map(|secret| secret.0).filter(|secret| !secret.reveal().is_empty());
        let Some(url) = endpoint(&format!("{path}.url"), &alert.url, check) else { continue };
        let on = if alert.on.is_empty() { AlertOn::ALL.to_vec() } else { alert.on };
        resolved.push(Alert { name: alert.name.into(), url, secret, on, allow_private: alert.allow_private });
    }
    resolved
}
