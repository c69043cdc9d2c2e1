//! What the loader accepts, refuses and says, as its users see it.

mod hostile;
mod limits;
mod mcp;
mod meaning;
mod objects;
mod places;
mod principals;
mod references;

use std::io;
use std::path::Path;

use gatehouse_domain::Secret;

use crate::{Config, Known, Loaded, OpenSecrets, Problems, Secrets, Surroundings, load};

pub(super) const KNOWN: Known<'static> = Known {
    provider_kinds: &["openai", "anthropic", "gemini", "bedrock", "openai-compatible", "demo"],
    strategies: &["weighted", "priority", "least_busy", "lowest_latency", "lowest_cost", "headroom"],
};

/// Loads with a small world around: two variables and two files.
pub(super) fn read(text: impl AsRef<[u8]>) -> Result<Loaded, Problems> {
    let env = |name: &str| match name {
        "OPENAI_API_KEY" => Some("sk-from-the-environment".to_owned()),
        "PORT" => Some("9000".to_owned()),
        "EMPTY" => Some(String::new()),
        "YAML" => Some("x, listen: 0.0.0.0:1".to_owned()),
        _ => None,
    };
    let file = |path: &Path| match path.to_str() {
        Some("/run/secrets/key") => Ok("sk-from-a-file\n".to_owned()),
        Some("/etc/gatehouse/cert.pem") => Ok("-----BEGIN CERTIFICATE-----".to_owned()),
        Some("/etc/gatehouse/policies/a.cedar") => Ok("permit (principal, action, resource);".to_owned()),
        Some("/etc/gatehouse/petstore.yaml") => Ok("openapi: 3.1.0\npaths: {/pets: {}}\n".to_owned()),
        Some("/etc/gatehouse/swagger.json") => Ok(r#"{"swagger": "2.0", "paths": {}}"#.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let list = |folder: &Path| match folder.to_str() {
        Some("/etc/gatehouse/policies") => Ok(["b.txt", "a.cedar", ".a.cedar"].map(str::to_owned).to_vec()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let folder = Path::new("/etc/gatehouse");
    let mut open = OpenSecrets::default();
    open.insert("default", "openai".to_owned(), Ok(Secret::new("sk-from-the-vault")));
    open.insert("default", "torn".to_owned(), Err("its master key is gone".to_owned()));
    let secrets = Secrets::Open(&open);
    let around = Surroundings {
        file_name: "gatehouse.yaml",
        folder,
        env: &env,
        read: &file,
        list: &list,
        secrets,
        known: KNOWN,
    };
    load(text.as_ref(), &around)
}

pub(super) fn good(text: &str) -> Config {
    match read(text) {
        Ok(loaded) => loaded.config,
        Err(problems) => panic!("refused:\n{problems}"),
    }
}

/// The problems, one a line.
pub(super) fn bad(text: impl AsRef<[u8]>) -> String {
    match read(text) {
        Ok(_) => panic!("accepted"),
        Err(problems) => problems.to_string(),
    }
}

/// Asserts that a text is refused with exactly these lines.
#[track_caller]
pub(super) fn refused(text: &str, lines: &[&str]) {
    assert_eq!(bad(text).lines().collect::<Vec<_>>(), lines);
}

pub(super) fn warnings(text: &str) -> Vec<String> {
    match read(text) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => panic!("refused:\n{problems}"),
    }
}
