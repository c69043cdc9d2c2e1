//! One LLM call: what it needs, where it may go, how it is written for a target and how the answer comes back.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{
    Action, Asked, Background, Blame, Call, Code, Fault, Head, Judgement, Keep, Kept, Look, Metered, Money, Need, Now,
    Outbound, Payload, Point, Relay, Reply, Request, Rounds, Screen, Target, Usage, WriteContext,
};

use http::HeaderName;

use super::blueprint::{Built, Facts};
use super::doors::Entrance;
use super::forward::{Addressee, ForwardStream, ForwardWhole, JsonArray, Named, Pointer};
use super::memory::{Memory, Shelf};
use super::peek::{self, Peek};
use super::screening::Beside;
use super::translate::{TranslateStream, TranslateWhole};
use super::whole_events::{Framing, WholeEvents};
use super::{local, refuse};
use crate::dialects::{self, Dialect, Speaker};
use crate::form::{Ask, Dropped};
use crate::providers::{self, DialectName, Operation, Wants};
use crate::{estimate, passages, rounds, scan};

/// The header by which a caller has a request refused rather than changed.
const STRICT: HeaderName = HeaderName::from_static("x-gatehouse-strict");

/// A conversation to be answered, or its tokens to be counted.
pub(crate) struct ChatCall {
    built: Arc<Built>,
    request: Request,
    entrance: Entrance,
    dialect: &'static Dialect,
    own: DialectName,
    peek: Peek,
    entry: Option<usize>,
    matched: Option<String>,
    need: Need,
    strict: bool,
    route: Option<Arc<str>>,
    ask: Option<Arc<Ask>>,
    dropped: Vec<String>,
    /// Responses only: what is kept for the caller.
    memory: Option<Box<Memory>>,
    /// The facts of the target written for last.
    current: Option<Arc<Facts>>,
    /// The dialect written in last.
    spoken: DialectName,
}

impl ChatCall {
    pub(crate) fn new(
        built: Arc<Built>,
        request: Request,
        entrance: Entrance,
        own: DialectName,
        peek: Peek,
    ) -> Result<Self, Fault> {
        let dialect = dialects::of(own);
        let model = request.door.subject.as_deref().or(peek.model.as_deref()).filter(|model| !model.is_empty());
        let model = model.ok_or_else(refuse::no_model)?;
        let found = built.find(model);
        let resource = match found {
            Some((entry, None)) => Arc::clone(&built.entries[entry].name),
            _ => model.into(),
        };
        let found = found.map(|(entry, matched)| (entry, matched.map(str::to_owned)));
        let stream = entrance == Entrance::ChatStream || peek.stream;
        let need = Need {
            action: Action::CallModel,
            resource,
            known: found.is_some(),
            stream: stream && entrance != Entrance::CountTokens,
            input_tokens: estimate::estimate_bytes(request.body.len() as u64),
            output_cap: peek.output_cap.map(|cap| cap.saturating_mul(peek.n)),
        };
        // Walked rather than looked up: it is hardly ever there, and to hash its name costs more.
        let strict =
            request.headers.iter().find(|(name, _)| **name == STRICT).is_some_and(|(_, value)| value == "true");
        let (entry, matched) = found.map_or((None, None), |(entry, matched)| (Some(entry), matched));
        let memory =
            if own == DialectName::OpenAiResponses { Some(Box::new(Memory::new(entrance, &peek)?)) } else { None };
        Ok(Self {
            built,
            request,
            entrance,
            dialect,
            own,
            peek,
            entry,
            matched,
            need,
            strict,
            route: None,
            ask: None,
            dropped: Vec::new(),
            memory,
            current: None,
            spoken: own,
        })
    }

    fn operation(&self) -> Operation {
        match self.entrance {
            Entrance::CountTokens => Operation::CountTokens,
            _ => Operation::Chat { stream: self.need.stream },
        }
    }

    /// The request in the superset form, read once.
    fn ask(&mut self) -> Result<Arc<Ask>, Fault> {
        if let Some(ask) = &self.ask {
            return Ok(Arc::clone(ask));
        }
        let mut ask = match &mut self.memory {
            Some(memory) if memory.rewrites() => memory.ask(&self.request.body)?,
            _ => (self.dialect.read_ask)(&self.request.body)?,
        };
        ask.model = self.need.resource.to_string();
        ask.stream = self.need.stream;
        let ask = Arc::new(ask);
        self.ask = Some(Arc::clone(&ask));
        Ok(ask)
    }

    fn wants(&self) -> Wants {
        Wants { tools: self.peek.tools, reasoning: self.peek.reasoning }
    }

