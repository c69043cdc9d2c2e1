//! Has the linker lay the functions of the optimised program in the order of `order.txt` (made by `make order`): what calls
//! pass first, then what starting needs, then the rest. A program of 36 MiB of which a third is ever executed then keeps a
//! third in memory. Names that no longer exist are passed over, so an old list only orders less.

use std::env;
use std::path::Path;

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
}
