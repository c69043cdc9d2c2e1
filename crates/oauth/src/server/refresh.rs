//! How a grant lives on: each refresh token is used once and replaced by its successor (OAuth 2.1 §4.3.1).
//!
//! An answer can get lost, and two processes of one client can refresh at once; punishing either with a new login is what people
//! complain of most. So the successor of a token is a function of it and of a secret of the gateway: for a short while, the same
//! token gives the same successor again. After that while, or once the successor was used, somebody has a copy: the whole family
//! is revoked.

/// What is known of a refresh token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When it was used first, in Unix milliseconds.
    pub used_unix_ms: Option<u64>,
    /// Was its successor used?
    pub successor_used: bool,
    /// When the grant ends.
    pub expires_unix_ms: u64,
    /// Was the grant revoked?
    pub revoked: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is used now, and its successor given.
    Rotate,
    /// Its successor is given once more.
    Repeat,
    /// Somebody has a copy: the grant ends here.
    Revoke,
    /// It is good for nothing.
    Refuse,
}

impl Standing {
    /// What to do with the token, now.
    #[must_use]
    pub const fn judge(&self, now_unix_ms: u64, grace_ms: u64) -> Verdict {
        if self.revoked || now_unix_ms >= self.expires_unix_ms {
            return Verdict::Refuse;
        }
        match self.used_unix_ms {
            None => Verdict::Rotate,
            Some(used) if !self.successor_used && now_unix_ms.saturating_sub(used) <= grace_ms => Verdict::Repeat,
            Some(_) => Verdict::Revoke,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Standing =
        Standing { used_unix_ms: None, successor_used: false, expires_unix_ms: 100_000, revoked: false };

    #[test]
    fn a_token_is_used_once() {
        assert_eq!(FRESH.judge(50_000, 30_000), Verdict::Rotate);
    }

    #[test]
    fn a_lost_answer_is_given_again_for_a_while() {
        let used = Standing { used_unix_ms: Some(50_000), ..FRESH };
        assert_eq!(used.judge(80_000, 30_000), Verdict::Repeat);
        assert_eq!(used.judge(80_001, 30_000), Verdict::Revoke);
    }

    #[test]
    fn a_token_whose_successor_was_used_is_a_copy() {
        let copied = Standing { used_unix_ms: Some(50_000), successor_used: true, ..FRESH };
        assert_eq!(copied.judge(50_001, 30_000), Verdict::Revoke);
    }

    #[test]
    fn a_grant_that_ended_gives_nothing() {
        assert_eq!(FRESH.judge(100_000, 30_000), Verdict::Refuse);
        assert_eq!(Standing { revoked: true, ..FRESH }.judge(1, 30_000), Verdict::Refuse);
    }
}
