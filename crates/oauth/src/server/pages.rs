//! What people see when a client asks for access in their name: who asks, for what, and where the answer goes. No page needs a
//! script, and nothing a client said gets onto one without being escaped.

use gatehouse_domain::Scopes;

use super::authorize::Ask;
use super::client::{Client, Kind, document_host};
use super::html::{escape, page};
use super::redirect;

/// What a login page offers.
#[derive(Clone, Debug, Default)]
pub struct Login<'a> {
    /// What ties the form to this browser and request.
    pub ticket: &'a str,
    /// Identity providers: the number each is asked for by, and its name.
    pub providers: Vec<(usize, &'a str)>,
    /// May a key be pasted?
    pub keys: bool,
    /// Why the last try failed.
    pub problem: Option<&'a str>,
    /// For which client, if for one.
    pub client: Option<&'a Client>,
}

impl Login<'_> {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let mut body = String::new();
        if let Some(client) = self.client {
            body += &format!(
                "<p><strong>{}</strong> wants to use tools of this gateway in your name.</p>",
                escape(&client.shown())
            );
        }
        if let Some(problem) = self.problem {
            body += &format!("<p class=\"warn\" role=\"alert\">{}</p>", escape(problem));
        }
        let ticket = escape(self.ticket);
        for (number, name) in &self.providers {
            body += &format!(
                "<p><a class=\"button main\" href=\"/oauth/login/{number}?ticket={ticket}\">Continue with {}</a></p>",
                escape(name)
            );
        }
        if self.keys {
            body += &format!(
                "<form method=\"post\" action=\"/oauth/login\"><input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
                 <label for=\"key\">Gatehouse key</label>\
                 <input id=\"key\" name=\"key\" type=\"password\" autocomplete=\"current-password\" required autofocus>\
                 <button class=\"main\">Log in</button></form>"
            );
        }
        page("Log in", &body)
    }
}

/// What a person is asked to agree to.
#[derive(Clone, Copy, Debug)]
pub struct Consent<'a> {
    /// Who asks.
    pub client: &'a Client,
    /// For what.
    pub ask: &'a Ask,
    /// Who is asked.
    pub who: &'a str,
    /// What ties the form to this session and request.
    pub ticket: &'a str,
}

impl Consent<'_> {
    /// The page. It names the client, each scope, the resource and where the answer goes.
    #[must_use]
    pub fn html(&self) -> String {
        let Self { client, ask, who, ticket } = *self;
        let scopes: Vec<String> = Scopes::read(&ask.scopes)
            .iter()
            .map(|scope| format!("{} <code>{}</code>", escape(&meaning(scope)), escape(scope)))
            .collect();
        let origin = match client.kind {
            Kind::Declared => "set up by whoever runs this gateway".to_owned(),
            Kind::Registered => "registered itself; nobody has checked its name".to_owned(),
            Kind::Document => format!("described by {}", document_host(&client.id)),
        };
        let mut body = format!(
            "<p>Logged in as <strong>{}</strong>.</p><dl><dt>Application</dt><dd>{}<br><small>{}</small></dd>\
             <dt>It will be able to</dt><dd>{}</dd><dt>At</dt><dd>{}</dd><dt>The answer goes to</dt><dd>{}</dd></dl>",
            escape(who),
            escape(&client.shown()),
            escape(&origin),
            scopes.join("<br>"),
            escape(&ask.resource),
            escape(redirect::shown(&ask.redirect_uri)),
        );
        if redirect::is_local(&ask.redirect_uri) {
            body += "<p class=\"warn\">The answer goes to a program on your own device. Any program there can claim this name: \
                     agree only if you have just started it yourself.</p>";
        }
        if ask.refresh {
            body += "<p>Access lasts until you or an administrator end it, or it is not used for a while.</p>";
        }
        body += &format!(
            "<form method=\"post\" action=\"/oauth/consent\"><input type=\"hidden\" name=\"ticket\" value=\"{}\">\
             <button class=\"main\" name=\"answer\" value=\"allow\">Allow</button>\
             <button name=\"answer\" value=\"deny\">Deny</button></form>",
            escape(ticket)
        );
        page("Allow access?", &body)
    }
}

/// A page that says what went wrong, for errors that may be sent nowhere.
#[must_use]
pub fn problem(what: &str) -> String {
    let next =
        "<p>Go back to the application and start again; if that does not help, tell whoever runs this gateway.</p>";
    page("This did not work", &format!("<p role=\"alert\">{}</p>{next}", escape(what)))
}

/// A page that says what is done.
#[must_use]
pub fn done(title: &str, what: &str) -> String {
    page(title, &format!("<p>{}</p>", escape(what)))
}

/// A scope in words.
fn meaning(scope: &str) -> String {
    let (kind, server) = match scope.match_indices(':').nth(1) {
        Some((at, _)) => (&scope[..at], Some(&scope[at + 1..])),
        None => (scope, None),
    };
    let what = if kind == "mcp:tools" { "call tools and read" } else { "read lists, resources and prompts" };
    match server {
        Some(server) => format!("{what} at {server}"),
        None => format!("{what} that you may use"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::authorize::Prompt;
    use super::super::client::Metadata;
    use super::*;

    fn client(name: &str) -> Client {
        let metadata = Metadata { client_name: Some(name.to_owned()), ..Metadata::default() };
        Client { id: "c1".to_owned(), kind: Kind::Registered, metadata }
    }

    fn consent(name: &str, redirect_uri: &str) -> String {
        let ask = Ask {
            client_id: "c1".to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            redirect_named: true,
            state: None,
            challenge: String::new(),
            resource: "https://gw.example/mcp".to_owned(),
            scopes: "mcp:tools:github".to_owned(),
            refresh: true,
            prompt: Prompt::Needed,
        };
        Consent { client: &client(name), ask: &ask, who: "ann", ticket: "t" }.html()
    }

    #[test]
    fn a_person_sees_who_asks_for_what_and_where_the_answer_goes() {
        let html = consent("Editor", "https://app.example.com/cb");
        for text in
            ["Editor", "ann", "call tools and read at github", "https://gw.example/mcp", "<dd>app.example.com</dd>"]
        {
            assert!(html.contains(text), "{text} is not in {html}");
        }
        assert!(!html.contains("your own device"));
    }

    #[test]
    fn a_program_on_the_own_device_comes_with_a_warning() {
        for uri in ["http://127.0.0.1:3000/cb", "cursor://x/cb"] {
            assert!(consent("Editor", uri).contains("your own device"), "{uri}");
        }
    }

    #[test]
    fn no_client_writes_html_onto_a_page() {
        let html = consent("<script>alert(1)</script>", "https://app.example.com/cb");
        assert!(!html.contains("<script>"));
        let login =
            Login { client: Some(&client("\"><img src=x>")), keys: true, problem: Some("<b>"), ..Login::default() };
        let html = login.html();
        assert!(!html.contains("<img") && !html.contains("<b>"), "{html}");
    }
}
