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

if [ -z "${GATEHOUSE_BIN:-}" ]; then
  cargo build --quiet --package gatehouse
  export GATEHOUSE_BIN="$target/debug/gatehouse"
fi
CARGO_TARGET_DIR="$target/mcp-fixture" cargo build --quiet --locked --manifest-path conformance/mcp/fixture/Cargo.toml
export MCP_FIXTURE_BIN="$target/mcp-fixture/debug/mcp-fixture" RMCP_CALLER_BIN="$target/mcp-fixture/debug/rmcp-caller"

judge=conformance/mcp/judge
if ! cmp --silent $judge/package-lock.json $judge/node_modules/installed.json; then
  (cd $judge && npm ci --silent --no-audit --no-fund)
  cp $judge/package-lock.json $judge/node_modules/installed.json
fi
exec python3 conformance/mcp/run.py "$@"
