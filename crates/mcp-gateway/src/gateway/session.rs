//! Sessions of the older era. A session is its id and nothing else: a sealed token in which everything is that must be known of
//! it, so that it outlives a restart and is good on every replica, and for nobody but the principal and the endpoint it was
//! made for.

use crate::era::Speaker;
pub use crate::seal::Session;

/// How long an id is good for, whether it is used or not.
pub const SESSION_SECS: u64 = 30 * 24 * 3600;

impl Session {
    /// What its client said of itself.
    #[must_use]
    pub fn speaker(&self) -> Speaker {
        Speaker {
            revision: self.revision,
            capabilities: self.capabilities.clone(),
            info: self.info.clone(),
            log_level: None,
        }
    }

    /// Is it good for this principal, at this endpoint, while permissions stand as they do?
    #[must_use]
    pub fn is_good(&self, principal: &str, route: &str, policy_epoch: u64) -> bool {
        self.is_for(principal, route) && self.policy_epoch == policy_epoch
    }
}

#[cfg(test)]
mod tests {
    use crate::era::Revision;
    use crate::wire::Raw;

    use super::*;

    #[test]
    fn a_session_is_good_for_nobody_else_and_nowhere_else() {
        let session = Session {
            id: "s".into(),
            principal: "ada".into(),
            route: "/mcp/servers/time".into(),
            revision: Revision::V2025_11_25,
            capabilities: Raw::empty(),
            info: None,
            policy_epoch: 3,
            expires: 0,
        };
        assert!(session.is_good("ada", "/mcp/servers/time", 3));
        for (principal, route, epoch) in
            [("eve", "/mcp/servers/time", 3), ("ada", "/mcp", 3), ("ada", "/mcp/servers/time", 4)]
        {
            assert!(!session.is_good(principal, route, epoch), "{principal} {route} {epoch}");
        }
    }
}
