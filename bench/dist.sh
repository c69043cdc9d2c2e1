#!/usr/bin/env bash
# The program as it is released, into target/dist: built once to count what calls pass, run through the benchmark's lanes and a
# minute of mixed load, and built again by those counts (profile-guided optimisation). What calls pass is laid out and inlined for
# speed; what they hardly come by is built as small as it gets. Needs llvm-profdata of about the compiler's LLVM, and takes
# Debian's where there is none; a plain `cargo build --profile dist` is the same program without the counts.
# `gatehouse.symbols` beside it is the same program with its symbols, for profilers and `make order`.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
counts="$target/counts"
# A function that was passed less often than this while all lanes ran is not on the path of relayed calls, and passed once at most by those
# of one or two other lanes.
seldom=10000
# Nor is one that was hardly passed but to start up: what the lanes' gateways took for that is less than this many times what those
# of a run without lanes take.
starts=12

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

# Name and highest count of every function that was compiled to be counted; those of one module carry its name before a semicolon.
functions() {
  "$(profdata)" show --all-functions --counts "$1" | awk '
    /^  [^ ].*:$/ { name = substr($0, 3, length($0) - 3); sub(/^[^;]*;/, "", name) }
    /^    Block counts: / {
      most = 0
      gsub(/[^0-9 ]/, "")
      for (at = 1; at <= NF; at++) if ($at > most) most = $at
      print name "\t" most
    }'
}

echo "1/3: the program that counts" >&2
rm -rf "$counts" && mkdir -p "$counts" "$target/counting"
# Cargo does not look whether the wrapper is another one.
cmp -s bench/rustc.sh "$target/counting/rustc.sh" || rm -rf "$target/counting"/*
cp bench/rustc.sh "$target/counting/"
# The profile must be the same, since it is part of the functions' names, and counts are kept by name. Link-time optimisation comes
# after the counters: without it they are the same, and the build is half as long.
RUSTC_WRAPPER="$PWD/bench/rustc.sh" CARGO_TARGET_DIR="$target/counting" RUSTFLAGS="-Cprofile-generate=$counts -Clto=off -Clinker-plugin-lto=no" \
  cargo build --profile dist --package gatehouse
cargo build --release --package gatehouse-bench

echo "2/3: what calls pass" >&2
# What build scripts and macros have counted meanwhile is not of the program.
rm -f "$counts"/*.profraw
counting="$target/counting/dist/gatehouse"
merged() { "$(profdata)" merge --output "$counts/$1.profdata" "$counts"/*.profraw && rm "$counts"/*.profraw; }
"$target/release/bench-run" --gateway "$counting" --quick --lane none --out "$counts" >/dev/null
merged starts
"$target/release/bench-run" --gateway "$counting" --quick --out "$counts" >/dev/null
"$target/release/bench-mcp" --gateway "$counting" --quick --out "$counts" >/dev/null
"$target/release/bench-soak" --gateway "$counting" --minutes 1 >/dev/null
merged calls
# A name may stand for a function in each of several crates: it is that of the one passed most. Unwind tables are smaller where the
# frame is found by its pointer.
awk -F '\t' -v seldom="$seldom" -v starts="$starts" '
  FNR == NR { if ($2 > start[$1]) start[$1] = $2; next }
  !($1 in call) || $2 > call[$1] { call[$1] = $2 }
  END { for (name in call) if (call[name] < seldom + starts * start[name]) { print name ",minsize"; print name ",frame-pointer=all" } }
' <(functions "$counts/starts.profdata") <(functions "$counts/calls.profdata") | sort >"$counts/seldom.csv"
# The counts of those are left out: without them the same function for several types, or of several crates, becomes the same code,
# which the program then has once.
"$(profdata)" merge --text --output "$counts/calls.txt" "$counts/calls.profdata"
awk -v seldom="$counts/seldom.csv" '
  BEGIN { while ((getline line <seldom) > 0) { sub(/,.*/, "", line); left[line] } FS = "\n"; RS = ""; ORS = "\n\n" }
  { name = $1; sub(/^[^;]*;/, "", name) }
  NR == 1 || !(name in left)
' "$counts/calls.txt" >"$counts/often.txt"
"$(profdata)" merge --output "$counts/often.profdata" "$counts/often.txt"

echo "3/3: the program" >&2
# Nor whether the counts are others: a crate that has not changed would keep those it was built by.
rm -rf "$target/dist"
RUSTC_WRAPPER="$PWD/bench/rustc.sh" SELDOM="$counts/seldom.csv" RUSTFLAGS="-Cprofile-use=$counts/often.profdata -Cstrip=none" \
  cargo build --profile dist --package gatehouse
mv "$target/dist/gatehouse" "$target/dist/gatehouse.symbols"
strip -o "$target/dist/gatehouse" "$target/dist/gatehouse.symbols"

# Counts that are found under no name would go unnoticed.
known="$(nm "$target/dist/gatehouse.symbols" | awk '{ print $3 }' | sort -u | comm -12 - <(functions "$counts/calls.profdata" | cut -f 1 | sort -u) | wc -l)"
echo "$known functions of the program were counted" >&2
[ "$known" -gt 1000 ] || { echo "the counts are of another program" >&2; exit 1; }
