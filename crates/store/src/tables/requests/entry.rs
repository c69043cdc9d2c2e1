//! Writing the request log. What repeats from call to call, who called what and how it ended, is a call's *subject*: it
//! gets a number once a day, and a row is that number and what is the call's own. So a row is nine numbers instead of
//! two dozen values, most of them text.
//!
//! What callers choose freely (their run and tags, a model nobody serves) and what guardrails found stands in the row: a
//! subject must be something there are few of.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, OnceLock};

use foldhash::HashSet;
use gatehouse_domain::{AttemptOutcome, CallOutcome, GuardrailRun, Money, Principal, RequestId};
use sqlx::Connection as _;

use super::json;
use crate::database::signed;
use crate::tables::inserts::{Inserts, Values};
use crate::{Store, StoreError};

/// Bytes of a name: the model is the caller's word.
const NAME_MAX: usize = 256;
/// Subjects remembered at most before those no row waits for are forgotten.
const MOST_SUBJECTS: usize = 4_096;
pub(super) const DAY_MS: u64 = 86_400_000;

/// Where calls become entries of the request log. Remembers subjects, with their numbers.
#[derive(Debug, Default)]
pub struct RequestLog {
    subjects: HashSet<Known>,
}

/// A call on its way into the log: what an entry takes while it waits is next to nothing of what a call took.
#[derive(Debug)]
pub struct RequestEntry {
    id: RequestId,
    subject: Arc<Numbered>,
    started_unix_ms: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost: Money,
    duration_us: u64,
    first_byte_us: u64,
    overhead_us: u64,
    /// What few calls have.
    own: Option<Box<Own>>,
}

/// Texts of one call alone.
#[derive(Debug, Default, PartialEq, Eq)]
struct Own {
    run: Option<String>,
    tags: Option<String>,
    model: Option<String>,
    guardrails: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Subject {
    day: u64,
    caller: Caller,
    dialect: &'static str,
    operation: &'static str,
    /// `None` if nobody was asked.
    model: Option<Arc<str>>,
    provider: Option<Arc<str>>,
    upstream_model: Option<Arc<str>>,
    stream: bool,
    status: u16,
    code: Option<&'static str>,
    attempts: usize,
    /// Those that found nothing.
    guardrails: Vec<GuardrailRun>,
    decision: Option<Arc<str>>,
}

/// A caller, compared by what the log says of it.
#[derive(Debug)]
struct Caller(Arc<Principal>);

/// A subject, and its number in the database once that is known.
#[derive(Debug)]
struct Numbered {
    subject: Subject,
    number: OnceLock<i64>,
}

/// A subject that is found by its value.
#[derive(Debug)]
struct Known(Arc<Numbered>);

impl RequestLog {
    /// The entry of a call; `None` if nobody knows who called.
    pub fn entry(&mut self, mut call: CallOutcome) -> Option<RequestEntry> {
        let who = call.who.take()?;
        let sum = |count: fn(&AttemptOutcome) -> u64| call.attempts.iter().map(count).fold(0, u64::saturating_add);
        let (input_tokens, output_tokens) =
            (sum(|attempt| attempt.usage.input_total()), sum(|attempt| attempt.usage.output_total()));
        let own = Own::of(&mut call, &who);
        Some(RequestEntry {
            id: call.id,
            started_unix_ms: call.started_unix_ms,
            input_tokens,
            output_tokens,
            cost: call.attempts.iter().map(|attempt| attempt.cost).sum(),
            duration_us: call.duration_us,
            first_byte_us: call.first_byte_us,
            overhead_us: call.overhead_us,
            own: (own != Own::default()).then(|| Box::new(own)),
            subject: self.subject(Subject::of(call, who)),
        })
    }

