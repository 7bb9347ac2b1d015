# `make demo` and `make test` need nothing but git, make and Python 3.11 to 3.14.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PACKAGES := emu guest kernel toolchain
# Bytecode is kept: without it each worker takes four seconds more to rewrite the tests' assertions.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# ---- commands

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: prepared $(STAMPS)/compiled ## virtual environment, dependencies, cross compiler, compiled hot path
	@:

prepared: $(STAMPS)/runtime $(STAMPS)/compiler

demo: setup ## run a program that forks and writes, and show its page faults
	@$(BIN)/emu build guest/demo_cow.c -o $(VENV)/demo_cow
	@$(BIN)/emu run --trace faults --summary $(VENV)/demo_cow

test: test-setup lint test-compiled ## run lint and all tests
	@$(PYTEST) -n $(WORKERS)

test-compiled: test-setup $(STAMPS)/compiled ## run oracles, guests and programs on the compiled hot path
	@EMU_PURE=0 $(PYTEST) -n $(WORKERS) $(COMPILED)

test-fast: prepared $(STAMPS)/dev ## run the tests of daily work, in under 90 seconds
	@$(PYTEST) -n $(WORKERS) -m "not slow and not qemu and not browser and not root"

test-part: prepared $(STAMPS)/dev ## run the tests that depend most on the Python version and the compiler
	@$(PYTEST) -n $(WORKERS) $(PART)

fresh: ## run a target on a minimal Debian system, as root: SUITE=trixie TARGET=test
	@.ci/fresh $(or $(SUITE),trixie) make $(or $(TARGET),test)

# Each of these is fetched only once.
test-setup: prepared $(STAMPS)/dev $(STAMPS)/qemu $(STAMPS)/browser $(STAMPS)/gpg roots

lint: $(STAMPS)/dev ## check style, types, words, the direction of imports, and the report's JavaScript
	@$(MAKE) -j $(WORKERS) $(LINTS)

LINTS := lint-style lint-types lint-words lint-imports lint-script

lint-style:
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "run: make format"; exit 1; }

lint-types:
	@$(BIN)/mypy --no-error-summary

lint-words:
	@$(BIN)/python -m tests.language

lint-imports:
	@$(BIN)/lint-imports --no-logo >$(STAMPS)/imports 2>&1 || { cat $(STAMPS)/imports; exit 1; }

lint-script:
	@$(BIN)/python -m tests.emu.observe.report.script_check

format: $(STAMPS)/dev ## format the Python files
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet

fuzz: test-setup ## run oracles, random calls, damaged files: SECONDS=60 of each
	@$(BIN)/python -m tests.oracles --seconds $(or $(SECONDS),60)
	@$(BIN)/python -m tests.hostile --seconds $(or $(SECONDS),60)

bare-metal-log: prepared $(STAMPS)/dev $(STAMPS)/qemu-system ## regenerate the bare-metal oracle's log
	@$(BIN)/python -m tests.oracles.bare.log

linux-log: prepared $(STAMPS)/dev $(STAMPS)/qemu-system ## run the oracle's programs on Debian's riscv64 kernel
	@$(BIN)/python -m tests.oracles.linux.riscv64.log

bench: test-setup $(STAMPS)/compiled ## compare the speed of emu, qemu-riscv64 and the host, in under five minutes
	@$(BIN)/python -m tests.bench --json build/bench.json

bench-quick: test-setup $(STAMPS)/compiled ## a shorter benchmark, in under one minute
	@$(BIN)/python -m tests.bench --quick --json build/bench-quick.json

guests: prepared ## build every guest program into build/
	@$(BIN)/python -m guest build

wrong-kernels: prepared $(STAMPS)/dev ## break the kernel in many ways, and show which check detects each
	@$(BIN)/python -m tests.wrong

lock: ## pin the newest compatible dependencies (needs uv)
	@uv pip compile -q $(LOCK_OPTIONS) pyproject.toml --group build -o requirements.lock
	@uv pip compile -q $(LOCK_OPTIONS) pyproject.toml --group build --group dev \
		-c requirements.lock -o requirements-dev.lock
	@uv pip compile -q $(LOCK_OPTIONS) --group compile -c requirements-dev.lock \
		-o requirements-compile.lock

