//! The entrances of MCP, by path alone: which HTTP method and which message come through is said later.

use std::borrow::Cow;
use std::sync::Arc;

use gatehouse_domain::Door;

use crate::catalogue::Route;

/// The wire format, in records and metrics.
pub const DIALECT: &str = "mcp";

const ALL: u16 = 0;
const SERVER: u16 = 1;
const TOOLSET: u16 = 2;

/// The door a path leads to: `/mcp`, `/mcp/servers/{name}`, `/mcp/toolsets/{name}`.
#[must_use]
pub fn door(path: &str) -> Option<Door> {
    let rest = path.strip_prefix("/mcp")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Some(door_of(ALL, None));
    }
    let (code, name) = match rest.strip_prefix("/servers/") {
        Some(name) => (SERVER, name),
        None => (TOOLSET, rest.strip_prefix("/toolsets/")?),
    };
    // A slash that was escaped is none of the path's; a name with one in it names nothing.
    let name = percent_decoded(name).filter(|name| !name.is_empty() && !name.contains('/'))?;
    Some(door_of(code, Some(name.into_owned())))
}

fn door_of(code: u16, subject: Option<String>) -> Door {
    Door { dialect: DIALECT, operation: DIALECT, code, subject }
}

/// Where a door leads: the route as the door names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead<'d> {
    /// To everything.
    All,
    /// To the server of this name.
    Server(&'d str),
    /// To the toolset of this name.
    Toolset(&'d str),
}

/// Where a door leads.
#[must_use]
pub fn lead(door: &Door) -> Lead<'_> {
    match (door.code, &door.subject) {
        (SERVER, Some(name)) => Lead::Server(name),
        (TOOLSET, Some(name)) => Lead::Toolset(name),
        _ => Lead::All,
    }
}

/// Which of the endpoints a door is.
#[must_use]
pub fn route(door: &Door) -> Route {
    match lead(door) {
        Lead::All => Route::All,
        Lead::Server(name) => Route::Server(Arc::from(name)),
        Lead::Toolset(name) => Route::Toolset(Arc::from(name)),
    }
}

/// The path of an endpoint, as it stands in a URL.
#[must_use]
pub fn path(route: &Route) -> String {
    match route {
        Route::All => "/mcp".to_owned(),
        Route::Server(name) => format!("/mcp/servers/{name}"),
        Route::Toolset(name) => format!("/mcp/toolsets/{name}"),
    }
}

/// `None` for what decodes to no text.
fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads_to(path: &str) -> Option<Route> {
        door(path).map(|door| route(&door))
    }

    #[test]
    fn each_endpoint_has_its_path() {
        assert_eq!(leads_to("/mcp"), Some(Route::All));
        assert_eq!(leads_to("/mcp/"), Some(Route::All));
        assert_eq!(leads_to("/mcp/servers/time"), Some(Route::Server("time".into())));
        assert_eq!(leads_to("/mcp/toolsets/my%20tools"), Some(Route::Toolset("my tools".into())));
    }

    #[test]
    fn nothing_else_is_an_endpoint() {
        for path in ["/mcpx", "/mcp/servers", "/mcp/servers/", "/mcp/servers/a/b", "/mcp/servers/a%2fb", "/mcp/x%zz"] {
            assert_eq!(leads_to(path), None, "{path}");
        }
    }

    #[test]
    fn an_endpoint_is_written_as_it_is_read() {
        for written in ["/mcp", "/mcp/servers/time", "/mcp/toolsets/support"] {
            assert_eq!(path(&leads_to(written).unwrap()), written);
        }
    }
}
