//! `gatehouse mcp proxy`: a gateway of one MCP server. It is the whole gateway, started with a configuration of a few lines in a
//! folder that goes when it ends; so a client of any revision reaches a server of any, over HTTP or as a program of its own.

use std::fs::{self, DirBuilder};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use gatehouse_domain::{Origin, Secret};
use gatehouse_mcp_proxy::relay::{Door, relay};
use gatehouse_store::{DataDir, keys};
use gatehouse_upstream::child::own_streams;
use gatehouse_upstream::{Pool, PoolLimits, tls_config};
use http::uri::PathAndQuery;
use serde_json::{Map, Value, json};
use tokio::fs::File;

use crate::failure::Failure;
use crate::house::{Options, Ready, run};

/// Arguments of `mcp proxy`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("server").required(true).multiple(false).args(["to", "command"]))]
pub(crate) struct Arguments {
    /// The server is at this URL: Streamable HTTP of any revision, or HTTP with SSE.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// A header for the server, as `name: value`.
    #[arg(long = "header", value_name = "HEADER", requires = "to")]
    headers: Vec<String>,
    /// A bearer token for the server.
    #[arg(long, env = "GATEHOUSE_MCP_BEARER", hide_env_values = true, requires = "to")]
    bearer: Option<String>,
    /// The server is this program, with these arguments. Arguments that begin with `-` go last, after `--`.
    #[arg(long, value_name = "PROGRAM", num_args = 1..)]
    command: Vec<String>,
    /// A variable for the program's environment, as `NAME=VALUE`. Nothing but PATH, HOME, LANG and TMPDIR is inherited.
    #[arg(long = "env", value_name = "VARIABLE", requires = "command", conflicts_with = "to")]
    env: Vec<String>,
    /// More arguments of the program.
    #[arg(last = true, requires = "command")]
    rest: Vec<String>,
    /// Serve clients over HTTP here, at /mcp.
    #[arg(long, default_value = "127.0.0.1:8082", conflicts_with = "stdio")]
    listen: SocketAddr,
    /// The key that clients over HTTP have to show; without one, only this machine is served.
    #[arg(long, env = "GATEHOUSE_PROXY_KEY", hide_env_values = true, conflicts_with = "stdio")]
    key: Option<String>,
    /// Serve one client over standard input and output.
    #[arg(long)]
    stdio: bool,
    /// Keep data, records of calls included, in this folder.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

pub(super) fn run_command(arguments: Arguments) -> Result<(), Failure> {
    let key = match (&arguments.key, arguments.stdio) {
        (Some(key), _) => Some(Secret::new(key.as_str())),
        // Other users of this machine must not find the way that is meant for one client.
        (None, true) => Some(fresh_key()?),
        (None, false) if arguments.listen.ip().is_loopback() => None,
        (None, false) => {
            let message = format!("{} can be reached from other machines", arguments.listen.ip());
            return Err(Failure::usage(message, "set a key with --key or GATEHOUSE_PROXY_KEY"));
        }
    };
    let folder = Folder::make(arguments.data_dir.clone())?;
    let file = folder.0.join("proxy.yaml");
    let text = configuration(&arguments, key.as_ref(), &folder)?.to_string();
    private(&file, &text)?;
    // Taken before anything is logged.
    let streams = if arguments.stdio { Some(own_streams()?) } else { None };
    let options = Options { file: Some(file), listen: None, data_dir: None, claim_remote: false };
    run(options, async move |ready: Ready<'_>| {
        if let (Some(streams), Some(key)) = (streams, key) {
            serve_streams(&ready, key, streams)?;
        }
        Ok(())
    })
}

/// Standard input and output.
type Streams = (fs::File, fs::File);

/// Carries the standard streams to the gateway; their end is the gateway's.
fn serve_streams(ready: &Ready<'_>, key: Secret, (input, output): Streams) -> Result<(), Failure> {
    let origin = Origin { tls: false, host: ready.address.ip().to_string().into(), port: ready.address.port() };
    let door = Door { origin, path: PathAndQuery::from_static("/mcp"), key: Some(key) };
    let pool = Pool::new(tls_config(None)?, PoolLimits::default());
    let stop = Arc::clone(&ready.stop);
    tokio::spawn(async move {
        if let Err(error) = relay(pool, door, File::from_std(input), File::from_std(output)).await {
            tracing::warn!(%error, "the client's streams failed");
        }
        stop.notify_one();
    });
    Ok(())
}

/// The configuration of a gateway of one server. JSON is YAML.
fn configuration(arguments: &Arguments, key: Option<&Secret>, folder: &Folder) -> Result<Value, Failure> {
    let listen = if arguments.stdio { SocketAddr::from(([127, 0, 0, 1], 0)) } else { arguments.listen };
    let mut whole = json!({
        "listen": listen.to_string(),
        "data_dir": plain(&folder.0.to_string_lossy()),
        "auth": {"anonymous": key.is_none()},
        "mcp": {"pins": "allow_new"},
        "mcp_servers": {"server": server(arguments)?},
    });
    if let Some(key) = key {
        whole["keys"] = json!([{"name": "proxy", "secret": plain(key.reveal())}]);
    }
    Ok(whole)
}

