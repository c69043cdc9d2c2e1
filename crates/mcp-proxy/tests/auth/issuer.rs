//! An authorization server and the documents of the MCP server it issues for, scripted, on loopback. Refresh tokens are taken
//! once: a second use of one is theft and ends everything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server does otherwise than a good one.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// Seconds tokens are good for.
    pub(crate) lifetime: u64,
    /// Members of the resource's document.
    pub(crate) resource: Value,
    /// Members of the issuer's document.
    pub(crate) metadata: Value,
    /// The `iss` that comes with codes, in place of the issuer.
    pub(crate) iss: Option<String>,
    /// Refreshes are answered so.
    pub(crate) refuse_refresh: Option<(u16, Value)>,
    /// Documents are redirected there.
    pub(crate) redirect: Option<String>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) script: Script,
    /// Requests as `METHOD /path`, and their bodies.
    pub(crate) asked: Vec<(String, String)>,
    /// Headers `authorization` that came.
    pub(crate) authorizations: Vec<String>,
    issued: u64,
    live: Option<u64>,
    pub(crate) theft: bool,
}

#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Issuer {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Self { url, state: Arc::new(Mutex::new(State { script, ..State::default() })) };
        let serving = issuer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let issuer = serving.clone();
                tokio::spawn(async move { issuer.serve(stream).await });
            }
        });
        issuer
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|(asked, _)| asked.contains(path)).count()
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.bodies("/token").iter().filter(|body| body.contains("grant_type=refresh_token")).count()
    }

    pub(crate) fn bodies(&self, path: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|(asked, _)| asked.contains(path)).map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.state.lock().unwrap().script);
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let (head, length) = loop {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await.unwrap();
            if read == 0 {
                return;
            }
            bytes.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some(end) = text.find("\r\n\r\n") {
                let head = text[..end].to_owned();
                let header = |name: &str| {
                    head.lines()
                        .find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(|v| v.trim().to_owned()))
                };
                let length = header("content-length:").map_or(0, |length| length.parse::<usize>().unwrap());
                if bytes.len() >= end + 4 + length {
                    break (head, end + 4);
                }
            }
        };
        let body = String::from_utf8_lossy(&bytes[length..]).into_owned();
        let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        let (status, location, answer) = self.answer(&head, &line, &body);
        let location = location.map(|to| format!("location: {to}\r\n")).unwrap_or_default();
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{location}content-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
    }

    fn answer(&self, head: &str, line: &str, body: &str) -> (u16, Option<String>, Value) {
        let mut state = self.state.lock().unwrap();
        state.asked.push((line.to_owned(), body.to_owned()));
        let shown = head.lines().find_map(|line| line.strip_prefix("authorization: "));
        state.authorizations.extend(shown.map(str::to_owned));
        let (url, script) = (&self.url, state.script.clone());
        let path = line.split_once(' ').map_or("", |(_, path)| path);
        if let Some(elsewhere) = &script.redirect {
            return (302, Some(elsewhere.clone()), Value::Null);
        }
        match path.split('?').next().unwrap_or_default() {
            "/.well-known/oauth-protected-resource/mcp" => {
                let about = json!({"resource": format!("{url}/mcp"), "authorization_servers": [url]});
                (200, None, with(about, &script.resource))
            }
            "/.well-known/oauth-authorization-server" => {
                let about = json!({
                    "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
                    "token_endpoint": format!("{url}/token"), "registration_endpoint": format!("{url}/register"),
                    "code_challenge_methods_supported": ["S256"], "scopes_supported": ["offline_access"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "authorization_response_iss_parameter_supported": true,
                });
                (200, None, with(about, &script.metadata))
            }
            "/register" => (201, None, json!({"client_id": "gate"})),
            "/authorize" => {
                let asked = query(path);
                let iss = script.iss.clone().unwrap_or_else(|| url.clone());
                (302, Some(format!("{}?code=c&state={}&iss={iss}", asked["redirect_uri"], asked["state"])), Value::Null)
            }
            "/token" => self.token(&mut state, body),
            _ => (404, None, json!({})),
        }
    }

    fn token(&self, state: &mut State, body: &str) -> (u16, Option<String>, Value) {
        let asked = query(&format!("?{body}"));
        if asked["grant_type"] == "refresh_token" {
            if let Some((status, answer)) = &state.script.refuse_refresh {
                return (*status, None, answer.clone());
            }
            let used: u64 = asked["refresh_token"].trim_start_matches("refresh-").parse().unwrap();
            if state.live != Some(used) || state.theft {
                state.theft = true;
                return (400, None, json!({"error": "invalid_grant"}));
            }
        }
        state.issued += 1;
        let number = state.issued;
        let mut answer = json!({
            "access_token": format!("access-{number}"), "token_type": "Bearer", "expires_in": state.script.lifetime
        });
        if matches!(&*asked["grant_type"], "refresh_token" | "authorization_code") {
            state.live = Some(number);
            answer["refresh_token"] = format!("refresh-{number}").into();
        }
        (200, None, answer)
    }
}

fn with(mut document: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    document
}

/// The parameters of an address, decoded.
pub(crate) fn query(address: &str) -> BTreeMap<String, String> {
    let pairs = address.split_once('?').map_or("", |(_, query)| query).split('&');
    pairs.filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// `GET`s an address and says where it leads on.
pub(crate) async fn follow(address: &str) -> String {
    let rest = address.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned()
}
