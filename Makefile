# What can be done here: `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run build wasm test test-docker lint clean need-cargo

# Where rustup puts cargo, for shells that do not know it yet.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

# An Envoy has two workers: more tests at once than this only make each other slow.
RUST_TEST_THREADS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
export RUST_TEST_THREADS

say = @printf '\n== %s\n' '$(1)'

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## The demo: everything built and started on this machine; Ctrl-C stops it
	@scripts/run

build: need-cargo ## The command keygate, the upstream of the demo, and target/keygate.wasm
	$(call say,building keygate and the upstream of the demo)
	@cargo build --release -p keygate-cli -p keygate-tests --bin keygate --bin keygate-echo
	$(call say,building the filter)
	@scripts/wasm

test: need-cargo ## Every test, also end to end with a real Envoy and a real browser
	$(call say,building the filter)
	@scripts/wasm
	$(call say,building everything that is tested)
	@cargo build --workspace --all-targets
	$(call say,testing$(comma) also end to end)
	@envoy=$$(scripts/envoy); driver=$$(scripts/chromium); ffmpeg=$$(scripts/ffmpeg); \
	runtimes=$$(scripts/interpreters); echo "Envoy: $$envoy, browser: $$driver, player: $$ffmpeg, signers: $$runtimes"; \
	KEYGATE_ENVOY=$$envoy KEYGATE_CHROMEDRIVER=$$driver KEYGATE_FFMPEG=$$ffmpeg KEYGATE_WASM=target/keygate.wasm cargo test --workspace

test-docker: need-cargo ## The end-to-end tests against Envoy in docker
	$(call say,building the filter)
	@scripts/wasm
	$(call say,building the key service and the tests)
	@cargo build --workspace
	$(call say,testing end to end against Envoy in docker)
	@image=$$(scripts/docker-image); driver=$$(scripts/chromium); ffmpeg=$$(scripts/ffmpeg); \
	runtimes=$$(scripts/interpreters); echo "Envoy: docker:$$image, browser: $$driver, player: $$ffmpeg, signers: $$runtimes"; \
	KEYGATE_ENVOY=docker:$$image KEYGATE_CHROMEDRIVER=$$driver KEYGATE_FFMPEG=$$ffmpeg KEYGATE_WASM=target/keygate.wasm cargo test -p keygate-tests --test e2e

lint: need-cargo ## Format, clippy (also for wasm32), documentation, shell scripts
	$(call say,format)
	@cargo fmt --all --check
	$(call say,clippy)
	@cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(call say,clippy for wasm32)
	@scripts/wasm clippy
	$(call say,documentation)
	@RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace --quiet
	$(call say,shell scripts)
	@if command -v shellcheck >/dev/null; then shellcheck -x scripts/* .ci/run signers/*.sh; \
	else echo 'shellcheck is not installed: the scripts are not checked'; fi
	$(call say,signers$(comma) by what is installed)
	@if command -v gofmt >/dev/null; then difference=$$(gofmt -d signers); echo -n "$$difference"; test -z "$$difference"; fi
	@if command -v php >/dev/null; then php -l signers/keygate_sign.php >/dev/null; fi
	@if command -v node >/dev/null; then node --check signers/keygate-sign.mjs; fi
	@if command -v python3 >/dev/null; then python3 -c 'import ast; ast.parse(open("signers/keygate_sign.py").read())'; fi

clean: ## Removes what was built and downloaded; keeps .run, the demo's secrets and keys
	@cargo clean
	@rm -rf .cache

need-cargo:
	@command -v cargo >/dev/null || { echo "cargo is missing. Install Rust with rustup (see https://rustup.rs), open a new shell, and try again." >&2; exit 1; }

comma := ,