    /// Same dialect: the client's bytes, with the model's name spliced in.
    fn forward(&mut self, facts: &Facts) -> Payload {
        self.dropped.clear();
        if self.injects_usage(facts) {
            // Put in front, so that the ranges of everything else move by the same length.
            let member: &[u8] = if self.peek.empty {
                br#""stream_options":{"include_usage":true}"#
            } else {
                br#""stream_options":{"include_usage":true},"#
            };
            let body = scan::splice(&self.request.body, self.peek.inside..self.peek.inside, member).into();
            return self.splice_model(&body, facts, member.len());
        }
        self.splice_model(&self.request.body, facts, 0)
    }

    fn splice_model(&self, body: &Bytes, facts: &Facts, moved: usize) -> Payload {
        let Some(at) = &self.peek.model_at else { return body.clone().into() };
        let at = at.start + moved..at.end + moved;
        if body[at.clone()] == facts.model_json {
            return body.clone().into();
        }
        Payload::spliced(body, at, facts.model_json.clone())
    }

    /// Chat streams tell usage only when asked to. A client that set `stream_options` itself is left alone.
    fn injects_usage(&self, facts: &Facts) -> bool {
        self.own == DialectName::OpenAiChat
            && self.need.stream
            && self.peek.stream_options_at.is_none()
            && !facts.quirks(self.own).no_stream_options
    }

    /// Another dialect: by way of the superset form.
    fn translate(&mut self, facts: &Facts, to: DialectName) -> Result<Bytes, Fault> {
        let mut ask = self.ask()?;
        // Nobody else holds it, so that nothing is copied; but for a call in the background, whose caller was told of it.
        self.ask = None;
        let background = self.memory.as_ref().and_then(|memory| memory.hand_over(Arc::make_mut(&mut ask), to));
        let speaker = Speaker {
            model: &facts.target.model,
            stream: self.need.stream,
            issuer: facts.issuer,
            default_output_cap: facts.output_cap(),
            thinking: facts.thinking,
            quirks: facts.quirks(to),
        };
        let mut dropped = Dropped::default();
        let body = (dialects::of(to).write_ask)(&ask, &speaker, &mut dropped);
        let unkept = self.memory.as_ref().is_some_and(|memory| memory.unkept(to));
        dropped.note_if(unkept && self.peek.store == Some(true), "store");
        if let Some(memory) = &self.memory {
            memory.take_back(Arc::make_mut(&mut ask), background, to);
        }
        self.ask = Some(ask);
        let body = body?;
        if self.strict && !dropped.is_empty() {
            return Err(refuse::not_translatable(&dropped, &facts.target.provider));
        }
        // By default everything is to be kept, and a strict client that did not ask for it is not refused for it.
        dropped.note_if(unkept, "store");
        self.dropped = dropped.names().to_vec();
        Ok(body.into())
    }

    fn addressee(&self, facts: &Facts, now: Now) -> Addressee {
        Addressee {
            ask: self.ask.clone(),
            model: Arc::clone(&self.need.resource),
            streams: self.need.stream,
            id: self.request.id,
            created: now.unix_secs(),
            issuer: facts.issuer,
            input_estimate: self.need.input_tokens,
        }
    }

    /// Where the answer of the target written for last is kept here, if it is.
    fn shelf(&self) -> Option<Shelf> {
        let memory = self.memory.as_ref()?;
        let here = memory.room && (self.spoken != self.own || memory.background);
        here.then(|| self.own_shelf())
    }

    fn own_shelf(&self) -> Shelf {
        let id = ["resp_", self.request.id.text(&mut [0; 32])].concat().into();
        Shelf { id, now: self.request.now, request: self.request.body.clone() }
    }

    /// What is needed to remember that the provider written to last keeps the answer, if it does.
    fn pointer(&self, facts: &Facts) -> Option<Pointer> {
        self.memory.as_ref().filter(|memory| memory.wanted)?;
        Some(Pointer { provider: Arc::clone(&facts.target.provider), now: self.request.now })
    }

    /// Is the request of the target written for last the client's own bytes?
    fn rewrites(&self) -> bool {
        self.memory.as_ref().is_some_and(|memory| memory.rewrites())
    }

    /// Only the provider that keeps the conversation can continue it.
    fn bind(&self, order: Vec<usize>) -> Result<Vec<usize>, Fault> {
        let Some(provider) = self.memory.as_ref().and_then(|memory| memory.bound_to()) else { return Ok(order) };
        let keeps = |index: &usize| {
            let facts = self.built.facts(*index, self.matched.as_deref());
            facts.is_some_and(|facts| {
                *facts.target.provider == *provider
                    && facts.provider.kind.speaks(self.own, &facts.target.model).is_some()
            })
        };
        let order: Vec<usize> = order.into_iter().filter(keeps).collect();
        if order.is_empty() {
            let message = format!(
                "the response to be continued is kept by the provider `{provider}`, which the model `{}` does not reach right now; name a model of that provider",
                self.need.resource
            );
            return Err(Fault::new(Code::InvalidRequest, message).at("previous_response_id"));
        }
        Ok(order)
    }

