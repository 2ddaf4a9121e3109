# The gate and its steps. `make test` is what continuous integration runs.
#
#   make test      install what is missing, then the whole gate
#   make lint      format, clippy, documentation, the crates that features bring
#   make setup     only install what is missing
#   make features  each cargo feature by itself (slow, outside the gate)
#   make lock      write tests/requirements.lock anew
#   make clean     remove what was built and installed under target/

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := test
.NOTPARALLEL:

# Tools that `make setup` had to bring itself lie here, so that nobody's own are touched.
export PATH := $(CURDIR)/target/tools/bin:$(HOME)/.cargo/bin:$(PATH)

CARGO := cargo
LONGSHORE := $(or $(CARGO_TARGET_DIR),target)/debug/longshore
CONFIGS := config/reference.toml $(wildcard config/examples/*)

.PHONY: test setup lint fmt clippy trees bare doc build configs run features lock clean

# In order of cost: what fails soonest comes first, the counts come last.
test: setup lint build configs run

setup:
	tests/setup.sh

lint: fmt trees clippy bare doc

fmt:
	$(CARGO) fmt --check

clippy:
	$(CARGO) clippy --locked --all-targets -- -D warnings

# Which crates each set of features brings.
trees:
	tests/trees.sh

# The library without the command line and without the embedded AWS.
bare:
	$(CARGO) check --locked --no-default-features

doc:
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps

build:
	$(CARGO) build --locked

configs: build
	@set -e; for file in $(CONFIGS); do \
	  echo "longshore check --offline --config $$file"; \
	  tests/apart.sh $(LONGSHORE) check --offline --config "$$file"; \
	done

run:
	tests/apart.sh tests/run.sh

features:
	@set -e; for feature in $$(sed -n '/^\[features\]/,/^$$/s/^\([a-z0-9-]*\) *=.*/\1/p' Cargo.toml); do \
	  echo "cargo check --no-default-features --features $$feature"; \
	  $(CARGO) check --locked --no-default-features --features "$$feature"; \
	done

# uv, because it writes one lock for every Python; no index and no URL ends up in the file.
lock:
	python3 -m venv target/lock
	target/lock/bin/pip install --quiet uv
	target/lock/bin/uv pip compile --quiet --universal --python-version 3.10 --upgrade \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --output-file tests/requirements.lock tests/requirements.in

clean:
	$(CARGO) clean
	rm -rf target