fn server(arguments: &Arguments) -> Result<Value, Failure> {
    let Some(url) = &arguments.to else {
        let command: Vec<_> = arguments.command.iter().chain(&arguments.rest).map(|word| plain(word)).collect();
        return Ok(json!({"command": command, "env": pairs(&arguments.env, '=', "--env NAME=VALUE")?}));
    };
    let mut server = json!({"url": plain(url), "headers": pairs(&arguments.headers, ':', "--header 'name: value'")?});
    if let Some(bearer) = &arguments.bearer {
        server["auth"] = json!({"bearer": plain(bearer)});
    }
    Ok(server)
}

fn pairs(texts: &[String], between: char, usage: &str) -> Result<Map<String, Value>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text
            .split_once(between)
            .ok_or_else(|| Failure::usage(format!("`{text}` is no name and value"), format!("write {usage}")))?;
        Ok((name.trim().to_owned(), plain(value.trim_start()).into()))
    };
    texts.iter().map(pair).collect()
}

/// What came from the command line is meant as it is: it refers to nothing.
fn plain(text: &str) -> String {
    text.replace("${", "$${")
}

fn fresh_key() -> Result<Secret, Failure> {
    let failed = |error| Failure::problem(error, "the system gives no random numbers");
    let id = keys::new_id().map_err(failed)?;
    Ok(keys::mint("proxy", &id).map_err(failed)?.secret)
}

/// Writes a file that only its owner reads: there are secrets in it.
fn private(file: &PathBuf, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut open = fs::OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(0o600);
    let written = open.open(file).and_then(|mut out| out.write_all(text.as_bytes()));
    written.map_err(|error| Failure::problem(format!("cannot write {}: {error}", file.display()), "check the folder"))
}

/// What the names of folders that go begin with.
const FOLDERS: &str = "gatehouse-proxy-";
/// A folder is nobody's if it is so old and no process holds it; younger ones may only just be coming into use.
const LEFT_AFTER: Duration = Duration::from_secs(60);

/// Removes the folders of proxies that were killed before they could.
fn remove_left(home: &Path) {
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(FOLDERS)) {
        let age = |found: fs::Metadata| found.modified().ok()?.elapsed().ok();
        let folder = entry.metadata().ok().filter(fs::Metadata::is_dir);
        let left = folder.and_then(age).is_some_and(|age| age > LEFT_AFTER);
        // Who can take its lock is alone with it. Those of other users cannot be opened.
        if left && DataDir::create(entry.path()).is_ok_and(|dir| dir.lock().is_ok()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Where the gateway keeps what it keeps.
struct Folder(PathBuf, bool);

impl Folder {
    /// The one that is given, or one that goes when the gateway ends.
    fn make(given: Option<PathBuf>) -> Result<Self, Failure> {
        let goes = given.is_none();
        let failed = |error| Failure::problem(error, "set another folder with --data-dir");
        let fresh = || {
            let id = keys::new_id().map_err(|error| failed(error.to_string()))?;
            Ok::<_, Failure>(std::env::temp_dir().join(format!("{FOLDERS}{id}")))
        };
        if goes {
            remove_left(&std::env::temp_dir());
        }
        let folder = given.map_or_else(fresh, Ok)?;
        let made = DirBuilder::new().recursive(!goes).mode(0o700).create(&folder);
        made.map_err(|error| failed(format!("cannot make the folder {}: {error}", folder.display())))?;
        let folder = folder.canonicalize().map_err(|error| failed(error.to_string()))?;
        Ok(Self(folder, goes))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.1 {
            // What cannot be deleted is left to whoever cleans the folder of temporary files.
            drop(fs::remove_dir_all(&self.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn written(line: &[&str]) -> Value {
        let arguments = Line::try_parse_from([&["proxy"], line].concat()).unwrap().arguments;
        configuration(&arguments, None, &Folder("/data".into(), false)).unwrap()
    }

    #[test]
    fn what_the_line_says_is_meant_as_it_stands() {
        let server = &written(&["--command", "npx", "a ${B} c", "--env", "X=${Y}", "--stdio", "--", "-y"])["mcp_servers"]
            ["server"];
        assert_eq!(server, &json!({"command": ["npx", "a $${B} c", "-y"], "env": {"X": "$${Y}"}}));
    }

    #[test]
    fn headers_and_a_token_go_to_a_server_at_a_url() {
        let whole = written(&[
            "--to",
            "https://example.com/mcp",
            "--header",
            "x-team: a:b",
            "--bearer",
            "t",
            "--listen",
            "127.0.0.1:9",
        ]);
        let server = json!({"url": "https://example.com/mcp", "headers": {"x-team": "a:b"}, "auth": {"bearer": "t"}});
        assert_eq!(whole["mcp_servers"]["server"], server);
        assert_eq!((&whole["listen"], &whole["auth"]["anonymous"]), (&json!("127.0.0.1:9"), &json!(true)));
    }

    #[test]
    fn a_server_is_either_at_a_url_or_a_program() {
        for line in [&["--stdio"][..], &["--to", "http://a", "--command", "b"], &["--to", "http://a", "--env", "A=b"]] {
            assert!(Line::try_parse_from([&["proxy"], line].concat()).is_err(), "{line:?}");
        }
    }
}
