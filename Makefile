# The one task runner. `make demo` and `make test` need a Debian machine, root, and the Rust and Go toolchains.

PREFIX ?= /opt/offhost
BUILD_DIR ?= target

.PHONY: help demo test test-kinds lint bench bench-app bench-gateway bench-launch bench-pod fuzz docs man completions install sandbox-cases setup

help: ## Shows this list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## Installs what content and the tests need: interpreters, pandoc, the account.
	scripts/setup

demo: ## Sets the machine up, builds, runs a notebook, a report, a site and a script, and shows the results.
	scripts/demo

test: setup ## Every test, those that need root, the network or Go included.
	scripts/ci-test

test-kinds: setup ## Visits the example of every kind of application, with a browser and in Pods; the first time it installs for minutes.
	cargo build --bins
	OFFHOST_TEST_ROOT=1 OFFHOST_TEST_NETWORK=1 tests/serve/run kinds
	scripts/test-kinds

lint: ## Format, clippy, and the licences, bans and sources of the dependencies.
	scripts/ci-lint

bench: setup ## Every benchmark.
	cargo bench

bench-launch: ## A launch of the sandbox beside bubblewrap, runc and unshare; ends in lines `offhost/NAME VALUE`.
	scripts/setup --bench
	cargo rustc --release --bin offhost-exec -- -C target-feature=+crt-static
	cp $(BUILD_DIR)/release/offhost-exec $(BUILD_DIR)/bench-exec
	OFFHOST_BENCH_EXEC=$(abspath $(BUILD_DIR))/bench-exec cargo bench --bench launch

bench-gateway: ## The gateway beside nginx, HAProxy and configurable-http-proxy; ends in lines `offhost/NAME RATIO`.
	scripts/bench-gateway

sandbox-cases: setup ## The same attacks and launches for offhost, bubblewrap, runc and unshare; writes docs/sandbox-cases.md.
	cargo build --bin offhost-exec
	SANDBOX_CASES_RUNC=$${OFFHOST_CLUSTER_BIN:-$$(tests/cluster/build | tail -n 1)}/runc tests/cases/run --write

bench-pod: ## A job's start in a Pod beside bare Pods, on the test cluster; ends in `offhost/pod-start-added-ms X`.
	tests/cluster/up
	tests/cluster/exec cargo bench --bench pod_start

bench-app: ## An application's first answer in a Pod beside bare Pods with the same one; ends in `offhost/app-start-added-ms X`.
	tests/cluster/up
	tests/cluster/exec cargo bench --bench app_start

fuzz: ## Looks for input that breaks a parser, OFFHOST_FUZZ_SECONDS (60) each; needs a C++ compiler.
	fuzz/run

docs: ## Rewrites the pages that are generated.
	UPDATE_DOCS=1 cargo test --quiet

man: ## The man pages, in BUILD_DIR/man.
	mkdir -p $(BUILD_DIR)/man
	cargo run --quiet --release -- man $(BUILD_DIR)/man

completions: ## The completions of bash, zsh and fish, in BUILD_DIR/completions.
	mkdir -p $(BUILD_DIR)/completions
	for shell in bash zsh fish; do \
		cargo run --quiet --release -- completions $$shell >$(BUILD_DIR)/completions/offhost.$$shell || exit 1; \
	done

install: man ## The three programs, the man pages and the servers of applications, below PREFIX.
	cargo build --release --bin offhost --bin offhost-pam
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0755 $(BUILD_DIR)/release/offhost $(BUILD_DIR)/release/offhost-pam $(DESTDIR)$(PREFIX)/bin
	cargo rustc --release --bin offhost-exec -- -C target-feature=+crt-static
	install -m 0755 $(BUILD_DIR)/release/offhost-exec $(DESTDIR)$(PREFIX)/bin
	install -m 0644 $(BUILD_DIR)/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	scripts/fetch-servers $(DESTDIR)$(PREFIX)/share/offhost/servers
