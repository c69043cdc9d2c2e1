# Each target does its own set-up. Nothing here needs anything but a Rust toolchain, and Python, Node, valgrind or llvm-profdata where it says so.
.PHONY: run test lint dist bench order conformance-sdk conformance-mcp conformance-api kill-loop soak

run: ## Build and start with everything at its default
	cargo run --release --package gatehouse -- up

test: ## Every test; the binary first, since the outer tests run it
	cargo build --package gatehouse --package gatehouse-tests --bins
	if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace; else cargo test --workspace; fi

lint: ## Format and lints, as CI does
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

dist: ## The program as it is released, into target/dist: built twice, the second time by counts of what calls pass; needs llvm-profdata
	bench/dist.sh

bench: dist ## Figures against the floor, into bench/results.json and bench/RESULTS.md; wants a quiet machine with two cores
	target/release/bench-run --gateway target/dist/gatehouse --out bench $(BENCH_FLAGS)
	target/release/bench-mcp --gateway target/dist/gatehouse --out bench $(BENCH_FLAGS)

order: ## Which code is in use, for the linker, into crates/gatehouse/order.txt; anew when dependencies or profiles change; needs valgrind
	bench/dist.sh
	target/release/bench-order --gateway target/dist/gatehouse.symbols --out crates/gatehouse/order.txt

conformance-sdk: ## Official Python and Node SDKs against all pairs of dialects
	conformance/run-sdk.sh

conformance-mcp: ## The official MCP suite, as server, client and authorization server; real servers and clients; PARTS="server real" runs some
	conformance/run-mcp.sh $(PARTS)

conformance-api: ## The admin API against its OpenAPI document, by schemathesis
	conformance/run-schemathesis.sh

kill-loop: ## 200 times SIGKILL under load; the provider's count against the ledger
	cargo build --release --package gatehouse --package gatehouse-bench
	GATEHOUSE_BIN=$(CURDIR)/target/release/gatehouse target/release/bench-kill --kills 200

soak: ## Mixed load for MINUTES (30); memory slope, descriptors, threads
	cargo build --release --package gatehouse --package gatehouse-bench
	target/release/bench-soak --gateway target/release/gatehouse --minutes $(or $(MINUTES),30)
