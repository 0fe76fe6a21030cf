# `make run` builds and serves the site; `make test` runs everything that a change must pass. See README.md.

LISTEN ?= 127.0.0.1:3000
DATABASE ?= sqlite:latchkey.db
tools := end2end/bin/tools

.PHONY: help
help:
	@echo 'make run          build for this machine, and serve $(DATABASE) at http://$(LISTEN)'
	@echo 'make demo         the same with a temporary database and made-up tenants'
	@echo 'make release      build the fully optimized binary, target/release/latchkey, and what is published with it'
	@echo 'make test         run everything: format, lints, tests on both databases, browser tests'
	@echo 'make test-clients run only the tests with the real Prefect clients (needs Python 3.8 to 3.10)'
	@echo 'make soak         test for ten minutes: killed servers, faults under load, random input; print a table of counts'
	@echo 'make failover     kill the leader of a PostgreSQL cluster 20 times (KILLS=…, SYNC=off; needs Patroni)'
	@echo 'make check        run only the quick checks: format, crate boundaries, dependencies, lints'
	@echo 'make fmt          format the code'
	@echo 'make bench        measure requests, lists and key creation (see server/docs/benchmarks.md)'
	@echo 'make lighthouse   measure the main pages as a phone loads them, with the release binary'
	@echo 'make screenshots  take screenshots of the pages, in end2end/screenshots'
	@echo 'make tools        find or install the tools that these commands need'

.PHONY: tools
tools:
	@$(tools)

# --- build ---

.PHONY: bundle
bundle:
	cargo run --quiet --locked --package bundle

.PHONY: release
release:
	@$(tools) rust bundle zig
	@end2end/bin/release

.PHONY: quick
quick:
	@end2end/bin/quick

.PHONY: run
run: quick
	target/quick/latchkey serve --listen $(LISTEN) --database-url $(DATABASE)

.PHONY: demo
demo: quick
	@end2end/bin/demo target/quick/latchkey $(LISTEN)

# --- check ---

.PHONY: test
test:
	@end2end/bin/test

.PHONY: test-clients
test-clients:
	@end2end/bin/test --clients

# CASES, CRASHES, FAULTS, CUTS, DELAYS, FUZZ_SECONDS and SEED are read by the script. A failure prints its seed.
.PHONY: soak
soak:
	@$(tools) rust fuzz postgres
	@end2end/bin/soak

# KILLS=… kills the leader as many times. SYNC=off replicates asynchronously.
KILLS ?= 20
.PHONY: failover
failover: quick
	@end2end/bin/failover target/quick/latchkey $(KILLS)

.PHONY: check
check:
	@end2end/bin/test --quick

.PHONY: fmt
fmt:
	cargo fmt --all
	leptosfmt --quiet --config-file leptosfmt.toml app/src

.PHONY: bench
bench:
	@$(tools) rust
	cargo bench --locked --package server --bench verification
	cargo bench --locked --package server --bench gateway
	cargo bench --locked --package server --bench keys
	cargo bench --locked --package verifier --bench verifications
	cargo bench --locked --package server --bench requests
	end2end/bin/postgres cargo bench --locked --package server --bench lists
	end2end/bin/postgres cargo bench --locked --package service --features testing --bench creates
	end2end/bin/postgres cargo bench --locked --package service --features testing --bench fairness

.PHONY: lighthouse
lighthouse: release
	@$(tools)
	cd end2end && LATCHKEY_BINARY=$(CURDIR)/target/release/latchkey node support/lighthouse.mjs

.PHONY: screenshots
screenshots:
	@$(tools)
	@$(MAKE) --no-print-directory bundle
	cargo build --locked --package server
	cd end2end && node support/screenshots.mjs
