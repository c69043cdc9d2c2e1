//! The records: compact, versioned by the segment's magic, read without trust.
//!
//! Numbers are LEB128 varints (signed ones zig-zag), texts a varint length and UTF-8. An intent ends in its *subject*, the
//! part that repeats from call to call, so that a reader can recognise it by its bytes and decode it once. A settle holds
//! only what became known since, and is never larger than [`SETTLE_MOST`].

use gatehouse_domain::{AttemptId, AttemptOutcome, AttemptStatus, Money, Principal, ServiceTier, Usage};

use crate::tables::ledger::Subject;

use super::segment::footprint;

const KIND_SETTLE: u8 = 2;
/// 1 was an intent without run, organisation, user, agent and tags.
const KIND_INTENT: u8 = 3;
/// Longer texts are cut: a name of this length is no name.
const LONGEST_TEXT: usize = 400;
/// The most texts of an intent: eleven of its subject, and its run.
const TEXTS: usize = 12;
/// The texts with their lengths, four varints, id, kind and flags.
pub(super) const INTENT_MOST: usize = TEXTS * (LONGEST_TEXT + 2) + 4 * 10 + 16 + 3;
/// The most a settle can take in a segment: kind, id, status, flags, mask, fifteen varints.
pub(super) const SETTLE_MOST: usize = footprint(1 + 16 + 1 + 1 + 2 + 15 * 10);

const ESTIMATED: u8 = 1;
const PRICED: u8 = 2;
/// The service tier's number stands above the flags.
const TIER_SHIFT: u8 = 2;

/// What is known when an attempt is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Intent<'a> {
    /// Primary key of the ledger row.
    pub id: AttemptId,
    /// Unix milliseconds.
    pub started_unix_ms: u64,
    /// Who called.
    pub who: &'a Principal,
    /// The run it belongs to.
    pub run: Option<&'a str>,
    /// Tags of key and call together.
    pub tags: Option<&'a str>,
    /// The model as the client named it.
    pub model: &'a str,
    /// The provider's name.
    pub provider: &'a str,
    /// The provider's model.
    pub upstream_model: &'a str,
    /// The caller's dialect.
    pub dialect: &'a str,
    /// What is asked for.
    pub operation: &'a str,
    /// Streamed answer?
    pub stream: bool,
    /// What the attempt is booked at if this process dies before it has settled: the ceiling it reserved, or an estimate.
    pub reserved: Money,
    /// Is there a price?
    pub priced: bool,
    /// Input tokens, counted or estimated, for the same case.
    pub input_tokens: u64,
}

/// An intent as read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IntentRecord<'a> {
    pub(super) id: u128,
    pub(super) started_ms: u64,
    pub(super) reserved: Money,
    pub(super) priced: bool,
    pub(super) input_tokens: u64,
    /// Empty for none.
    pub(super) run: &'a str,
    /// Decoded by [`read_subject`].
    pub(super) subject: &'a [u8],
}

/// A settle as read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SettleRecord {
    pub(super) id: u128,
    pub(super) status: AttemptStatus,
    pub(super) http_status: u16,
    pub(super) estimated: bool,
    pub(super) priced: bool,
    pub(super) usage: Usage,
    pub(super) cost: Money,
    pub(super) duration_us: u64,
    pub(super) first_byte_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Intent(IntentRecord<'a>),
    Settle(SettleRecord),
}

/// Writes an intent's payload over `out`.
pub(super) fn write_intent(out: &mut Vec<u8>, intent: &Intent<'_>) {
    let head = IntentRecord {
        id: intent.id.0.as_u128(),
        started_ms: intent.started_unix_ms,
        reserved: intent.reserved,
        priced: intent.priced,
        input_tokens: intent.input_tokens,
        run: intent.run.unwrap_or_default(),
        subject: &[],
    };
    write_intent_record(out, &head);
    out.push(u8::from(intent.stream));
    let who = intent.who;
    for text in [
        &*who.key,
        &*who.organisation,
        who.team.as_deref().unwrap_or_default(),
        who.user.as_deref().unwrap_or_default(),
        who.agent.as_deref().unwrap_or_default(),
        intent.tags.unwrap_or_default(),
        intent.model,
        intent.provider,
        intent.upstream_model,
        intent.dialect,
        intent.operation,
    ] {
        put_text(out, text);
    }
}

/// Writes an intent that was read before over `out`.
pub(super) fn write_intent_record(out: &mut Vec<u8>, intent: &IntentRecord<'_>) {
    out.clear();
    out.push(KIND_INTENT);
    out.extend_from_slice(&intent.id.to_be_bytes());
    out.push(if intent.priced { PRICED } else { 0 });
    put_number(out, intent.started_ms);
    put_signed(out, intent.reserved.nano_usd);
    put_number(out, intent.input_tokens);
    put_text(out, intent.run);
    out.extend_from_slice(intent.subject);
}

