//! `gatehouse secrets list|set|delete|rotate`: what is stored sealed. A value comes in through standard input or a file,
//! never through an argument, and is never shown.

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use gatehouse_catalog::is_secret_name;
use gatehouse_domain::{DEFAULT_ORGANISATION, Secret};
use gatehouse_store::vault::{CONFIG_SECRET, SecretInfo, Vault};
use http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::acts::{audited, by_command};
use crate::admin_client::{AdminClient, encoded};
use crate::cli::{Output, PlaceArguments};
use crate::config_file;
use crate::failure::Failure;
use crate::output::{Listing, rows};
use crate::place::{Folder, Place};

const COLUMNS: &[&str] = &["name", "kind", "organisation", "fingerprint", "last4", "master_key"];
const ROTATED: [&str; 3] = ["master_key", "rewrapped", "retired"];
/// The longest secret, and a line break.
const BYTES_MAX: u64 = 64 * 1024 + 2;

/// What to do with stored secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List what there is: names, fingerprints, last four characters.
    List,
    /// Store a secret, or replace its value. The value is read from standard input.
    Set {
        /// Which.
        #[command(flatten)]
        which: Which,
        /// Read the value from this file instead.
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// Delete a secret.
    Delete {
        /// Which.
        #[command(flatten)]
        which: Which,
    },
    /// Wrap every secret by a new master key. The gateway may run meanwhile.
    Rotate,
}

/// Names a secret.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its name.
    name: String,
    /// What it is for.
    #[arg(long, default_value = CONFIG_SECRET)]
    kind: String,
    /// Whose it is.
    #[arg(long, default_value = DEFAULT_ORGANISATION)]
    organisation: String,
}

/// Does it.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let listing = match Place::open(place).await? {
        Place::Gateway(client) => ask(action, &client).await?,
        Place::Folder(folder) => {
            let listing = act(action, &folder).await;
            folder.store.close().await;
            listing?
        }
    };
    listing.write(output.output, &mut std::io::stdout().lock())
}

/// Through a running gateway: it has the secrets of the key's own organisation.
async fn ask(action: Action, client: &AdminClient) -> Result<Listing, Failure> {
    let path = |which: &Which| {
        let next = "run it on the gateway's machine with --config FILE, or leave --kind and --organisation out";
        let own = which.kind == CONFIG_SECRET && which.organisation == DEFAULT_ORGANISATION;
        let path = own.then(|| format!("/api/v1/secrets/{}", encoded(&which.name)));
        path.ok_or_else(|| Failure::usage("a gateway takes secrets of the key's own organisation alone", next))
    };
    match action {
        Action::List => Ok(listed(&client.every("/api/v1/secrets", &[]).await?)),
        Action::Set { which, from_file } => {
            let path = path(&which)?;
            let body = json!({ "value": read(from_file)?.reveal() });
            let answer = client.ask(Method::PUT, &path, Some(&body)).await?;
            Ok(listed(&[&answer["secret"]]))
        }
        Action::Delete { which } => {
            client.ask(Method::DELETE, &path(&which)?, None).await?;
            Ok(listed(&client.every("/api/v1/secrets", &[]).await?))
        }
        Action::Rotate => {
            let rotated = client.ask(Method::POST, "/api/v1/master_key/rotate", None).await?;
            Ok(Listing::new(ROTATED, rows(&[rotated])))
        }
    }
}

async fn act(action: Action, folder: &Folder) -> Result<Listing, Failure> {
    let vault = folder.store.unlock(config_file::master_keys(&folder.config))?;
    match action {
        Action::List => Ok(listed(&vault.list(None).await?)),
        Action::Set { which, from_file } => {
            let secret = read(from_file)?;
            let act = by_command("secrets.put", "secrets", &which.name);
            let stored = audited(&folder.store, act, set(&vault, &which, &secret)).await?;
            Ok(listed(&[stored]))
        }
        Action::Delete { which } => {
            let act = by_command("secrets.delete", "secrets", &which.name);
            audited(&folder.store, act, delete(&vault, &which)).await?;
            Ok(listed(&vault.list(None).await?))
        }
        Action::Rotate => {
            let act = by_command("master_key.rotate", "master_key", "");
            let rotated = audited(&folder.store, act, async { Ok::<_, Failure>(vault.rotate().await?) }).await?;
            Ok(Listing::new(ROTATED, rows(&[rotated])))
        }
    }
}

async fn set(vault: &Vault, which: &Which, secret: &Secret) -> Result<SecretInfo, Failure> {
    if ![&which.name, &which.kind].into_iter().all(|name| is_secret_name(name)) {
        let next = "use 1 to 128 letters, digits and any of . _ - /";
        return Err(Failure::usage("the name or kind cannot be used", next));
    }
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    Ok(vault.put(&which.organisation, &which.kind, &which.name, secret, now).await?)
}

async fn delete(vault: &Vault, which: &Which) -> Result<(), Failure> {
    if vault.delete(&which.organisation, &which.kind, &which.name).await? {
        return Ok(());
    }
    Err(Failure::problem(
        format!("there is no secret {} `{}`", which.kind, which.name),
        "gatehouse secrets list shows them",
    ))
}

/// Editors and `echo` end a value with a line break that is no part of it.
fn read(file: Option<PathBuf>) -> Result<Secret, Failure> {
    let mut text = String::new();
    let read = match &file {
        Some(path) => std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text)),
        None => std::io::stdin().lock().take(BYTES_MAX).read_to_string(&mut text),
    };
    read.map_err(|error| Failure::problem(format!("the value cannot be read: {error}"), "it must be text"))?;
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    Ok(Secret::new(text))
}

fn listed<T: Serialize>(secrets: &[T]) -> Listing {
    Listing::new(COLUMNS.iter().copied(), rows(secrets))
}
