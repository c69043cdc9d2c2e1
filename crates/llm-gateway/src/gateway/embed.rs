//! A call for embeddings: forwarded where the provider speaks the caller's dialect, translated where it does not.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{
    Action, Asked, Blame, Call, Code, End, Fault, Head, Judgement, Look, Metered, Money, Need, Now, Outbound, Point,
    Relay, Reply, Request, Screen, ServiceTier, Target, Usage, WriteContext,
};
use http::HeaderMap;

use super::blueprint::{Built, Facts};
use super::forward::{HEADERS, forwarded_headers};
use super::{peek, refuse};
use crate::dialects::embeddings::{self, EmbedDialect};
use crate::form::{Dropped, EmbedAsk};
use crate::providers::{self, DialectName, Operation};
use crate::{dialects, estimate, passages, scan};

/// One call for vectors.
pub(crate) struct EmbedCall {
    built: Arc<Built>,
    request: Request,
    own: DialectName,
    ask: Arc<EmbedAsk>,
    model_at: Option<std::ops::Range<usize>>,
    entry: Option<usize>,
    matched: Option<String>,
    need: Need,
    strict: bool,
    route: Option<Arc<str>>,
    dropped: Vec<String>,
    current: Option<Arc<Facts>>,
    spoken: DialectName,
}

impl EmbedCall {
    pub(crate) fn new(built: Arc<Built>, request: Request, own: DialectName) -> Result<Self, Fault> {
        let peek = peek::peek(&request.body)?;
        let mut ask = (dialect(own).read_ask)(&request.body)?;
        if let Some(subject) = &request.door.subject {
            ask.model.clone_from(subject);
        }
        if ask.model.is_empty() {
            return Err(refuse::no_model());
        }
        let found = built.find(&ask.model).map(|(entry, matched)| (entry, matched.map(str::to_owned)));
        let need = Need {
            action: Action::CallModel,
            resource: ask.model.as_str().into(),
            known: found.is_some(),
            stream: false,
            input_tokens: estimate::estimate_bytes(request.body.len() as u64),
            output_cap: Some(0),
        };
        let strict = request.headers.get("x-gatehouse-strict").is_some_and(|value| value == "true");
        // Gemini carries the model in the path, and may repeat it in the body.
        let model_at = peek.model_at.filter(|_| own != DialectName::Gemini);
        let (entry, matched) = found.map_or((None, None), |(entry, matched)| (Some(entry), matched));
        Ok(Self {
            built,
            request,
            own,
            ask: Arc::new(ask),
            model_at,
            entry,
            matched,
            need,
            strict,
            route: None,
            dropped: Vec::new(),
            current: None,
            spoken: own,
        })
    }

    fn operation(&self) -> Operation {
        Operation::Embed { many: !self.ask.single || self.ask.inputs.len() != 1 }
    }

    fn forward(&mut self, facts: &Facts) -> Bytes {
        self.dropped.clear();
        match &self.model_at {
            Some(at) => scan::splice(&self.request.body, at.clone(), &facts.model_json).into(),
            None => self.request.body.clone(),
        }
    }

    fn translate(&mut self, facts: &Facts) -> Result<Bytes, Fault> {
        let mut dropped = Dropped::default();
        let body = (dialect(self.spoken).write_ask)(&self.ask, &facts.target.model, &mut dropped)?;
        if self.strict && !dropped.is_empty() {
            return Err(refuse::not_translatable(&dropped, &facts.target.provider));
        }
        self.dropped = dropped.names().to_vec();
        Ok(body.into())
    }

    /// Gemini's body names the model again where several inputs are sent, so it is written anew under another name.
    fn forwards(&self) -> bool {
        self.spoken == self.own && self.own != DialectName::Gemini
    }
}

/// The embedding dialect that goes with a caller's dialect.
fn dialect(name: DialectName) -> &'static EmbedDialect {
    match name {
        DialectName::Gemini => &embeddings::gemini::DIALECT,
        DialectName::Cohere => &embeddings::cohere::DIALECT,
        _ => &embeddings::openai::DIALECT,
    }
}

impl Asked for EmbedCall {
    fn need(&self) -> &Need {
        &self.need
    }

    fn ceiling(&self) -> Option<Money> {
        let dearest = |target: usize| {
            let facts = self.built.facts.get(target)?;
            facts
                .prices
                .at(self.request.now)
                .map(|price| price.ceiling(self.need.input_tokens, 0, ServiceTier::Standard))
        };
        self.built.entries[self.entry?].targets().filter_map(dearest).max()
    }

    fn body(&self) -> Option<&[u8]> {
        Some(&self.request.body)
    }

    fn redirect(&mut self, model: &str) -> bool {
        let Some((entry, matched)) = self.built.find(model) else { return false };
        (self.entry, self.matched) = (Some(entry), matched.map(str::to_owned));
        self.need.resource = model.into();
        self.need.known = true;
        Arc::make_mut(&mut self.ask).model = model.to_owned();
        true
    }

