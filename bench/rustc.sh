#!/usr/bin/env bash
# A wrapper around the compiler for dist.sh.
#
# Crates built for speed are built at level s, and what that says of their functions is taken back: at this level crates use what
# the crates they know have made of generic code already, instead of making it again. Link-time optimisation, at the level of
# the program's own crate, makes up for the rest.
#
# Where a library's sources lay is left out of what the program says of its panics.
#
# Functions are built for size if they are named in $SELDOM. What the compiler says of names that a crate does not have, a line
# each, is left out.
set -uo pipefail
more=()
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do more+=("--remap-path-prefix=$sources="); done
case " $* " in
  *" --crate-name gatehouse "*" --crate-type bin "*) ;;
  *" opt-level=3 "*) more+=(-Copt-level=s -Cllvm-args=-force-remove-attribute=optsize) ;;
esac
case " $* " in
  *" opt-level="*) [ -z "${SELDOM:-}" ] || more+=("-Cllvm-args=-forceattrs-csv-path=$SELDOM") ;;
esac
{ "$@" "${more[@]}" 2>&1 >&9 | grep -v '^Function in CSV file at line' >&2; exit "${PIPESTATUS[0]}"; } 9>&1
