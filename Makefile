# `make` lists what there is. ARGS= goes to the program that a target runs,
# CARGOFLAGS= (for example --locked) to cargo.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build run test lint baseline bench bench-scale conformance fuzz load k8s images

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Records of the log that `make bench` replays at the end: 1.7 GB for ten million.
SCALE := 10000000
# What `make fuzz` runs, and for how long each.
FUZZ_TARGETS := order inventory logistics notification texts guard
SECONDS_EACH := 60
# libFuzzer's instruments, as `cargo fuzz` sets them, on a stable compiler.
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module \
	-Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares \
	-Ccodegen-units=1
OVERLAYS := base overlays/dev overlays/production
# Named, so that the build scripts are not fuzzed along with it.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: nats-server and strace from the distribution
	@deploy/setup.sh

build: ## Release binaries of the four services and of baogong
	cargo build $(CARGOFLAGS) --release --workspace --bins
	@echo "In $(TARGET)/release: order inventory logistics notification baogong"

run: setup ## Start the suite and play the Zhichaka day; ARGS="--once --json day.json"
	cargo build $(CARGOFLAGS) --release -p baogong --bins
	$(TARGET)/release/baogong up --scenario zhichaka $(ARGS)

# The binaries and the tests are built together, so that both share one set of
# dependencies; system tests start the binaries.
test: setup ## All tests, doc tests too; ARGS="name" for some
	@mkdir -p $(TARGET)
	cargo build $(CARGOFLAGS) --workspace --bins --tests --examples
	@status=0; \
	cargo test $(CARGOFLAGS) --workspace --no-fail-fast -- $(ARGS) 2>&1 \
		| tee $(TARGET)/test.log || status=$$?; \
	echo; \
	grep -E '^test .* \.\.\. FAILED' $(TARGET)/test.log || true; \
	echo "All output: $(TARGET)/test.log"; \
	awk '/^test result:/ { passed += $$4; failed += $$6 } \
		END { printf "%d passed, %d failed\n", passed, failed }' $(TARGET)/test.log; \
	exit $$status

lint: ## Formatting, clippy, tidy checks
	cargo fmt --all --check
	cargo fmt --manifest-path tests/bench/Cargo.toml --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	cargo clippy $(CARGOFLAGS) --workspace --all-targets -- -D warnings
	RUST_BACKTRACE=0 cargo test $(CARGOFLAGS) --workspace --test tidy

baseline: ## Take additions to the protos into the compatibility baseline
	BAOGONG_WRITE_BASELINE=1 cargo test $(CARGOFLAGS) -p baogong-proto --test baseline

conformance: setup ## The promises of docs/PARTNER_GUIDE.md, checked in Python, against suites of its own
	REQUIRE_PYTHON=1 cargo test $(CARGOFLAGS) -p baogong-system-tests --test system \
		-- --nocapture --test-threads=1 conformance $(ARGS)

load: setup ## 200 partner firms at once, 2,000 reports/s; ARGS="--cut 2s" cuts their connections
	cargo build $(CARGOFLAGS) --release -p baogong --bins
	cargo run $(CARGOFLAGS) --release -p baogong-system-tests --example partner_load -- \
		--baogong $(TARGET)/release/baogong $(ARGS)

bench: ## Appends side by side and more; ARGS="--rounds 3 --groups 1,64", SCALE=0: no replay
	CARGO_TARGET_DIR=$(abspath $(TARGET)) \
		cargo run $(CARGOFLAGS) --release --manifest-path tests/bench/Cargo.toml -- $(ARGS)
	@if [ "$(SCALE)" != 0 ]; then \
		echo; \
		echo "An order service's log of $(SCALE) records; targets with 10000000:" \
			"replay 2000000/s, restart 3 s, 500 MB."; \
		cargo run $(CARGOFLAGS) --profile dist -p baogong-order --example scale \
			-- --records $(SCALE); \
	fi

bench-scale: ## Restart, replay and memory of a large log; ARGS="--records 10000000"
	cargo run $(CARGOFLAGS) --profile dist -p baogong-order --example scale -- $(ARGS)

fuzz: ## Fuzz every request parser; SECONDS_EACH=600, FUZZ_TARGETS="texts guard"
	RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_TARGET_DIR=$(abspath $(TARGET))/fuzz \
		cargo build $(CARGOFLAGS) --release --manifest-path tests/fuzz/Cargo.toml \
		--target $(HOST) --bins
	@for target in $(FUZZ_TARGETS); do \
		corpus=$(TARGET)/fuzz/corpus/$$target; \
		mkdir -p $$corpus; \
		echo "$$target, $(SECONDS_EACH) s"; \
		$(TARGET)/fuzz/$(HOST)/release/$$target -max_total_time=$(SECONDS_EACH) \
			-max_len=4096 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix=$(TARGET)/fuzz/$$target- $$corpus $(ARGS); \
	done

k8s: ## Render the manifests with kubectl
	@if ! command -v kubectl >/dev/null; then \
		echo "kubectl is not installed; nothing was rendered"; exit 0; fi; \
	mkdir -p $(TARGET)/k8s; \
	for overlay in $(OVERLAYS); do \
		file=$(TARGET)/k8s/$${overlay##*/}.yaml; \
		kubectl kustomize k8s/$$overlay > $$file; \
		echo "k8s/$$overlay: $$(grep -c '^kind:' $$file) objects in $$file"; \
	done

images: ## Build the container image baogong:VERSION with docker or podman
	@engine=$$(command -v docker || command -v podman) || { \
		echo "docker or podman is needed to build images"; exit 1; }; \
	"$$engine" build -f deploy/Dockerfile -t baogong:$(VERSION) .
