//! Guardrails: what may not stand in a text, and what to do where it does.
//!
//! A [`Detector`] looks for one kind of thing and knows nothing of calls. A [`Guardrail`] says where a detector runs and what
//! follows from a [`Finding`]. A whole text is looked through with [`Detector::find`] and rewritten by [`redact`]; a stream
//! goes through a [`Window`], which holds back exactly what may still become part of a finding. For every way of cutting a
//! text into chunks the window's output equals [`redact`] of the whole text.
//!
//! One file per detector; its line in [`Spec`] and [`build`] is the whole of its registration.

mod anchors;
mod eval;
mod injection;
mod json_schema;
mod json_window;
mod machine;
mod pattern;
mod pii;
mod redact;
mod secrets;
mod size;
mod spec;
mod topic;
mod window;

use std::ops::Range;
use std::sync::Arc;

use crate::Patterns;

pub use eval::{Case, Expected, Row, Tally, evaluate, read_cases};
pub use gatehouse_domain::Point;
pub use json_window::JsonWindow;
pub use pii::PiiKind;
pub use redact::redact;
pub use spec::{BuildError, Pattern, Spec, build};
pub use window::{Released, Window};

/// How many bytes before [`View::from`] a detector may look at.
pub const LOOKBACK: usize = 128;

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The call is refused, or its stream ended.
    Block,
    /// The finding is replaced by its label.
    Redact,
    /// The finding is recorded; the text flows on, and never later for it.
    Observe,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Block, Self::Redact, Self::Observe];

    /// The word in configuration, records and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Redact => "redact",
            Self::Observe => "observe",
        }
    }
}

/// Something a detector found. It says where and what, never the text itself: findings go into records and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Bytes of the text, on character boundaries.
    pub span: Range<usize>,
    /// What was recognised: `aws-access-token`, `credit_card`, the name of a pattern.
    pub rule: Arc<str>,
    /// What a redaction writes in its place: `[REDACTED:credit_card]`.
    pub label: &'static str,
}

/// A text as a detector gets to see it: all of it, or what a stream has brought so far.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The text, or the part of it that is still at hand.
    pub text: &'a str,
    /// Where to begin, in bytes of `text`. Everything before was settled earlier and is there to look back at.
    pub from: usize,
    /// Characters of the stream before `text`.
    pub chars_before: usize,
    /// Whether nothing was settled before: `from` is where the stream begins.
    pub first: bool,
    /// Whether the text ends here. If not, more may come.
    pub last: bool,
}

impl<'a> View<'a> {
    /// A text nothing is added to.
    #[must_use]
    pub fn whole(text: &'a str) -> Self {
        Self { text, from: 0, chars_before: 0, first: true, last: true }
    }
}

/// Finds one kind of thing in texts.
///
/// The contract that makes streams exact: what [`scan`](Self::scan) pushes and where it settles depends only on the text from
/// [`View::from`] on, up to [`LOOKBACK`] bytes before it and [`View::first`]; more text never takes back or changes a finding
/// that was pushed.
pub trait Detector: Send + Sync {
    /// The word in configuration, records and metrics: `secrets`, `pii`, …
    fn kind(&self) -> &'static str;

    /// Pushes what is certain and returns the place up to which everything is settled, in bytes of `view.text` and on a
    /// character boundary: no finding that is still to come begins before it. With [`View::last`] that is the end. Findings
    /// beyond that place may be pushed again by the next scan, which begins there.
    fn scan(&self, view: View<'_>, found: &mut Vec<Finding>) -> usize;

    /// The longest stretch in bytes that can stay unsettled, so what a stream may hold back at most; `usize::MAX` if a text
    /// must be whole to be judged.
    fn reach(&self) -> usize;

    /// Is it certain, from a body as it is written, that nothing would be found in any text of it? Texts are its values
    /// that are strings, unescaped, and values in it shown whole, as a [`JsonWindow`] reads them; if others may be in it, it says so by one of
    /// [`gatehouse_domain::ENCODED`]. A detector that cannot tell says no.
    fn clears(&self, json: &[u8]) -> bool {
        _ = json;
        false
    }

    /// Looks through a whole text.
    fn find(&self, text: &str, found: &mut Vec<Finding>) {
        self.scan(View::whole(text), found);
    }
}

/// Whom a guardrail is for. An empty list means everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Teams of the caller.
    pub teams: Patterns,
    /// Names of the caller's key.
    pub keys: Patterns,
    /// Models called.
    pub models: Patterns,
    /// Tools called.
    pub tools: Patterns,
}

/// Whom and what a call is about, as far as it is known. What is not known matches empty lists only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The caller's team.
    pub team: Option<&'a str>,
    /// The name of the caller's key.
    pub key: Option<&'a str>,
    /// The model called.
    pub model: Option<&'a str>,
    /// The tool called.
    pub tool: Option<&'a str>,
}

/// A detector at its post.
#[derive(Clone)]
pub struct Guardrail {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where it runs.
    pub on: Vec<Point>,
    /// What follows from a finding.
    pub action: Action,
    /// For whom it runs.
    pub scope: Scope,
    /// Whether text may pass that it could not look at (a stream longer than its [`Window`] holds). Recorded either way.
    pub fail_open: bool,
    /// What it looks for.
    pub detector: Arc<dyn Detector>,
}

impl Guardrail {
    /// Does it look at this text?
    #[must_use]
    pub fn applies(&self, point: Point, subject: Subject<'_>) -> bool {
        self.on.contains(&point) && self.scope.covers(subject)
    }
}

impl Scope {
    /// Is the call one of those it is for?
    #[must_use]
    pub fn covers(&self, subject: Subject<'_>) -> bool {
        self.covers_caller(subject) && self.tools.match_name(subject.tool.unwrap_or_default())
    }

    /// The same without the tool, which changes from text to text.
    #[must_use]
    pub fn covers_caller(&self, subject: Subject<'_>) -> bool {
        let named = |patterns: &Patterns, name: Option<&str>| patterns.match_name(name.unwrap_or_default());
        named(&self.teams, subject.team) && named(&self.keys, subject.key) && named(&self.models, subject.model)
    }
}

impl std::fmt::Debug for Guardrail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guardrail")
            .field("name", &self.name)
            .field("on", &self.on)
            .field("action", &self.action)
            .field("scope", &self.scope)
            .field("fail_open", &self.fail_open)
            .field("detector", &self.detector.kind())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guardrail(scope: Scope) -> Guardrail {
        let detector = build(&Spec::Size { max_chars: 10 }).unwrap();
        Guardrail {
            name: "g".into(),
            on: vec![Point::Request],
            action: Action::Block,
            scope,
            fail_open: false,
            detector,
        }
    }

    #[test]
    fn a_guardrail_without_a_scope_is_for_everyone_at_its_points() {
        let guardrail = guardrail(Scope::default());
        assert!(guardrail.applies(Point::Request, Subject::default()));
        assert!(!guardrail.applies(Point::Response, Subject::default()));
    }

    #[test]
    fn a_scope_takes_every_list_at_its_word() {
        let scope = Scope { teams: Patterns::new(["support"]), models: Patterns::new(["gpt-*"]), ..Scope::default() };
        let guardrail = guardrail(scope);
        let subject = Subject { team: Some("support"), model: Some("gpt-5"), ..Subject::default() };
        assert!(guardrail.applies(Point::Request, subject));
        assert!(!guardrail.applies(Point::Request, Subject { team: None, ..subject }));
        assert!(!guardrail.applies(Point::Request, Subject { model: Some("claude"), ..subject }));
    }
}
