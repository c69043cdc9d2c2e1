//! The pages people see: who wants what, in whose name, and whether it worked. Requests in, replies out; whoever serves them
//! knows nothing of OAuth.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Fault, Principal, Reply};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Tokens;

/// Says whose a key or token is, if it is good now.
pub type Doorkeeper = dyn Fn(&str) -> Option<Arc<Principal>> + Send + Sync;

/// Where the pages of [`Tokens::open_page`] are: this, and the link behind it.
pub const CONNECT_PATH: &str = "/oauth/connect/";
/// Where authorization servers send people back to: [`Tokens::callback`].
pub const CALLBACK_PATH: &str = "/oauth/callback";

/// Bytes of a posted form.
const FORM_BYTES_MAX: usize = 16 << 10;

impl Tokens {
    /// The page behind a link: which server, for whom; asks for the caller's key unless `session` is them.
    #[must_use]
    pub fn open_page(&self, link: &str, session: Option<&Principal>) -> Reply {
        match self.0.open_link(link) {
            Ok(said) => {
                let asks = session.is_none() && said.owner != "anonymous";
                page(StatusCode::OK, &question(&said.server, &said.owner, asks))
            }
            Err(fault) => told(&fault),
        }
    }

    /// The form of that page, posted: whoever showed that the link is theirs goes on to the authorization server.
    pub async fn post_page(
        &self,
        link: &str,
        form: &[u8],
        session: Option<Arc<Principal>>,
        doorkeeper: &Doorkeeper,
    ) -> Reply {
        let said = match self.0.open_link(link) {
            Ok(said) => said,
            Err(fault) => return told(&fault),
        };
        let who = match session {
            Some(person) => Some(person),
            // Nobody in particular has nothing to show.
            None if said.owner == "anonymous" => doorkeeper(""),
            None => key_of(form).and_then(|key| doorkeeper(&key)),
        };
        let Some(who) = who else {
            let body = format!(
                "{}{}",
                "<p class=bad>This key is not good here.</p>",
                question(&said.server, &said.owner, true)
            );
            return page(StatusCode::UNAUTHORIZED, &body);
        };
        match self.0.begin(&said, &who).await {
            Ok(begun) => {
                let mut reply = page(StatusCode::SEE_OTHER, "");
                if let (Ok(location), Ok(cookie)) =
                    (HeaderValue::try_from(begun.url), HeaderValue::try_from(self.cookie(&begun.browser, 600)))
                {
                    reply.headers.insert(LOCATION, location);
                    reply.headers.insert(SET_COOKIE, cookie);
                }
                reply
            }
            Err(fault) => told(&fault),
        }
    }

    /// What an authorization server sent a browser back with.
    pub async fn callback(&self, query: &str, headers: &HeaderMap) -> Reply {
        let browser = self.browser(headers);
        let mut reply = match self.0.finish(query, browser.as_deref()).await {
            Ok(connected) => {
                let text = format!(
                    "<h1>Connected</h1><p>The gateway may now use <b>{}</b> in your name. Go back to your assistant and let it \
                     try again; this window can be closed.</p>",
                    escaped(&connected.server)
                );
                self.0.tell(connected);
                page(StatusCode::OK, &text)
            }
            Err(fault) => told(&fault),
        };
        if let Ok(cookie) = HeaderValue::try_from(self.cookie("", 0)) {
            reply.headers.insert(SET_COOKIE, cookie);
        }
        reply
    }

    /// A cookie that no script reads and no other site sends; with https, no other host sets.
    fn cookie(&self, value: &str, seconds: u32) -> String {
        let name = self.cookie_name();
        let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    fn cookie_name(&self) -> &'static str {
        let https = self.0.world().public_url.starts_with("https://");
        if https { "__Host-gatehouse-connect" } else { "gatehouse-connect" }
    }

    fn browser(&self, headers: &HeaderMap) -> Option<String> {
        let name = self.cookie_name();
        let cookies = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }
}

/// `key` of a posted form. Keys and tokens have no letters that forms escape, but browsers may escape any.
fn key_of(form: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(form).ok().filter(|text| text.len() <= FORM_BYTES_MAX)?;
    let value = text.split('&').find_map(|pair| pair.strip_prefix("key="))?;
    let (mut key, mut bytes) = (Vec::with_capacity(value.len()), value.bytes());
    while let Some(byte) = bytes.next() {
        key.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(key).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty())
}

fn question(server: &str, owner: &str, asks_key: bool) -> String {
    let key = if asks_key {
        "<label>Your key for this gateway<input name=key type=password autocomplete=off autofocus required></label>\
         <p class=small>So that nobody else can connect their account in your name, or yours in theirs.</p>"
    } else {
        ""
    };
    format!(
        "<h1>Connect {server}</h1><p>The MCP server <b>{server}</b> acts in the name of a person. If you asked for this as \
         <b>{owner}</b>, go on: you will be sent to the server's own login, and the gateway will keep what it gives, sealed, \
         for your calls alone.</p><form method=post>{key}<button>Go on</button></form>\
         <p class=small>If you did not ask for this, close this window: nothing has happened.</p>",
        server = escaped(server),
        owner = escaped(owner),
    )
}

fn told(fault: &Fault) -> Reply {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body =
        format!("<h1>Not connected</h1><p>{}</p><p class=small>{}</p>", escaped(&fault.message), fault.code.as_str());
    page(status, &body)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;color:#1b1f24;\
    background:#fff}h1{font-size:1.4rem}label,input{display:block;width:100%;box-sizing:border-box}input{font:inherit;padding:\
    .5rem;margin:.3rem 0 1rem}button{font:inherit;padding:.5rem 1.2rem}.small{color:#57606a;font-size:.875rem}.bad{color:#b3261e}\
    @media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.small{color:#9198a1}}";

fn page(status: StatusCode, body: &str) -> Reply {
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Gatehouse</title><style>{STYLE}</style><body>{body}</body></html>"
    );
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Reply { status, headers, body: Bytes::from(html) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posted_key_is_read_however_the_browser_wrote_it() {
        assert_eq!(key_of(b"a=1&key=gh_abc%2Bd&b=2").as_deref(), Some("gh_abc+d"));
        for none in [&b""[..], b"key=", b"key=%", b"key=%zz", b"key=%ff", b"keys=x"] {
            assert_eq!(key_of(none), None);
        }
    }

    #[test]
    fn nothing_a_link_names_is_markup() {
        let text = question("<script>", "user/\"><b>", true);
        assert!(!text.contains("<script>") && !text.contains("\"><b>"));
    }
}
