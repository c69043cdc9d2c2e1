//! Which MCP endpoints that a request names are this gateway's own, and what of them it wants.

use std::sync::Arc;

use gatehouse_domain::{Code, Fault};
use http::HeaderValue;
use serde_json::Value;

/// Under which addresses this gateway is reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home {
    /// As the configuration has it.
    pub(crate) public_url: Arc<str>,
    /// As the caller has it: the `Host` of its request.
    host: Option<String>,
}

/// An endpoint of the gateway's own whose tools a model may use.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    /// What the request calls it.
    pub(super) label: String,
    /// Where it is.
    pub(super) path: String,
    /// The tools that may be used; all of them if none is named.
    pub(super) allowed: Option<Vec<String>>,
    /// Tools that may not.
    pub(super) denied: Vec<String>,
    /// Its tools as far as they were listed.
    pub(super) tools: Vec<Value>,
    /// Where the list goes on.
    pub(super) cursor: Option<String>,
    /// How many pages it had.
    pub(super) pages: u32,
}

impl Home {
    pub(crate) fn new(public_url: &Arc<str>) -> Self {
        Self { public_url: Arc::clone(public_url), host: None }
    }

    /// The same, for a caller that reached the gateway as this host.
    pub(super) fn called_as(&self, host: Option<&HeaderValue>) -> Self {
        Self { host: host.and_then(|host| host.to_str().ok()).map(str::to_owned), ..self.clone() }
    }

    /// The path of an endpoint of ours that a URL leads to; `None` if it leads elsewhere.
    pub(super) fn path(&self, url: &str) -> Option<String> {
        let public = self.public_url.trim_end_matches('/');
        let below = |base: &str| url.strip_prefix(base).filter(|rest| rest.starts_with('/') && !base.is_empty());
        let by_host = || {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
            rest.strip_prefix(self.host.as_deref()?).filter(|rest| rest.starts_with('/'))
        };
        let path = if url.starts_with('/') { Some(url) } else { below(public).or_else(by_host) };
        let path = path?.trim_end_matches('/');
        let plain = |name: &str| !name.is_empty() && !name.contains(['/', '?', '#', '%']);
        let named = |prefix: &str| path.strip_prefix(prefix).is_some_and(plain);
        (path == "/mcp" || named("/mcp/servers/") || named("/mcp/toolsets/")).then(|| path.to_owned())
    }
}

impl Server {
    pub(super) fn new(label: &str, path: String) -> Self {
        Self { label: label.to_owned(), path, ..Self::default() }
    }

    /// May this tool be used?
    pub(super) fn takes(&self, tool: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == tool))
            && !self.denied.iter().any(|name| name == tool)
    }
}

/// The endpoint of a toolset by its name.
pub(super) fn toolset(name: &str) -> String {
    format!("/mcp/toolsets/{name}")
}

/// A list of names.
pub(super) fn names(of: &Value) -> Option<Vec<String>> {
    of.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

pub(super) fn wrong(param: &str, message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Code::InvalidRequest, message).at(param.to_owned())
}
