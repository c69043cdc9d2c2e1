//! One parameter of an operation, and how its value is written where it goes (OpenAPI 3, "Style Values").

use http::HeaderName;
use serde_json::Value;

use super::path::encode;
use super::request::ArgumentFault;

/// Items of a list, or members of an object, in one value.
const ITEMS_MAX: usize = 1000;

/// Headers a document may not ask callers for: those of the connection and of whoever calls, and those that OpenAPI itself
/// leaves out.
const HEADERS_KEPT: [&str; 22] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];
/// Beginnings of others.
const HEADERS_KEPT_BEGIN: [&str; 4] = ["x-forwarded-", "x-gatehouse-", "mcp-", "sec-"];

/// Where a parameter goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Path,
    Query,
    Header(HeaderName),
    Cookie,
}

/// How its value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
    /// As JSON (`content` in the place of `schema`).
    Json,
}

/// One parameter.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    /// Its name in the API.
    pub(super) name: String,
    /// Its name among the arguments.
    pub(super) argument: String,
    pub(super) location: Location,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) required: bool,
    pub(super) description: Option<String>,
    /// As the document has it.
    pub(super) schema: Value,
}

impl Location {
    /// Where `in` says. `None` for a place there is none of, or a header that is not for callers to set.
    pub(super) fn read(place: &str, name: &str) -> Option<Self> {
        match place {
            "path" => Some(Self::Path),
            "query" => Some(Self::Query),
            "cookie" => Some(Self::Cookie),
            "header" => {
                let header = HeaderName::try_from(name).ok()?;
                let kept = HEADERS_KEPT.contains(&header.as_str())
                    || HEADERS_KEPT_BEGIN.iter().any(|begin| header.as_str().starts_with(begin));
                (!kept).then_some(Self::Header(header))
            }
            _ => None,
        }
    }

    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header(_) => "header",
            Self::Cookie => "cookie",
        }
    }
}

impl Style {
    /// What `style` says, or the default of the place.
    pub(super) fn read(style: Option<&str>, location: &Location) -> Option<Self> {
        Some(match (style, location) {
            (None | Some("simple"), Location::Path | Location::Header(_)) => Self::Simple,
            (None | Some("form"), Location::Query | Location::Cookie) => Self::Form,
            (Some("label"), Location::Path) => Self::Label,
            (Some("matrix"), Location::Path) => Self::Matrix,
            (Some("spaceDelimited"), Location::Query) => Self::SpaceDelimited,
            (Some("pipeDelimited"), Location::Query) => Self::PipeDelimited,
            (Some("deepObject"), Location::Query) => Self::DeepObject,
            _ => return None,
        })
    }
}

/// A value flat enough to be written.
enum Flat {
    One(String),
    Many(Vec<String>),
    Members(Vec<(String, String)>),
}

impl Parameter {
    /// `name=value` for a query, as many of them as the value needs; encoded.
    pub(super) fn in_query(&self, value: &Value) -> Result<Vec<String>, ArgumentFault> {
        let pair = |name: &str, value: &str| format!("{}={}", encode(name), encode(value));
        let joined = |values: &[String], by: &str| {
            let values: Vec<String> = values.iter().map(|value| encode(value)).collect();
            vec![format!("{}={}", encode(&self.name), values.join(by))]
        };
        Ok(match (self.flat(value)?, self.style) {
            (Flat::One(text), _) => vec![pair(&self.name, &text)],
            (Flat::Members(members), Style::DeepObject) => members
                .iter()
                .map(|(name, value)| format!("{}[{}]={}", encode(&self.name), encode(name), encode(value)))
                .collect(),
            (Flat::Many(values), _) if self.explode => values.iter().map(|value| pair(&self.name, value)).collect(),
            (Flat::Members(members), _) if self.explode => {
                members.iter().map(|(name, value)| pair(name, value)).collect()
            }
            (Flat::Many(values), style) => joined(&values, separator(style)),
            (Flat::Members(members), style) => joined(&alternating(members), separator(style)),
        })
    }

    /// The value as it stands in a path, encoded.
    pub(super) fn in_path(&self, value: &Value) -> Result<String, ArgumentFault> {
        let flat = self.flat(value)?;
        let texts: Vec<&str> = match &flat {
            Flat::One(text) => vec![text],
            Flat::Many(values) => values.iter().map(String::as_str).collect(),
            Flat::Members(members) => members.iter().flat_map(|(name, value)| [&**name, &**value]).collect(),
        };
        // An empty value would make one segment of two.
        let kept = texts.iter().all(|text| super::path::stays_in_place(text));
        if !kept || texts.is_empty() || texts.iter().any(|text| text.is_empty()) {
            return Err(ArgumentFault::Place(self.argument.clone()));
        }
        let each = |by: &str, write: &dyn Fn(&str, &str) -> String| match &flat {
            Flat::One(text) => encode(text),
            Flat::Many(values) => values.iter().map(|value| encode(value)).collect::<Vec<_>>().join(by),
            Flat::Members(members) => members.iter().map(|(n, v)| write(n, v)).collect::<Vec<_>>().join(by),
        };
        let equals = |name: &str, value: &str| format!("{}={}", encode(name), encode(value));
        let comma = |name: &str, value: &str| format!("{},{}", encode(name), encode(value));
        let write: &dyn Fn(&str, &str) -> String = if self.explode { &equals } else { &comma };
        Ok(match (self.style, self.explode) {
            (Style::Label, explode) => format!(".{}", each(if explode { "." } else { "," }, write)),
            (Style::Matrix, true) => match &flat {
                Flat::Members(_) => format!(";{}", each(";", write)),
                Flat::One(_) => format!(";{}={}", encode(&self.name), each(",", write)),
                Flat::Many(values) => values.iter().map(|v| format!(";{}={}", encode(&self.name), encode(v))).collect(),
            },
            (Style::Matrix, false) => format!(";{}={}", encode(&self.name), each(",", write)),
            _ => each(",", write),
        })
    }

    /// The value as it stands in a header or a cookie: commas between items, nothing encoded.
    pub(super) fn in_line(&self, value: &Value) -> Result<String, ArgumentFault> {
        Ok(match self.flat(value)? {
            Flat::One(text) => text,
            Flat::Many(values) => values.join(","),
            Flat::Members(members) if self.explode => {
                members.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
            }
            Flat::Members(members) => alternating(members).join(","),
        })
    }

    fn flat(&self, value: &Value) -> Result<Flat, ArgumentFault> {
        let nested = || ArgumentFault::Nested(self.argument.clone());
        if self.style == Style::Json {
            return Ok(Flat::One(value.to_string()));
        }
        Ok(match value {
            Value::Array(items) if items.len() <= ITEMS_MAX => {
                Flat::Many(items.iter().map(plain).collect::<Option<_>>().ok_or_else(nested)?)
            }
            Value::Object(members) if members.len() <= ITEMS_MAX => {
                let members = members.iter().map(|(name, value)| Some((name.clone(), plain(value)?)));
                Flat::Members(members.collect::<Option<_>>().ok_or_else(nested)?)
            }
            single => Flat::One(plain(single).ok_or_else(nested)?),
        })
    }
}

/// A text, number or truth value as text. `null` is nothing.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn separator(style: Style) -> &'static str {
    match style {
        Style::SpaceDelimited => "%20",
        Style::PipeDelimited => "%7C",
        _ => ",",
    }
}

fn alternating(members: Vec<(String, String)>) -> Vec<String> {
    members.into_iter().flat_map(|(name, value)| [name, value]).collect()
}
