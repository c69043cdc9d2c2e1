//! The words of Gatehouse: what a call, a plan, an attempt and an outcome are, and the seams at which the
//! thinking wing (pure gateways) meets the moving wing (sockets, tables).
//!
//! Nothing here does anything: no socket, no clock, no task, no SQL.

mod access;
mod address;
mod call;
mod fault;
mod guard;
mod guests;
mod ids;
mod money;
mod outcome;
mod payer;
mod payload;
mod principal;
mod seam;
mod secret;
mod standing;
mod tags;
mod target;
mod trace;
mod usage;

pub use access::{Access, Challenge, Scopes, Use, split_origin};
pub use address::{IpRange, NoIpRange};
pub use call::{Action, Door, Need, Request};
pub use fault::{Code, Fault};
pub use guard::{Closed, ENCODED, Look, Passage, Place, Point, Screen};
pub use guests::Guests;
pub use ids::{AttemptId, RequestId};
pub use money::{Money, PicoPerToken, PricedPart, WrittenRates};
pub use outcome::{AttemptOutcome, AttemptStatus, CallOutcome, GuardrailRun, Ran};
pub use payer::{On, Payer, PayerKind};
pub use payload::Payload;
pub use principal::{Actor, DEFAULT_ORGANISATION, KeyId, Principal, PrincipalKind, Role, UnknownRole};
pub use seam::{
    Asked, Availability, Background, Blame, Call, End, Facts, Gateway, Head, InnerCall, Judgement, Keep, Kept, Metered,
    Now, Outbound, Relay, Reply, Round, Rounds, Stage, WriteContext,
};
pub use secret::Secret;
pub use standing::{Gauge, Standing};
pub use tags::{TAG_BYTES_MAX, TAGS_MAX, tags};
pub use target::{Origin, Target, Timeouts, TokenGrant, Told};
pub use trace::TraceParent;
pub use usage::{ServiceTier, Usage};