    fn review(&mut self, look: &mut Look<'_>) -> Result<(), Fault> {
        let Some(body) = passages::review(&self.request.body, Point::Request, look)? else { return Ok(()) };
        let model = self.ask.model.clone();
        self.ask = Arc::new(EmbedAsk { model, ..(dialect(self.own).read_ask)(&body)? });
        self.model_at = peek::peek(&body)?.model_at.filter(|_| self.own != DialectName::Gemini);
        self.request.body = body.into();
        Ok(())
    }
}

impl Call for EmbedCall {
    fn local(&mut self, _: &dyn Fn(&str) -> bool, _: Now) -> Option<Result<Reply, Fault>> {
        None
    }

    fn plan(&mut self, facts: &gatehouse_domain::Facts<'_>) -> Result<Vec<usize>, Fault> {
        let Some(entry) = self.entry else { return Ok(Vec::new()) };
        let route = &self.built.entries[entry].route;
        let plan = gatehouse_llm_router::plan(route, facts)?;
        self.route = Some(plan.route(route));
        self.built.priced(plan.order, &self.need.resource, self.matched.as_deref(), facts.now)
    }

    fn target(&self, index: usize) -> Option<Arc<Target>> {
        self.built.facts(index, self.matched.as_deref()).map(|facts| Arc::clone(&facts.target))
    }

    fn route(&self) -> Option<Arc<str>> {
        self.route.clone()
    }

    fn write(&mut self, target: &Target, context: &WriteContext<'_>) -> Result<Outbound, Fault> {
        let facts = self.built.facts(target.index, self.matched.as_deref()).ok_or_else(refuse::defect)?;
        let provider = Arc::clone(&facts.provider);
        let operation = self.operation();
        self.spoken =
            provider.kind.dialect_offering(operation, self.own, &provider.place, &facts.target.model).ok_or_else(
                || Fault::new(Code::NotTranslatable, format!("the provider `{}` makes no embeddings", target.provider)),
            )?;
        let body = if self.forwards() { self.forward(&facts) } else { self.translate(&facts)? };
        let ask = providers::Ask {
            model: &facts.target.model,
            dialect: self.spoken,
            operation,
            client_headers: &self.request.headers,
            path: None,
        };
        let outbound = providers::outbound(&provider, ask, body, context)?;
        self.current = Some(facts);
        Ok(outbound)
    }

    /// Vectors have no texts to look at.
    fn relay(&mut self, _: &Target, _: &Head, _: Now, _: Option<Box<dyn Screen>>) -> Box<dyn Relay> {
        Box::new(EmbedRelay {
            from: dialect(self.spoken),
            to: (self.spoken != self.own || !self.forwards()).then(|| dialect(self.own)),
            ask: Arc::clone(&self.ask),
            input_estimate: self.need.input_tokens,
            metered: Metered::default(),
        })
    }

    fn judge(&self, target: &Target, head: &Head, body: &[u8]) -> Judgement {
        let facts = self.current.as_ref().filter(|facts| facts.target.index == target.index);
        let body = &*facts.map_or(Cow::Borrowed(body), |facts| providers::hide(&facts.provider, body));
        let said = (dialects::of(self.spoken).read_error)(head.status.as_u16(), body);
        let (fault, blame) = providers::judge(&target.origin, head, body, &said, self.request.now);
        let same = self.spoken == self.own && blame == Blame::Caller;
        let verbatim = (same && body.first() == Some(&b'{')).then(|| Bytes::copy_from_slice(body));
        Judgement { fault, blame, verbatim }
    }

    fn refuse(&self, fault: &Fault) -> Reply {
        refuse::refuse(self.own, fault)
    }

    fn price(&self, target: &Target, usage: &Usage, now: Now) -> Option<Money> {
        let facts = self.current.as_ref().filter(|facts| facts.target.index == target.index)?;
        facts.prices.at(now).map(|price| price.cost(usage, now))
    }

    fn dropped(&self) -> &[String] {
        &self.dropped
    }
}

/// The answer: read for its usage, and written anew only for a caller of another dialect (`to`).
struct EmbedRelay {
    from: &'static EmbedDialect,
    to: Option<&'static EmbedDialect>,
    ask: Arc<EmbedAsk>,
    input_estimate: u64,
    metered: Metered,
}

impl Relay for EmbedRelay {
    fn streams(&self) -> bool {
        false
    }

    fn headers(&self, upstream: &HeaderMap) -> HeaderMap {
        forwarded_headers(upstream, "application/json", HEADERS)
    }

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        let answer = (self.from.read_answer)(&bytes)?;
        let estimated = answer.usage.is_empty();
        let usage = if estimated { Usage { input: self.input_estimate, ..Usage::default() } } else { answer.usage };
        self.metered = Metered { usage, estimated, complete: true, ..Metered::default() };
        out.push(match self.to {
            Some(to) => (to.write_answer)(&answer, &self.ask).into(),
            None => bytes,
        });
        Ok(())
    }

    fn finish(&mut self, _: End<'_>, _: &mut Vec<Bytes>) -> Metered {
        self.metered.clone()
    }
}
