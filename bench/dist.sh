#!/usr/bin/env bash
# The program as it is released, into target/dist: built once to count what calls pass, run through the benchmark's lanes and a
# minute of mixed load, and built again by those counts (profile-guided optimisation). What calls pass is laid out and inlined for
# speed; what none of them came by is built small. Needs llvm-profdata of about the compiler's LLVM, and takes Debian's where
# there is none; a plain `cargo build --profile dist` is the same program without the counts.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
counts="$target/counts"

# The tool beside the compiler where rustup brought it, or the newest of the system's.
profdata() {
  local beside
  beside="$(find "$(rustc --print sysroot)/lib/rustlib" -name llvm-profdata -path '*/bin/*' | head -1)"
  if [ -n "$beside" ]; then echo "$beside"; return; fi
  compgen -c llvm-profdata- | grep -E '^llvm-profdata-(19|[2-9][0-9])$' | sort -V | tail -1
}
if [ -z "$(profdata)" ]; then
  { [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq llvm-19 >/dev/null; } ||
    { echo "llvm-profdata is missing: rustup component add llvm-tools, or Debian's llvm-19" >&2; exit 1; }
fi

echo "1/3: the program that counts" >&2
rm -rf "$counts" && mkdir -p "$counts"
# Link-time optimisation comes after the counters: without it they are the same, and the build is half as long.
CARGO_TARGET_DIR="$target/counting" CARGO_PROFILE_DIST_LTO=off RUSTFLAGS="-Cprofile-generate=$counts" \
  cargo build --profile dist --package gatehouse
cargo build --release --package gatehouse-bench

echo "2/3: what calls pass" >&2
# What build scripts and macros have counted meanwhile is not of the program.
rm -f "$counts"/*.profraw
counting="$target/counting/dist/gatehouse"
"$target/release/bench-run" --gateway "$counting" --quick --out "$counts" >/dev/null
"$target/release/bench-mcp" --gateway "$counting" --quick --out "$counts" >/dev/null
"$target/release/bench-soak" --gateway "$counting" --minutes 1 >/dev/null
"$(profdata)" merge --output "$counts/calls.profdata" "$counts"/*.profraw

echo "3/3: the program" >&2
# From a clean target; in a used one, crates that have not changed keep the counts they were built by.
RUSTFLAGS="-Cprofile-use=$counts/calls.profdata" cargo build --profile dist --package gatehouse