    /// Gemini clients that do not ask for events get a JSON array (`alt=sse` is the query's).
    fn wants_array(&self) -> bool {
        self.own == DialectName::Gemini
            && !self.request.query.as_deref().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"))
    }
}

impl Asked for ChatCall {
    fn need(&self) -> &Need {
        &self.need
    }

    fn ceiling(&self) -> Option<Money> {
        let dearest = |target: usize| {
            let facts = self.built.facts.get(target)?;
            let output = self.need.output_cap.unwrap_or_else(|| facts.output_cap());
            facts.prices.at(self.request.now).map(|price| price.ceiling(self.need.input_tokens, output, self.peek.tier))
        };
        self.built.entries[self.entry?].targets().filter_map(dearest).max()
    }

    fn review(&mut self, look: &mut Look<'_>) -> Result<(), Fault> {
        let Some(body) = passages::review(&self.request.body, Point::Request, look)? else { return Ok(()) };
        self.peek = peek::peek(&body)?;
        self.request.body = body.into();
        self.ask = None;
        Ok(())
    }

    fn body(&self) -> Option<&[u8]> {
        Some(&self.request.body)
    }

    fn redirect(&mut self, model: &str) -> bool {
        let Some((entry, matched)) = self.built.find(model) else { return false };
        (self.entry, self.matched) = (Some(entry), matched.map(str::to_owned));
        self.need.resource = model.into();
        self.need.known = true;
        if let Some(ask) = &mut self.ask {
            Arc::make_mut(ask).model = model.to_owned();
        }
        true
    }
}

impl Call for ChatCall {
    fn rounds(&mut self) -> Result<Option<Box<dyn Rounds>>, Fault> {
        if !self.peek.mcp || !matches!(self.entrance, Entrance::Chat | Entrance::ChatStream) {
            return Ok(None);
        }
        let found = rounds::read(self.own, &self.request, &self.built.home)?;
        Ok(found.map(|rounds| Box::new(rounds) as Box<dyn Rounds>))
    }

    fn recalls(&self) -> Option<Arc<str>> {
        self.memory.as_ref()?.recalls()
    }

    fn recalled(&mut self, kept: Option<Kept>) -> Result<Option<Keep>, Fault> {
        if let Some(memory) = &mut self.memory {
            let before = memory.tokens();
            memory.recalled(kept)?;
            self.need.input_tokens += memory.tokens() - before;
        }
        Ok(None)
    }

    fn room(&mut self, free: &dyn Fn(usize) -> bool) -> Result<(), Fault> {
        let Some(memory) = &mut self.memory else { return Ok(()) };
        memory.room(&self.request.body, self.built.keeps_responses, free)
    }

    fn background(&mut self) -> Result<Option<Background>, Fault> {
        if !self.memory.as_ref().is_some_and(|memory| memory.background) {
            return Ok(None);
        }
        let ask = self.ask()?;
        Ok(Some(self.own_shelf().background(ask)))
    }

    fn local(&mut self, allowed: &dyn Fn(&str) -> bool, _: Now) -> Option<Result<Reply, Fault>> {
        let counted_here = self.entrance == Entrance::CountTokens
            && allowed(&self.need.resource)
            && self.need.known
            && !self.counts_upstream();
        counted_here.then(|| self.ask().map(|ask| local::counted(self.own, estimate::estimate_ask(&ask))))
    }

    fn plan(&mut self, facts: &gatehouse_domain::Facts<'_>) -> Result<Vec<usize>, Fault> {
        let Some(entry) = self.entry else { return Ok(Vec::new()) };
        let route = &self.built.entries[entry].route;
        let plan = gatehouse_llm_router::plan(route, facts)?;
        self.route = Some(plan.route(route));
        self.bind(self.built.priced(plan.order, &self.need.resource, self.matched.as_deref(), facts.now)?)
    }

    fn target(&self, index: usize) -> Option<Arc<Target>> {
        self.built.facts(index, self.matched.as_deref()).map(|facts| Arc::clone(&facts.target))
    }

    fn route(&self) -> Option<Arc<str>> {
        self.route.clone()
    }

    fn write(&mut self, target: &Target, context: &WriteContext<'_>) -> Result<Outbound, Fault> {
        let facts = self.built.facts(target.index, self.matched.as_deref()).ok_or_else(refuse::defect)?;
        self.spoken = facts.provider.dialect_for(self.own, &facts.target.model, self.wants()).ok_or_else(|| {
            Fault::new(
                Code::NotTranslatable,
                format!("the provider `{}` serves no conversations with this model", target.provider),
            )
        })?;
        let spoken = self.spoken;
        let body = if spoken == self.own && !self.rewrites() {
            self.forward(&facts)
        } else {
            self.translate(&facts, spoken)?.into()
        };
        let ask = providers::Ask {
            model: &facts.target.model,
            dialect: spoken,
            operation: self.operation(),
            client_headers: &self.request.headers,
            path: facts.path(spoken, self.operation()),
        };
        let outbound = providers::outbound(&facts.provider, ask, body, context)?;
        self.current = Some(facts);
        Ok(outbound)
    }

