# The one task runner. `make demo` and `make test` need a Debian machine, root, and the Rust and Go toolchains.

PREFIX ?= /opt/offhost
BUILD_DIR ?= target

.PHONY: help demo test lint bench bench-launch bench-pod docs man completions install setup

help: ## Shows this list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## Installs what content and the tests need: interpreters, pandoc, the account.
	scripts/setup

demo: ## Sets the machine up, builds, runs a notebook, a report, a site and a script, and shows the results.
	scripts/demo

test: setup ## Every test, those that need root, the network or Go included.
	scripts/ci-test

lint: ## Format, clippy, and the licences, bans and sources of the dependencies.
	scripts/ci-lint

bench: setup ## Every benchmark.
	cargo bench

bench-launch: setup ## A launch of the sandbox beside bubblewrap's; ends in lines `offhost/NAME RATIO`.
	cargo bench --bench launch

bench-pod: ## A job's start in a Pod beside bare Pods, on the test cluster; ends in `offhost/pod-start-added-ms X`.
	tests/cluster/up
	tests/cluster/exec cargo bench --bench pod_start

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

install: man ## The two programs and the man pages, below PREFIX.
	cargo build --release --bins
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0755 $(BUILD_DIR)/release/offhost $(BUILD_DIR)/release/offhost-exec $(DESTDIR)$(PREFIX)/bin
	install -m 0644 $(BUILD_DIR)/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