/// Writes a settle's payload over `out`.
pub(super) fn write_settle(out: &mut Vec<u8>, outcome: &AttemptOutcome) {
    out.clear();
    out.push(KIND_SETTLE);
    out.extend_from_slice(outcome.id.0.as_bytes());
    out.push(outcome.status as u8);
    let flags = if outcome.estimated { ESTIMATED } else { 0 } | if outcome.priced { PRICED } else { 0 };
    out.push(flags | (outcome.usage.tier as u8) << TIER_SHIFT);
    put_number(out, u64::from(outcome.http_status));
    put_signed(out, outcome.cost.nano_usd);
    put_number(out, outcome.duration_us);
    put_number(out, outcome.first_byte_us);
    let counters = counters(&outcome.usage);
    let mask = counters.iter().enumerate().fold(0_u16, |mask, (bit, count)| mask | u16::from(*count != 0) << bit);
    out.extend_from_slice(&mask.to_le_bytes());
    for count in counters.into_iter().filter(|count| *count != 0) {
        put_number(out, count);
    }
}

/// Reads a payload; `None` if it is none this version writes.
pub(super) fn read(payload: &[u8]) -> Option<Record<'_>> {
    let mut from = payload;
    match take_byte(&mut from)? {
        KIND_INTENT => read_intent(from).map(Record::Intent),
        KIND_SETTLE => read_settle(from).map(Record::Settle),
        _ => None,
    }
}

fn read_intent(mut from: &[u8]) -> Option<IntentRecord<'_>> {
    let from = &mut from;
    Some(IntentRecord {
        id: take_id(from)?,
        priced: take_byte(from)? & PRICED != 0,
        started_ms: take_number(from)?,
        reserved: Money::from_nano_usd(take_signed(from)?),
        input_tokens: take_number(from)?,
        run: take_str(from)?,
        subject: from,
    })
}

fn read_settle(mut from: &[u8]) -> Option<SettleRecord> {
    let from = &mut from;
    let id = take_id(from)?;
    let status = *AttemptStatus::ALL.get(usize::from(take_byte(from)?))?;
    let flags = take_byte(from)?;
    Some(SettleRecord {
        id,
        status,
        estimated: flags & ESTIMATED != 0,
        priced: flags & PRICED != 0,
        http_status: u16::try_from(take_number(from)?).ok()?,
        cost: Money::from_nano_usd(take_signed(from)?),
        duration_us: take_number(from)?,
        first_byte_us: take_number(from)?,
        usage: Usage { tier: ServiceTier::of_number(flags >> TIER_SHIFT), ..take_usage(from)? },
    })
}

/// Decodes the end of an intent.
pub(super) fn read_subject(mut from: &[u8]) -> Option<Subject> {
    let from = &mut from;
    Some(Subject {
        stream: take_byte(from)? != 0,
        key: take_text(from)?,
        organisation: take_text(from)?,
        team: take_text(from)?,
        user: take_text(from)?,
        agent: take_text(from)?,
        tags: take_text(from)?,
        model: take_text(from)?,
        provider: take_text(from)?,
        upstream_model: take_text(from)?,
        dialect: take_text(from)?,
        operation: take_text(from)?,
    })
}

/// The counters in the order of the mask's bits. New ones go to the end.
fn counters(usage: &Usage) -> [u64; 11] {
    [
        usage.input,
        usage.output,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.reasoning,
        usage.input_audio,
        usage.input_image,
        usage.input_tool,
        usage.output_audio,
        usage.output_image,
    ]
}

fn take_usage(from: &mut &[u8]) -> Option<Usage> {
    let mask = u16::from_le_bytes([take_byte(from)?, take_byte(from)?]);
    let mut counts = [0; 11];
    for (bit, count) in counts.iter_mut().enumerate() {
        if mask & (1 << bit) != 0 {
            *count = take_number(from)?;
        }
    }
    let [input, output, cache_read, cache_write_5m, cache_write_1h, reasoning, rest @ ..] = counts;
    let [input_audio, input_image, input_tool, output_audio, output_image] = rest;
    Some(Usage {
        input,
        cache_read,
        cache_write_5m,
        cache_write_1h,
        input_audio,
        input_image,
        input_tool,
        output,
        reasoning,
        output_audio,
        output_image,
        tier: ServiceTier::Standard,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[expect(clippy::cast_sign_loss, reason = "zig-zag: the sign becomes the lowest bit")]
fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(LONGEST_TEXT)];
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn take_byte(from: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = from.split_first()?;
    *from = rest;
    Some(*byte)
}

fn take_id(from: &mut &[u8]) -> Option<u128> {
    let (id, rest) = from.split_first_chunk::<16>()?;
    *from = rest;
    Some(u128::from_be_bytes(*id))
}

fn take_number(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(from)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[expect(clippy::cast_possible_wrap, reason = "zig-zag: the lowest bit is the sign")]
fn take_signed(from: &mut &[u8]) -> Option<i64> {
    let value = take_number(from)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn take_text(from: &mut &[u8]) -> Option<String> {
    take_str(from).map(str::to_owned)
}

fn take_str<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(from)?).ok()?;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    std::str::from_utf8(text).ok()
}
