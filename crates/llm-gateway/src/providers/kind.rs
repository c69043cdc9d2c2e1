//! What a kind of provider is: a filled-in struct. Everything a kind does differently is a field, and only what is
//! truly odd is a function.

use bytes::Bytes;
use gatehouse_domain::Fault;

use super::model;
use crate::dialects::{DialectName, Quirks, ThinkingStyle};

/// What a provider is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Answer a conversation.
    Chat {
        /// As a stream?
        stream: bool,
    },
    /// Make vectors.
    Embed {
        /// More than one at once? Gemini has a path of its own for that.
        many: bool,
    },
    /// Count the tokens of a conversation.
    CountTokens,
}

/// How a credential is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …` (Anthropic)
    XApiKey,
    /// `x-goog-api-key: …` (Gemini)
    GoogApiKey,
    /// `api-key: …` (Azure)
    ApiKey,
    /// AWS Signature Version 4; a Bedrock API key, where one is given, goes as a bearer token.
    SigV4,
    /// A short-lived token got for a Google service account; an express-mode key goes as `x-goog-api-key`.
    Grant,
}

/// What a provider must be given before it can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// `api_key`.
    Key,
    /// Nothing; an `api_key` is sent if there is one.
    Nothing,
    /// `region`, and either `access_key_id` with `secret_access_key`, or `api_key`.
    Aws,
    /// `credentials` with `location` (and `project`, if the credentials do not name it), or `api_key`.
    Google,
}

/// One dialect a provider speaks by itself.
#[derive(Clone, Copy, Debug)]
pub struct Native {
    /// Which.
    pub dialect: DialectName,
    /// How the credential is sent there.
    pub auth: Auth,
    /// Path and query for a model (already percent-encoded); `None` if this is not offered.
    pub path: fn(&Place, &str, Operation) -> Option<String>,
    /// Is it spoken for this model?
    pub covers: fn(&str) -> bool,
}

/// The facts path builders use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Path of the base URL, as configured; no slash at its end.
    pub base: String,
    /// The same without the kind's `version_path`: where endpoints outside of it begin.
    pub root: String,
    /// Google project.
    pub project: Option<String>,
    /// Google location.
    pub location: Option<String>,
    /// `api-version` (Azure).
    pub api_version: Option<String>,
}

/// A kind of provider.
#[derive(Debug)]
pub struct ProviderKind {
    /// The word in `kind:` of the configuration file.
    pub name: &'static str,
    /// `gen_ai.provider.name` of the OpenTelemetry conventions (the well-known value where there is one).
    pub telemetry_name: &'static str,
    /// Where it is, if it is in one place; `{region}` and `{location}` are filled in from the settings.
    pub default_base_url: Option<&'static str>,
    /// The end of a base URL that versions the API and that endpoints of other dialects do not share.
    pub version_path: &'static str,
    /// Environment variables its key is usually found in, best known first.
    pub key_env: &'static [&'static str],
    /// What it must be given.
    pub needs: Needs,
    /// The dialects it speaks, the one to use for callers of other dialects first.
    pub native: &'static [Native],
    /// Its deviations from a dialect, for a model.
    pub quirks: fn(&str, DialectName) -> Quirks,
    /// How a model of it takes thinking.
    pub thinking: fn(&str) -> ThinkingStyle,
    /// What must still be changed in a finished body, which is nothing almost everywhere.
    pub rewrite: Option<Rewrite>,
}

/// Changes a finished body. Errors: `InvalidRequest` when it is not a JSON object.
pub type Rewrite = fn(DialectName, Operation, Bytes) -> Result<Bytes, Fault>;

/// What of a request decides between two native dialects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Are there tools?
    pub tools: bool,
    /// Is reasoning asked for, or part of the history?
    pub reasoning: bool,
}

impl ProviderKind {
    /// The dialect to write for a caller: the caller's own where the provider speaks it (bytes are then forwarded), else
    /// the preferred one.
    ///
    /// OpenAI's reasoning models refuse tools together with a reasoning effort on Chat Completions, so a caller of a third
    /// dialect who wants both is sent to Responses where there is one.
    #[must_use]
    pub fn dialect_for(&self, caller: DialectName, name: &str, wants: Wants) -> Option<DialectName> {
        let speaks = |dialect| self.speaks(dialect, name).map(|native| native.dialect);
        if let Some(own) = speaks(caller) {
            return Some(own);
        }
        if wants.tools
            && wants.reasoning
            && model::is_openai_reasoning(name)
            && let Some(responses) = speaks(DialectName::OpenAiResponses)
        {
            return Some(responses);
        }
        self.native.iter().find(|native| (native.covers)(name)).map(|native| native.dialect)
    }

    /// The dialect in which it takes an operation that is not a conversation, the caller's own first.
    #[must_use]
    pub fn dialect_offering(
        &self,
        operation: Operation,
        caller: DialectName,
        place: &Place,
        name: &str,
    ) -> Option<DialectName> {
        let offers = |native: &&Native| (native.covers)(name) && (native.path)(place, name, operation).is_some();
        let own = self.native.iter().filter(offers).find(|native| native.dialect == caller);
        own.or_else(|| self.native.iter().find(offers)).map(|native| native.dialect)
    }

    /// How a dialect is reached, if it is spoken for this model.
    #[must_use]
    pub fn speaks(&self, dialect: DialectName, name: &str) -> Option<&'static Native> {
        self.native.iter().find(|native| native.dialect == dialect && (native.covers)(name))
    }
}
