//! Whose a connection is.

use gatehouse_domain::{Principal, PrincipalKind};

/// Nobody in particular.
pub(super) const ANONYMOUS: &str = "anonymous";

/// The person a caller is or acts for; else the agent or service account; else the key alone. People keep their connections
/// whichever of their keys they come with.
pub(crate) fn owner(principal: &Principal) -> String {
    let named =
        [("user", &principal.user), ("agent", &principal.agent), ("service_account", &principal.service_account)];
    for (kind, name) in named {
        if let Some(name) = name {
            return format!("{kind}/{name}");
        }
    }
    match principal.kind {
        PrincipalKind::Anonymous => ANONYMOUS.to_owned(),
        _ => format!("key/{}", principal.key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_of_a_person_share_and_two_persons_never_do() {
        let person = |key: &str, user: Option<&str>| {
            let mut principal = Principal::bare(PrincipalKind::User, key, "name");
            principal.user = user.map(Into::into);
            owner(&principal)
        };
        assert_eq!(person("k1", Some("alice")), person("k2", Some("alice")));
        assert_ne!(person("k1", Some("alice")), person("k1", Some("bob")));
        assert_ne!(person("k1", None), person("k2", None));
        assert_ne!(person("alice", None), person("k", Some("alice")));
    }
}