clean: ## remove all files that these commands created
	@rm -rf $(VENV) .root build dist emu/compilation/built .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup prepared demo test test-compiled test-fast test-part fresh test-setup lint $(LINTS) format fuzz bare-metal-log linux-log bench bench-quick guests wrong-kernels lock clean roots

# ---- prerequisites, each built once

PART := tests/test_readme.py tests/emu/cli/test_standard_streams.py tests/emu/cli/commands/test_compare.py \
	tests/emu/cli/test_interrupting.py tests/emu/lab/sandbox/test_recursion_limit.py \
	tests/emu/lab/test_lab_commands.py

COMPILED := tests/emu/compilation tests/oracles tests/guest

HOT_PATH := $(shell find emu/compilation emu/machine emu/observe kernel -name '*.py' -o -name '*.p[xy][dx]')

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --only-binary :all: \
	--emit-build-options --no-header --no-annotate --no-emit-index-url --upgrade

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
		|| { echo "$(PYTHON): unsupported version (expected Python 3.11 to 3.14; set it with make PYTHON=…)"; exit 1; }
	@$(PYTHON) -m toolchain.system venv
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(@D) && touch $@

# Editable, so that a change to the sources needs no new installation.
$(STAMPS)/runtime: $(STAMPS)/venv requirements.lock pyproject.toml
	@echo "installing dependencies"
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# Without compiled bytecode a start takes twice as long where Python cannot write it.
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

$(STAMPS)/dev: $(STAMPS)/runtime requirements-dev.lock
	@echo "installing dependencies of the tests"
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# Without a C compiler or Python's headers everything runs in pure Python.
$(STAMPS)/compiled: $(STAMPS)/runtime requirements-compile.lock $(HOT_PATH)
	@$(BIN)/python -m toolchain.system extensions \
		&& $(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-compile.lock \
		&& $(BIN)/python -m emu.compilation.build \
		|| echo "the hot path is not compiled: emu runs in pure Python"
	@touch $@

$(STAMPS)/compiler: $(STAMPS)/venv
	@$(BIN)/python -m toolchain.system compiler
	@touch $@

# Tests that need qemu-riscv64 or Debian's programs are skipped where these cannot be installed.
$(STAMPS)/qemu: $(STAMPS)/venv
	@$(BIN)/python -m toolchain.system qemu && touch $@ || [ -z "$$CI" ]

$(STAMPS)/qemu-system: $(STAMPS)/venv
	@$(BIN)/python -m toolchain.system qemu-system
	@touch $@

# Tests open reports in a headless Chromium.
$(STAMPS)/browser: $(STAMPS)/venv
	@$(BIN)/python -m toolchain.system browser && touch $@ || [ -z "$$CI" ]

# Tests sign mirrors of packages.
$(STAMPS)/gpg: $(STAMPS)/venv
	@$(BIN)/python -m toolchain.system gpg && touch $@ || [ -z "$$CI" ]

# Debian's testing, in which the tests' programs are newer.
ROOT = $(BIN)/python -m toolchain.root --replace --minimal --suite testing

roots: $(STAMPS)/venv
	@$(ROOT) .root/static busybox-static bash-static libc-bin \
		|| [ -z "$$CI" ]
	@$(ROOT) .root/dynamic bash coreutils || [ -z "$$CI" ]
	@$(ROOT) .root/python python3-minimal || [ -z "$$CI" ]
	@$(ROOT) .root/redis redis-server bash coreutils grep \
		|| [ -z "$$CI" ]
	@$(ROOT) .root/web nginx-light lighttpd curl bash coreutils \
		|| [ -z "$$CI" ]
	@$(ROOT) .root/postgres postgresql bash coreutils dash \
		|| [ -z "$$CI" ]
	@$(ROOT) .root/procps procps time ncurses-base \
		|| [ -z "$$CI" ]
	@$(BIN)/python -m toolchain.root --replace .root/debian python3-numpy redis-server vim-tiny \
		|| [ -z "$$CI" ]
