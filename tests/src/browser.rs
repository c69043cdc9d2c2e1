//! A person's browser: keeps cookies, reads pages, sends their forms. It follows nothing by itself, so that a test sees each step.

use std::collections::BTreeMap;

use crate::client::{Client, Response};
use crate::gate::Gate;

/// A browser without a past.
#[derive(Clone, Debug)]
pub struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// One that looks at this gateway.
    #[must_use]
    pub fn new(gate: &Gate) -> Self {
        Self { client: gate.stranger(), cookies: BTreeMap::new() }
    }

    /// Opens a page.
    pub fn open(&mut self, path: &str) -> Response {
        let response = self.sending().get(path);
        self.keep(&response);
        response
    }

    /// Sends a form.
    pub fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let response = post_form(&self.sending(), path, fields);
        self.keep(&response);
        response
    }

    /// The names of its cookies.
    #[must_use]
    pub fn cookies(&self) -> Vec<&str> {
        self.cookies.keys().map(String::as_str).collect()
    }

    fn sending(&self) -> Client {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { self.client.clone() } else { self.client.clone().header("cookie", &cookies.join("; ")) }
    }

    fn keep(&mut self, response: &Response) {
        let Some(cookie) = response.header("set-cookie") else { return };
        let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
        self.cookies.insert(name.to_owned(), value.to_owned());
    }
}

/// Posts a form as any program does.
#[must_use]
pub fn post_form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Response {
    let client = client.clone().header("content-type", "application/x-www-form-urlencoded");
    client.post_bytes(path, form(fields).as_bytes())
}

/// Fields as a form, or as a query.
#[must_use]
pub fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let each: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    each.join("&")
}

/// A field of the query of an address.
#[must_use]
pub fn query_of(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The value of a hidden field of a page.
#[must_use]
pub fn hidden(page: &Response, name: &str) -> String {
    let text = page.text();
    let start = format!("name=\"{name}\" value=\"");
    let found = text.split(&start).nth(1).and_then(|rest| rest.split('"').next());
    found.unwrap_or_else(|| panic!("no field {name} in {text}")).to_owned()
}