    fn relay(&mut self, _: &Target, _: &Head, now: Now, screen: Option<Box<dyn Screen>>) -> Box<dyn Relay> {
        let Some(facts) = self.current.clone() else { return Box::new(refuse::Broken) };
        let shelf = self.shelf();
        let same = self.spoken == self.own && shelf.is_none();
        match (same, self.need.stream) {
            (true, false) => Box::new(self.forward_whole(&facts, screen)),
            (false, false) => Box::new(TranslateWhole {
                from: dialects::of(self.spoken),
                to: self.dialect,
                listener: self.addressee(&facts, now).listener(),
                metered: Metered::default(),
                shelf,
                keep: None,
                screen,
            }),
            (true, true) if screen.as_ref().is_none_or(|screen| !screen.acts()) => {
                Box::new(self.forward_stream(&facts, now, screen))
            }
            // Texts that may change pass through the superset form, whoever speaks.
            (same, true) => {
                let pointer = if same {
                    // The encoder repeats what the request said; one that cannot be read has been answered all the same.
                    drop(self.ask());
                    self.pointer(&facts)
                } else {
                    None
                };
                let stream = self.translate_stream(&facts, now).kept(shelf).screened(screen);
                Box::new(if same { stream.of_the_same_dialect(pointer) } else { stream })
            }
        }
    }

    fn begun(&mut self) {
        self.request.body = Bytes::new();
        self.request.headers = http::HeaderMap::new();
    }

    fn judge(&self, target: &Target, head: &Head, body: &[u8]) -> Judgement {
        let facts = self.current.as_ref().filter(|facts| facts.target.index == target.index);
        let body = &*facts.map_or(Cow::Borrowed(body), |facts| providers::hide(&facts.provider, body));
        let said = (dialects::of(self.spoken).read_error)(head.status.as_u16(), body);
        let (fault, blame) = providers::judge(&target.origin, head, body, &said, self.request.now);
        // A call in the background has nobody to pass it on to.
        let waits = self.memory.as_ref().is_none_or(|memory| !memory.background);
        let same = waits && self.spoken == self.own && blame == Blame::Caller;
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

impl ChatCall {
    fn forward_whole(&self, facts: &Facts, screen: Option<Box<dyn Screen>>) -> ForwardWhole {
        let counts = self.entrance == Entrance::CountTokens;
        ForwardWhole {
            count: if counts { local::any_json } else { dialects::of(self.spoken).count },
            input_estimate: self.need.input_tokens,
            counted: dialects::Counted::default(),
            pointer: self.pointer(facts),
            keep: None,
            screen: screen.filter(|_| !counts),
        }
    }

    fn forward_stream(&mut self, facts: &Facts, now: Now, screen: Option<Box<dyn Screen>>) -> ForwardStream {
        let from = dialects::of(self.spoken);
        let framing = if self.own == DialectName::Bedrock { Framing::Frames } else { Framing::Lines };
        ForwardStream {
            dialect: from,
            tally: (from.tally)(),
            to: self.addressee(facts, now),
            events: WholeEvents::new(framing),
            strips_usage: self.injects_usage(facts),
            array: self.wants_array().then(JsonArray::default),
            named: self.pointer(facts).map(|pointer| Named { pointer, begun: bytes::BytesMut::new() }),
            beside: screen.map(|screen| Box::new(Beside::new((from.decoder)(), screen))),
        }
    }

    fn translate_stream(&mut self, facts: &Facts, now: Now) -> TranslateStream {
        let listener = self.addressee(facts, now).listener();
        let (encoder, stream_type) = if self.wants_array() {
            (dialects::gemini::encoder_array(&listener), "application/json")
        } else {
            ((self.dialect.encoder)(&listener), self.dialect.stream_type)
        };
        TranslateStream::new(dialects::of(self.spoken), encoder, stream_type, listener)
    }

    /// Does the first target count tokens itself, in the caller's own dialect?
    fn counts_upstream(&self) -> bool {
        let first = self.entry.and_then(|entry| self.built.entries[entry].targets().next());
        let Some(facts) = first.and_then(|target| self.built.facts(target, self.matched.as_deref())) else {
            return false;
        };
        let native = facts.provider.kind.speaks(self.own, &facts.target.model);
        native.is_some_and(|native| {
            (native.path)(&facts.provider.place, &facts.target.model, Operation::CountTokens).is_some()
        })
    }
}
