# Hearth: the commands of every day. Each first checks what it needs and installs what it can.
#
#   make run     the whole loop on the embedded devnet, in the foreground; prints URL and API key
#   make window  the same in a window
#   make test    everything that can be tested, with counts per suite
#   make test-long  what takes too long for every push: a hundred kills and the like
#   make check   the fast part: format, repository rules, lints, types
#   make bench   speed, as figures of one run
#   make bench-engine  the engine beside llama.cpp, if `make test-long` has built that; ARGS: model files or 1.5B-Q4_K_M

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# Outside the checkout, so that a fresh clone reuses what is built.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hearth
export CARGO_TARGET_DIR ?= $(CACHE)/target
export TEST_MODELS_DIR ?= $(CACHE)/models
export TOOLS_DIR := $(CACHE)/tools
export CARGO_NET_RETRY ?= 10
# The Go libraries of the official miners, for `make bench`.
RIVALS := $(CARGO_TARGET_DIR)/release/rivals
# Incremental files cost a gigabyte and help only who edits.
ifdef CI
export CARGO_INCREMENTAL := 0
endif

.PHONY: run window test test-long check bench bench-engine ui model

run: ui model
	@xtask/sh/need.sh run
	cargo build --locked -p hearth --no-default-features
	@HEARTH_WEIGHTS__DEMO_FOLDER="$(TEST_MODELS_DIR)" "$(CARGO_TARGET_DIR)/debug/hearth" --daemon --network devnet $(ARGS)

test:
	@xtask/sh/need.sh test
	@xtask/sh/test.sh

test-long: ui model
	@xtask/sh/need.sh test
	@xtask/sh/test_long.sh $(ARGS)

check: ui
	@xtask/sh/need.sh check
	cargo fmt --all --check
	cargo run --locked -q -p xtask -- tidy
	cargo clippy --locked --workspace --all-targets --no-default-features -- -D warnings
	cd ui && npm run --silent check

bench: ui model
	@xtask/sh/need.sh window
	cargo build --locked --release -p hearth
	cp "$(CARGO_TARGET_DIR)/release/hearth" "$(CARGO_TARGET_DIR)/release/hearth-desktop"
	cargo build --locked --release -p hearth --no-default-features -p hearth-bench
	@rm -f "$(RIVALS)"; (cd tests/bench/rivals && go build -o "$(RIVALS)" .) || \
	  echo "hearth: without Go 1.26 the rivals' figures are those of another computer" >&2
	@rivals=(); [ ! -x "$(RIVALS)" ] || rivals=(--rivals "$(RIVALS)"); \
	  "$(CARGO_TARGET_DIR)/release/hearth-bench" --hearth "$(CARGO_TARGET_DIR)/release/hearth" \
	  --desktop "$(CARGO_TARGET_DIR)/release/hearth-desktop" "$${rivals[@]}" $(ARGS)

bench-engine:
	@xtask/sh/need.sh check
	cargo build --locked --release -p hearth-bench-engine
	@python="$(CACHE)/venv-llama-cpp/bin/python"; [ ! -x "$$python" ] || export RIVAL_PYTHON="$$python"; \
	  "$(CARGO_TARGET_DIR)/release/hearth-bench-engine" --models "$(CACHE)/bench-models" $(ARGS)

# As `make run`, in a window.
window: ui model
	@xtask/sh/need.sh window
	cargo build --locked -p hearth
	@HEARTH_WEIGHTS__DEMO_FOLDER="$(TEST_MODELS_DIR)" "$(CARGO_TARGET_DIR)/debug/hearth" --network devnet $(ARGS)

# The page, built only when its sources changed.
ui:
	@xtask/sh/need.sh ui
	@xtask/sh/build_ui.sh

# The demo model, fetched once and checked.
model:
	@xtask/sh/need.sh model
	@assets/models/fetch.sh
