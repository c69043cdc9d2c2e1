#!/usr/bin/env bash
# Official SDKs against the built gateway: every client dialect by every upstream dialect, with a scripted provider that
# checks what arrives. Writes docs/conformance.md and holds the result against conformance/sdk/expected.json: what passed
# once may not fail again. `UPDATE_EXPECTED=1` takes the new result over. A word as argument runs only clients of that name.
set -euo pipefail
cd "$(dirname "$0")/.."
only="${1:-}"
profile_dir="${CARGO_TARGET_DIR:-target}/debug"
out="$(mktemp -d)"
trap 'kill "${gateway:-}" "${provider:-}" 2>/dev/null || true; rm -rf "$out"' EXIT

cargo build --quiet --package gatehouse --package gatehouse-tests --bins
python="conformance/.venv/bin/python"
if ! cmp --silent conformance/sdk/requirements.txt conformance/.venv/installed.txt; then
  python3 -m venv conformance/.venv
  "$python" -m pip install --quiet --requirement conformance/sdk/requirements.txt
  cp conformance/sdk/requirements.txt conformance/.venv/installed.txt
fi
if ! cmp --silent conformance/sdk/package-lock.json conformance/sdk/node_modules/installed.json; then
  (cd conformance/sdk && npm ci --silent --ignore-scripts)
  cp conformance/sdk/package-lock.json conformance/sdk/node_modules/installed.json
fi

mkfifo "$out/stop"
"$profile_dir/scripted-upstream" 0 <"$out/stop" >"$out/provider.url" &
provider=$!
exec 9>"$out/stop" # held open: the provider answers until this script ends
until [ -s "$out/provider.url" ]; do sleep 0.05; done
upstream="$(cat "$out/provider.url")"

key="gk_conformance_1c7e9a40d2b85f63"
port="$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
"$python" conformance/sdk/house.py "$upstream" "$port" "$key" "$out/data" >"$out/gatehouse.yaml"
"$profile_dir/gatehouse" serve --config "$out/gatehouse.yaml" >"$out/gateway.log" 2>&1 &
gateway=$!
for _ in $(seq 200); do
  curl --silent --fail --output /dev/null "http://127.0.0.1:$port/readyz" && break
  kill -0 "$gateway" 2>/dev/null || { cat "$out/gateway.log"; exit 1; }
  sleep 0.05
done

"$python" conformance/sdk/python/run.py "http://127.0.0.1:$port" "$key" "$upstream" "$out/python.json" "$only"
node conformance/sdk/node/run.mjs "http://127.0.0.1:$port" "$key" "$upstream" "$out/node.json" "$only"
"$python" conformance/sdk/report.py "$out/python.json" "$out/node.json" ${only:+--partial}
