//! How the optimised program is linked.
//!
//! - The functions in the order of `order.txt` (made by `make order`): what calls pass first, then what starting needs, then
//!   the rest. Code is loaded in pages: where what is executed lies together, what is not stays out of memory. Names that no
//!   longer exist are passed over, so an old list only orders less.
//! - Functions of the same machine code once: generic code is the same for many types. Nothing here tells functions apart by
//!   their address.
//! - Relocations as bits instead of entries, where the loader of this machine knows them (glibc 2.36).

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=order.txt");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // Where Rust brings its own linker, lld, along; others do not know the option.
    let brings_lld = is("TARGET", "x86_64-unknown-linux-gnu") && env::var_os("RUSTC_LINKER").is_none();
    if !brings_lld || !is("PROFILE", "release") {
        return;
    }
    let Ok(folder) = env::var("CARGO_MANIFEST_DIR") else { return };
    let order = Path::new(&folder).join("order.txt");
    println!("cargo:rustc-link-arg-bins=-Wl,--symbol-ordering-file={}", order.display());
    println!("cargo:rustc-link-arg-bins=-Wl,--no-warn-symbol-ordering");
    println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    if glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's C library. A program linked here needs about as new a one anyway.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
