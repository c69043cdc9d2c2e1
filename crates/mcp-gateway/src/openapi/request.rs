//! Arguments to a request. What the arguments say goes where the document says, and nowhere else.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value};

use super::document::Operation;
use super::parameter::{Location, Parameter};
use super::path::{Base, encode};

/// A request that a tool call became. Where it goes is the configuration's to say.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// Method.
    pub method: Method,
    /// Path, that of the base URL included, and query.
    pub path: PathAndQuery,
    /// Headers that arguments and body make.
    pub headers: HeaderMap,
    /// Body.
    pub body: Option<Bytes>,
}

/// Why arguments make no request, in words a model can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentFault {
    /// One is missing.
    #[error("the argument `{0}` is missing")]
    Missing(String),
    /// One that the tool does not have.
    #[error("the tool has no argument `{0}`; its input schema lists what there is")]
    Unknown(String),
    /// One that would leave its place in the path.
    #[error(
        "the argument `{0}` stands in the path of the request: it must not be empty, nor hold slashes, `..` or line breaks"
    )]
    Place(String),
    /// The path they make together leads elsewhere.
    #[error("these arguments make a path that leads elsewhere")]
    Path,
    /// One with objects or lists inside of others, where only one level can be written.
    #[error("the argument `{0}` has a form that cannot be sent where it goes")]
    Nested(String),
    /// One that is not text a header can carry.
    #[error("the argument `{0}` goes into a header: it must be one line of plain text")]
    Header(String),
    /// One that should be bytes.
    #[error("the argument `{0}` must be base64")]
    NoBase64(String),
    /// All of it is longer than a request may be.
    #[error("the arguments make an address of more than 16 KiB")]
    TooLong,
}

impl Operation {
    /// The request that a call with these arguments is.
    ///
    /// # Errors
    /// See [`ArgumentFault`]: the tool's error, for whoever called to mend.
    pub fn request(&self, base: &Base, arguments: &Map<String, Value>) -> Result<HttpRequest, ArgumentFault> {
        self.check(arguments)?;
        let mut query: Vec<String> = Vec::new();
        let mut cookies: Vec<String> = Vec::new();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        for parameter in &self.parameters {
            let Some(value) = given(arguments, &parameter.argument) else { continue };
            match &parameter.location {
                Location::Path => {}
                Location::Query => query.extend(parameter.in_query(value)?),
                Location::Cookie => {
                    cookies.push(format!("{}={}", encode(&parameter.name), encode(&parameter.in_line(value)?)));
                }
                Location::Header(name) => {
                    drop(headers.insert(name, line(parameter, value)?));
                }
            }
        }
        let path = self.template.fill(base, &query.join("&"), |place| {
            let named = |parameter: &&Parameter| parameter.location == Location::Path && parameter.name == place;
            let parameter = self.parameters.iter().find(named).ok_or(ArgumentFault::Path)?;
            let value = given(arguments, &parameter.argument);
            parameter.in_path(value.ok_or_else(|| ArgumentFault::Missing(parameter.argument.clone()))?)
        })?;
        if let Ok(cookies) = HeaderValue::try_from(cookies.join("; "))
            && !cookies.is_empty()
        {
            headers.insert(COOKIE, cookies);
        }
        let mut body = None;
        if let Some(written) = &self.body
            && let Some(value) = arguments.get(&written.argument)
        {
            let (content_type, bytes) = written.write(value)?;
            headers.insert(CONTENT_TYPE, content_type);
            body = Some(bytes);
        }
        Ok(HttpRequest { method: self.method.clone(), path, headers, body })
    }

    /// Are all there that must be, and none that cannot be?
    fn check(&self, arguments: &Map<String, Value>) -> Result<(), ArgumentFault> {
        let body = self.body.iter().map(|body| (&body.argument, body.required));
        let known: Vec<(&String, bool)> =
            self.parameters.iter().map(|parameter| (&parameter.argument, parameter.required)).chain(body).collect();
        if let Some(stranger) = arguments.keys().find(|name| !known.iter().any(|(known, _)| known == name)) {
            return Err(ArgumentFault::Unknown(stranger.chars().take(64).collect()));
        }
        let missing = |(name, required): &&(&String, bool)| *required && !arguments.contains_key(*name);
        match known.iter().find(missing) {
            Some((name, _)) => Err(ArgumentFault::Missing((*name).clone())),
            None => Ok(()),
        }
    }
}

/// An argument that says something: `null` says that it is left out.
fn given<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    arguments.get(name).filter(|value| !value.is_null())
}

fn line(parameter: &Parameter, value: &Value) -> Result<HeaderValue, ArgumentFault> {
    let text = parameter.in_line(value)?;
    // `HeaderValue` takes bytes above 127, and who knows what they are to whom.
    let plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    HeaderValue::try_from(text).ok().filter(|_| plain).ok_or_else(|| ArgumentFault::Header(parameter.argument.clone()))
}
