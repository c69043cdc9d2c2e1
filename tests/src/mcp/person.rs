//! A person with a browser: keeps cookies, follows redirects that stay in the house, fills in the form of a page.

use std::collections::BTreeMap;

use crate::client::{Client, Response};

/// Redirects before a person gives up.
const REDIRECTS_MAX: usize = 8;

/// A browser of one person.
#[derive(Clone, Debug)]
pub struct Person {
    client: Client,
    origin: String,
    cookies: BTreeMap<String, String>,
}

/// What the browser shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// Where a redirect out of the house leads.
    pub leads_to: Option<String>,
    /// The page's text, tags included.
    pub text: String,
}

impl Person {
    /// A browser that has been nowhere.
    #[must_use]
    pub fn new(client: &Client, origin: &str) -> Self {
        Self { client: client.clone(), origin: origin.to_owned(), cookies: BTreeMap::new() }
    }

    /// Opens a page.
    #[must_use]
    pub fn open(&mut self, address: &str) -> Page {
        self.go("GET", address, "")
    }

    /// Sends the form of a page with these fields, its hidden ones included.
    #[must_use]
    pub fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let hidden = page.hidden();
        let all = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(fields.iter().copied());
        let body: Vec<String> = all.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let action = between(&page.text, "action=\"", "\"").unwrap_or_default().replace("&amp;", "&");
        self.go("POST", &action, &body.join("&"))
    }

    fn go(&mut self, method: &str, address: &str, body: &str) -> Page {
        let (mut method, mut address, mut body) = (method.to_owned(), address.to_owned(), body.to_owned());
        for _ in 0..REDIRECTS_MAX {
            let Some(path) = self.path(&address) else {
                return Page { status: 302, leads_to: Some(address), text: String::new() };
            };
            let answer = self.send(&method, &path, &body);
            self.keep_cookies(&answer);
            match answer.header("location") {
                Some(next) if (300..400).contains(&answer.status) => {
                    next.clone_into(&mut address);
                    "GET".clone_into(&mut method);
                    body.clear();
                }
                _ => return Page { status: answer.status, leads_to: None, text: answer.text() },
            }
        }
        panic!("redirects without end, the last to {address}");
    }

    /// The path of an address in this house.
    fn path(&self, address: &str) -> Option<String> {
        match address.strip_prefix(&self.origin) {
            Some(path) => Some(path.to_owned()),
            None => address.starts_with('/').then(|| address.to_owned()),
        }
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let client = self.client.clone().header("content-type", "application/x-www-form-urlencoded");
        let client = client.header("cookie", &cookies.join("; ")).header("origin", &self.origin);
        client.send(method, path, body.as_bytes()).response()
    }

    fn keep_cookies(&mut self, answer: &Response) {
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            if let Some((name, value)) = value.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

impl Page {
    /// Does it ask for this field?
    #[must_use]
    pub fn asks_for(&self, field: &str) -> bool {
        self.text.contains(&format!("name=\"{field}\""))
    }

    fn hidden(&self) -> Vec<(String, String)> {
        let inputs = self.text.split("<input ").skip(1).filter_map(|rest| rest.split('>').next());
        let hidden = inputs.filter(|input| input.contains("hidden"));
        hidden
            .filter_map(|input| {
                Some((between(input, "name=\"", "\"")?.to_owned(), between(input, "value=\"", "\"")?.to_owned()))
            })
            .collect()
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    rest.split(end).next()
}

/// As a form has it.
#[must_use]
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
