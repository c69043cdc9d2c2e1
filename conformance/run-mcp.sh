#!/usr/bin/env bash
# The official conformance suite of MCP, our own fixture and real servers and clients, against the built gateway. Sets up its own
# Node 22 and Python; writes the MCP part of docs/conformance.md and holds the results against
# conformance/mcp/expected-failures.json, which may only shrink (`UPDATE_EXPECTED=1` writes it anew).
#   conformance/run-mcp.sh                      everything
#   conformance/run-mcp.sh server client as     parts of it; `direct` is the fixture without the gateway, `real` the real peers
#   conformance/run-mcp.sh server/stdio-legacy  one row
# GATEHOUSE_BIN names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"

# npm_folder FOLDER: what its lock file says, if it is not there yet.
npm_folder() {
  cmp --silent "$1/package-lock.json" "$1/node_modules/installed.json" && return
  (cd "$1" && npm ci --silent --no-audit --no-fund)
  cp "$1/package-lock.json" "$1/node_modules/installed.json"
}

# venv FOLDER: likewise, for its requirements.
venv() {
  cmp --silent "$1/requirements.txt" "$1/.venv/installed.txt" && return
  python3 -m venv "$1/.venv"
  "$1/.venv/bin/python" -m pip install --quiet --requirement "$1/requirements.txt"
  cp "$1/requirements.txt" "$1/.venv/installed.txt"
}

if [ -z "${GATEHOUSE_BIN:-}" ]; then
  cargo build --quiet --package gatehouse
  export GATEHOUSE_BIN="$target/debug/gatehouse"
fi
CARGO_TARGET_DIR="$target/mcp-fixture" cargo build --quiet --locked --manifest-path conformance/mcp/fixture/Cargo.toml
export MCP_FIXTURE_BIN="$target/mcp-fixture/debug/mcp-fixture" RMCP_CALLER_BIN="$target/mcp-fixture/debug/rmcp-caller"

npm_folder conformance/mcp/judge
if [ $# -eq 0 ] || [[ " $* " == *" real"* ]]; then
  peers=conformance/mcp/peers
  npm_folder $peers
  # The servers and the clients of PyPI do not agree on everything they need.
  venv $peers/clients
  venv $peers/servers
fi
exec python3 conformance/mcp/run.py "$@"
