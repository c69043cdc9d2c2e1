//! Bytes of a file to a configuration, or to everything that is wrong with it. Start-up, reload and `gatehouse check`
//! all come through here.
//!
//! `parse → resolve references → shape → typed structs → meaning`, and each step reports into the same list. File
//! reads and environment look-ups are handed in: this crate has none of its own.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::check::{Check, Place, Positions};
use crate::config::{Config, PolicyText};
use crate::objects::{self, Declared, Object};
use crate::problem::{Problem, Problems, Severity};
use crate::schema::{self, Known};
use crate::secrets::Secrets;
use crate::written::{File, PolicyItem, Price, Prices};
use crate::{references, resolve, shape, tenants, yaml};

/// What a file may refer to.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Name of the file in messages.
    pub file_name: &'a str,
    /// The folder relative paths start from.
    pub folder: &'a Path,
    /// Looks an environment variable up.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a text file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// The names of the files in a folder, in any order.
    pub list: &'a dyn Fn(&Path) -> io::Result<Vec<String>>,
    /// Stored secrets.
    pub secrets: Secrets<'a>,
    /// Names that other crates own.
    pub known: Known<'a>,
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is probably not meant so.
    pub warnings: Vec<Problem>,
    /// Every object of it, secrets masked.
    pub objects: Vec<Object>,
    /// Does it refer to secrets that were not open? Texts of no meaning stand in for them.
    pub stands_in: bool,
    check: Check,
}

impl Loaded {
    /// A problem that a later builder finds (`providers.aws.region`), at the line and column of its path, or of the
    /// nearest written place around it.
    #[must_use]
    pub fn problem_at(&self, path: &str, message: impl Into<String>, hint: Option<String>) -> Problem {
        self.check.problem(Place::Path(path), message.into(), hint, Severity::Error)
    }
}

/// Reads, resolves and checks a configuration.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines, warnings among it.
pub fn load(bytes: &[u8], around: &Surroundings<'_>) -> Result<Loaded, Problems> {
    load_with(bytes, &[], around)
}

/// The same with what the database declares beside the file.
///
/// # Errors
/// Everything that is wrong with either.
pub fn load_with(bytes: &[u8], declared: &[Declared<'_>], around: &Surroundings<'_>) -> Result<Loaded, Problems> {
    let mut root = tree(bytes, around.file_name)?;
    let mut check = Check::new(around.file_name, Positions::of(&root));
    references::resolve(&mut root, around, &mut check);
    objects::graft(&mut root, declared, around, &mut check);
    check.merged(Positions::of(&root), objects::owners(&root));
    let stands_in = matches!(around.secrets, Secrets::NotOpen) && shape::holds_a_secret(&root.value);
    let sound = shape::check(&root, &schema::exact(around.known), &mut check);
    let mut objects = objects::in_force(&sound, check.owners());
    // What the shape check lets through, the structs take: it walks a schema made of the same structs. Should they
    // ever disagree, the file is refused rather than half read.
    let config = match File::deserialize(&sound) {
        Ok(file) => {
            tenants::check(&file, declared, &mut check);
            resolve::config(file, around, &mut check)
        }
        Err(error) => {
            check.error(Place::Path(""), format!("not readable: {error}"), None);
            None
        }
    };
    let warnings = check.finish()?;
    match config {
        Some(config) => {
            objects.extend(objects::of_policies(&config.policies));
            Ok(Loaded { config, warnings, objects, stands_in, check })
        }
        None => {
            check.error(Place::Path(""), "not readable", None);
            Err(check.finish().err().unwrap_or(Problems(Vec::new())))
        }
    }
}

/// Reads a price file of its own: `overrides`, as in the section `prices`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_prices(bytes: &[u8], file_name: &str) -> Result<BTreeMap<String, Price>, Problems> {
    let root = tree(bytes, file_name)?;
    let mut check = Check::new(file_name, Positions::of(&root));
    let sound = shape::check(&root, &schema::of("Prices"), &mut check);
    let prices = Prices::deserialize(&sound).unwrap_or_default();
    resolve::price_file(&prices, &mut check);
    check.finish()?;
    Ok(prices.overrides)
}

/// Reads policies by file, pattern or text, as in the section `policies`.
///
/// # Errors
/// Everything that cannot be read.
pub fn policy_texts(items: &[String], around: &Surroundings<'_>) -> Result<Vec<PolicyText>, Problems> {
    let mut check = Check::new(around.file_name, Positions::default());
    let items: Vec<PolicyItem> = items.iter().cloned().map(PolicyItem::Word).collect();
    let texts = resolve::policies(&items, around, &mut check);
    check.finish()?;
    Ok(texts)
}

pub(crate) fn tree(bytes: &[u8], file_name: &str) -> Result<yaml::Node, Problems> {
    yaml::parse(bytes).map_err(|reason| {
        let mut check = Check::new(file_name, Positions::default());
        check.error(Place::At("", reason.at), reason.message, reason.hint);
        check.finish().err().unwrap_or(Problems(Vec::new()))
    })
}
