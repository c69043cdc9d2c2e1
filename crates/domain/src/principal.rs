//! Who calls.

use std::sync::Arc;

/// The id of a key: a short public name that may be logged. Never the key itself.
pub type KeyId = Arc<str>;

/// The kinds of caller the vocabulary knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A key that belongs to nobody in particular.
    Service,
    /// A person.
    User,
    /// An agent, perhaps on behalf of a person.
    Agent,
    /// A caller without any credential, where the configuration lets those in.
    Anonymous,
}

/// Who calls, as the authenticate stage established it.
#[derive(Clone, Debug)]
pub struct Principal {
    /// What kind of caller.
    pub kind: PrincipalKind,
    /// The key's id; `anonymous` for keyless callers.
    pub key: KeyId,
    /// The key's name as people wrote it.
    pub name: Arc<str>,
    /// The team the key belongs to, if any.
    pub team: Option<Arc<str>>,
    /// The index of the caller's meter (limits and budget) in the snapshot.
    pub meter: Option<usize>,
    /// May this caller use the admin API?
    pub admin: bool,
}