    fn subject(&mut self, subject: Subject) -> Arc<Numbered> {
        if let Some(Known(known)) = self.subjects.get(&subject) {
            return Arc::clone(known);
        }
        if self.subjects.len() >= MOST_SUBJECTS {
            self.subjects.retain(|Known(known)| Arc::strong_count(known) > 1);
        }
        let numbered = Arc::new(Numbered { subject, number: OnceLock::new() });
        self.subjects.insert(Known(Arc::clone(&numbered)));
        numbered
    }
}

impl Store {
    /// Adds calls to the request log in one transaction; one that is there already stays as it is.
    ///
    /// First those with no text of their own, then the others, each in the order of their ids: few statements are cheaper than
    /// many, and appending to the end of a table is cheaper than inserting near it.
    ///
    /// # Errors
    /// When the database fails; then none was added.
    pub async fn insert_requests(&self, entries: &[RequestEntry]) -> Result<(), StoreError> {
        // References are sorted, as an entry is eleven times as large.
        let mut entries: Vec<&RequestEntry> = entries.iter().collect();
        entries.sort_unstable_by_key(|entry| (entry.own.is_some(), entry.id.0.as_u128()));
        let (plain, others) = entries.split_at(entries.partition_point(|entry| entry.own.is_none()));
        let mut connection = self.behind.acquire().await?;
        for Numbered { subject, number } in entries.iter().map(|entry| &*entry.subject) {
            if number.get().is_none() {
                let new = subject.number(&mut connection).await?;
                number.get_or_init(|| new);
            }
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        PLAIN.run(&mut transaction, plain, |values, entry| entry.bind(values)).await?;
        WITH_OWN.run(&mut transaction, others, |values, entry| entry.bind(values)).await?;
        Ok(transaction.commit().await?)
    }
}

static PLAIN: LazyLock<Inserts> = LazyLock::new(|| inserts("", ""));
static WITH_OWN: LazyLock<Inserts> = LazyLock::new(|| inserts(", run, tags, model, guardrails", ", ?, ?, ?, ?"));

fn inserts(more: &str, places: &str) -> Inserts {
    let columns = "id, subject, started_ms, input, output, cost_nano_usd, duration_us, first_byte_us, overhead_us";
    let head = format!("INSERT INTO requests ({columns}{more})");
    Inserts::new(&head, &format!("(?, ?, ?, ?, ?, ?, ?, ?, ?{places})"), "ON CONFLICT DO NOTHING")
}

impl RequestEntry {
    fn bind(&self, values: &mut Values) {
        values
            .bind(&self.id.0.as_bytes()[..])
            // Every subject of a batch has its number before the first row is written.
            .bind(self.subject.number.get().copied().unwrap_or_default())
            .bind(signed(self.started_unix_ms))
            .bind(signed(self.input_tokens))
            .bind(signed(self.output_tokens))
            .bind(self.cost.nano_usd)
            .bind(signed(self.duration_us))
            .bind(signed(self.first_byte_us))
            .bind(signed(self.overhead_us));
        if let Some(own) = &self.own {
            values
                .bind(own.run.as_deref())
                .bind(own.tags.as_deref())
                .bind(own.model.as_deref())
                .bind(own.guardrails.as_deref());
        }
    }
}

impl Own {
    /// Takes out of a call what is its own.
    fn of(call: &mut CallOutcome, who: &Principal) -> Self {
        let found = call.guardrails.iter().any(|run| run.findings > 0);
        Self {
            run: call.run.as_deref().map(cut).filter(|run| !run.is_empty()),
            tags: call.tags.as_deref().filter(|tags| Some(*tags) != who.tags.as_deref()).map(str::to_owned),
            model: call.model.take_if(|_| call.attempts.is_empty()).map(|model| cut(&model)),
            guardrails: found.then(|| json::guardrails(&std::mem::take(&mut call.guardrails))),
        }
    }
}

impl Subject {
    fn of(mut call: CallOutcome, who: Arc<Principal>) -> Self {
        let attempts = call.attempts.len();
        let (provider, upstream_model) =
            call.attempts.pop().map(|attempt| (attempt.provider, attempt.upstream_model)).unzip();
        Self {
            day: call.started_unix_ms / DAY_MS,
            caller: Caller(who),
            dialect: call.dialect,
            operation: call.operation,
            model: call.model,
            provider,
            upstream_model,
            stream: call.stream,
            status: call.status,
            code: call.fault,
            attempts,
            guardrails: call.guardrails,
            decision: call.decision,
        }
    }

    /// Its number, given to it now if it is new.
    async fn number(&self, connection: &mut sqlx::SqliteConnection) -> Result<i64, StoreError> {
        // An update that changes nothing, because a conflict that does nothing returns no row.
        let sql =
            "INSERT INTO request_subjects (day, organisation, team, user, agent, key, tags, dialect, operation, model,
                       provider, upstream_model, stream, status, code, attempts, guardrails, decision)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT DO UPDATE SET stream = excluded.stream RETURNING number";
        let name = |text: &Option<Arc<str>>| text.as_deref().map(cut).unwrap_or_default();
        let [organisation, team, user, agent, key, tags] = self.caller.shown();
        Ok(sqlx::query_scalar(sql)
            .bind(signed(self.day))
            .bind(cut(organisation))
            .bind(cut(team))
            .bind(cut(user))
            .bind(cut(agent))
            .bind(cut(key))
            .bind(tags)
            .bind(self.dialect)
            .bind(self.operation)
            .bind(name(&self.model))
            .bind(name(&self.provider))
            .bind(name(&self.upstream_model))
            .bind(self.stream)
            .bind(self.status)
            .bind(self.code.unwrap_or_default())
            .bind(signed(self.attempts as u64))
            .bind(json::guardrails(&self.guardrails))
            .bind(name(&self.decision))
            .fetch_one(connection)
            .await?)
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(NAME_MAX)].to_owned()
}

impl Caller {
    /// Organisation, team, user, agent, key and tags; empty for none.
    fn shown(&self) -> [&str; 6] {
        let Principal { organisation, team, user, agent, key, tags, .. } = &*self.0;
        let [team, user, agent, tags] = [team, user, agent, tags].map(|name| name.as_deref().unwrap_or_default());
        [organisation, team, user, agent, key, tags]
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.shown() == other.shown()
    }
}

impl Eq for Caller {}

/// Few subjects differ in nothing but what is left out here.
impl Hash for Subject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.caller.0.key.hash(state);
        self.model.hash(state);
        self.upstream_model.hash(state);
        self.status.hash(state);
    }
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.subject.hash(state);
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.subject == other.0.subject
    }
}

impl Eq for Known {}

impl std::borrow::Borrow<Subject> for Known {
    fn borrow(&self) -> &Subject {
        &self.0.subject
    }
}
