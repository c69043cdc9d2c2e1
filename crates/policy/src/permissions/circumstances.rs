//! The circumstances of a call: what the schema calls `context`, each attribute as text for the cache's key and as a value
//! for Cedar.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cedar_policy::{EntityUid, RestrictedExpression};
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::entities::uid;
use super::question::Caller;
use super::words::Kind;

/// When, from where and with what a call is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances<'a> {
    /// Unix seconds.
    pub unix_secs: u64,
    /// Where the call comes from.
    pub address: Option<IpAddr>,
    /// Is a stream asked for?
    pub stream: bool,
    /// Estimated input tokens.
    pub input_tokens: u64,
    /// The most output the call allows, where it says so.
    pub output_cap: Option<u64>,
    /// The arguments of a tool call, top level, as text.
    pub arguments: Option<&'a BTreeMap<String, String>>,
}

/// An attribute of `context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Time,
    Now,
    Hour,
    Weekday,
    Address,
    Organisation,
    Team,
    User,
    Agent,
    Act,
    Tags,
    Stream,
    InputTokens,
    OutputCap,
    Arguments,
}

impl Attribute {
    pub(super) const ALL: [Self; 15] = [
        Self::Time,
        Self::Now,
        Self::Hour,
        Self::Weekday,
        Self::Address,
        Self::Organisation,
        Self::Team,
        Self::User,
        Self::Agent,
        Self::Act,
        Self::Tags,
        Self::Stream,
        Self::InputTokens,
        Self::OutputCap,
        Self::Arguments,
    ];

    /// Its name in the schema.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Now => "now",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
            Self::Address => "address",
            Self::Organisation => "organisation",
            Self::Team => "team",
            Self::User => "user",
            Self::Agent => "agent",
            Self::Act => "act",
            Self::Tags => "tags",
            Self::Stream => "stream",
            Self::InputTokens => "input_tokens",
            Self::OutputCap => "output_cap",
            Self::Arguments => "arguments",
        }
    }

    /// Appends what can differ between two calls of the same caller; who calls is in the key anyway.
    pub(super) fn write_key(self, from: &Circumstances<'_>, key: &mut Vec<u8>) {
        match self {
            Self::Time | Self::Now => key.extend_from_slice(&from.unix_secs.to_le_bytes()),
            Self::Hour | Self::Weekday => key.extend_from_slice(&(from.unix_secs / 3600).to_le_bytes()),
            Self::Address => match from.address {
                None => key.push(0),
                Some(IpAddr::V4(address)) => {
                    key.push(4);
                    key.extend_from_slice(&address.octets());
                }
                Some(IpAddr::V6(address)) => {
                    key.push(6);
                    key.extend_from_slice(&address.octets());
                }
            },
            Self::Stream => key.push(from.stream.into()),
            Self::InputTokens => key.extend_from_slice(&from.input_tokens.to_le_bytes()),
            Self::OutputCap => {
                key.push(from.output_cap.is_some().into());
                key.extend_from_slice(&from.output_cap.unwrap_or_default().to_le_bytes());
            }
            // With arguments nothing is kept, where a policy reads them.
            Self::Arguments | Self::Organisation | Self::Team | Self::User | Self::Agent | Self::Act | Self::Tags => {}
        }
    }

    /// Its value; `None` where it is optional and not known.
    pub(super) fn value(self, from: &Circumstances<'_>, caller: &Caller<'_>) -> Option<RestrictedExpression> {
        let entity = |kind, name: Option<&str>| uid(kind, name?).map(RestrictedExpression::new_entity_uid);
        let long = |count: u64| RestrictedExpression::new_long(i64::try_from(count).unwrap_or(i64::MAX));
        let local = || moment(from.unix_secs).to_zoned(TimeZone::UTC);
        Some(match self {
            Self::Time => long(from.unix_secs),
            Self::Now => RestrictedExpression::new_datetime(rfc3339(moment(from.unix_secs))),
            Self::Hour => RestrictedExpression::new_long(local().hour().into()),
            Self::Weekday => RestrictedExpression::new_string(day(local().weekday()).to_owned()),
            Self::Address => RestrictedExpression::new_ip(from.address?.to_canonical().to_string()),
            Self::Organisation => entity(Kind::Organisation, caller.organisation)?,
            Self::Team => entity(Kind::Team, caller.team)?,
            Self::User => entity(Kind::User, caller.user)?,
            Self::Agent => entity(Kind::Agent, caller.agent)?,
            Self::Act => texts(caller.act.iter().map(|actor| format!("{}:{}", actor.kind.as_str(), actor.name))),
            Self::Tags => texts(caller.tags.into_iter().flat_map(|tags| tags.split(',')).map(str::to_owned)),
            Self::Stream => RestrictedExpression::new_bool(from.stream),
            Self::InputTokens => long(from.input_tokens),
            Self::OutputCap => long(from.output_cap?),
            Self::Arguments => {
                from.arguments?;
                RestrictedExpression::new_entity_uid(arguments_uid()?)
            }
        })
    }
}

fn texts(texts: impl Iterator<Item = String>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(RestrictedExpression::new_string))
}

/// The one entity that holds the arguments of the call.
pub(super) fn arguments_uid() -> Option<EntityUid> {
    uid(Kind::Arguments, "call")
}

/// A moment beyond the calendar is its last one.
fn moment(unix_secs: u64) -> Timestamp {
    i64::try_from(unix_secs).ok().and_then(|secs| Timestamp::from_second(secs).ok()).unwrap_or(Timestamp::MAX)
}

/// As Cedar reads it: no fraction, `Z`.
fn rfc3339(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

const fn day(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}
