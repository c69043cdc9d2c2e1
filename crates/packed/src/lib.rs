//! Long texts that come along in the program, a tenth of their size: the price catalogue, the schema of the configuration
//! file, the document of the admin API. They stand in the repository as they are read; a build script packs them
//! ([`pack`]), `packed!` takes them into the program, and whoever asks first unpacks them.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::{env, fs};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// The text that the build script of this crate packed under a file's name: `packed!("catalogue.tsv")`, a `String`.
#[macro_export]
macro_rules! packed {
    ($name:literal) => {
        $crate::unpack(include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")))
    };
}

/// Packs a file for `packed!`, which knows it by its name alone. For build scripts; the path is from the crate's folder on.
///
/// # Errors
/// When the file cannot be read, or the folder of the build not be written to.
pub fn pack(path: &str) -> std::io::Result<()> {
    let folder =
        env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("OUT_DIR is set for build scripts only"))?;
    let name = Path::new(path).file_name().ok_or_else(|| std::io::Error::other("a path that ends in no name"))?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&fs::read(path)?)?;
    let mut at = Path::new(&folder).join(name).into_os_string();
    at.push(".gz");
    fs::write(at, packed.finish()?)
}

/// The text again. Nothing but what [`pack`] made comes here, from the program itself: what is none of it is no text.
#[must_use]
pub fn unpack(packed: &[u8]) -> String {
    let mut text = String::new();
    if GzDecoder::new(packed).read_to_string(&mut text).is_err() {
        text.clear();
    }
    text
}
