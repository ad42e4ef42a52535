# The verbs. Each sets up what it needs under .venv and build/ the first time, and starts at once after that.
#   make replay [BLOCKS=FILE_OR_DIR] [ARGS="--workers 2 --repeat 5"]
#   make test   [ARGS="-k replay"]
# Wanted on the machine: Python 3.10 or newer with venv, a C++20 compiler, make; Python packages come from PyPI.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
CXX ?= g++
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
ARGS ?=
# As in pyproject.toml.
BUILD_PACKAGES := 'setuptools>=77' 'cython>=3.1,<3.3'
# Not our cache: a stamp says what a step left behind, and the step runs again when what it was made from is newer.
CREATED := $(VENV)/.created
PACKAGES := $(VENV)/.packages
TEST_PACKAGES := $(VENV)/.test-packages
STYLE_PACKAGES := $(VENV)/.style-packages
DOCS_PACKAGES := $(VENV)/.docs-packages
WHEEL_PACKAGES := $(VENV)/.wheel-packages
BUILT := $(VENV)/.built
SOURCES := $(shell find pyx -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.def' -o -name '*.px*' -o -name '*.pyx' \) ! -name _core.cpp ! -name _mdbx.cpp)

EXAMPLE := evmcore/example/block.json.gz
MAINNET := ../shared/mainnet-blocks
BLOCKS ?= $(if $(wildcard $(MAINNET)),$(MAINNET),$(EXAMPLE))

.PHONY: help
help: ## what the verbs are
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: replay
replay: $(BUILT) ## execute blocks again and verify them: BLOCKS=…, else the mainnet blocks beside us, else the example
	@echo "Replaying $(BLOCKS)"
	@$(BIN)/evmcore replay $(BLOCKS) $(ARGS)

# The whole suite in a process a core, each file in one of them; some tests, or what else pytest is asked for, in one process.
.PHONY: test
test: $(BUILT) $(TEST_PACKAGES) ## run the tests, the core's first: ARGS goes to pytest
	@$(HAS_DOCTEST) && $(MAKE) --no-print-directory test-core ARGS= || { ! $(HAS_DOCTEST); }
	@$(HAS_DOCTEST) || echo "Not running the core's own tests: $(WANTS_DOCTEST)"
	@echo "Running the tests"
	@$(BIN)/python -m pytest $(or $(ARGS),--numprocesses auto --dist loadfile)

HAS_DOCTEST := echo '\#include <doctest/doctest.h>' | $(CXX) -fsyntax-only -x c++ - 2> /dev/null
WANTS_DOCTEST := they need doctest (on Debian and Ubuntu: apt install doctest-dev)

.PHONY: test-core
test-core: ## run the core's own tests, in C++ without Python: SANITIZE=address,undefined or thread; ARGS goes to doctest
	@$(HAS_DOCTEST) || { echo "The core's own tests can't be built: $(WANTS_DOCTEST)" >&2; exit 1; }
	@echo "Running the tests of the core"
	@$(MAKE) --no-print-directory -j "$$(nproc 2> /dev/null || echo 2)" -C tests/core SANITIZE="$(SANITIZE)" ARGS="$(ARGS)"

.PHONY: conformance
conformance: $(BUILT) ## run all public test fixtures that are found and write conformance.md: ARGS="--sample 10" for a tenth
	@echo "Running the conformance tests"
	@$(BIN)/evmcore conformance $(ARGS)

# Each takes what it needs from the package registries, and prints one line.
ACCEPTANCE := ../shared/acceptance
.PHONY: acceptance
acceptance: $(BUILT) ## run the clients' own tests on evmcore (minutes, from the registries): ARGS="ethtester ape" for some
	@test -d $(ACCEPTANCE) || { echo "$(ACCEPTANCE), which has the clients' tests, is not there" >&2; exit 1; }
	@failed=0; for client in $(or $(ARGS),ethtester web3 ape vyper t8n); do \
	  PYTHON="$(abspath $(BIN))/python" BARS_CACHE="$${BARS_CACHE:-$(abspath build/acceptance)}" bash $(ACCEPTANCE)/$$client || failed=1; \
	done; exit $$failed

.PHONY: recipes
recipes: $(BUILT) $(TEST_PACKAGES) ## follow the recipes of CONTRIBUTING in a copy of the tree, and test that: ARGS="--blocks 300"
	@echo "Following the recipes in a copy"
	@$(BIN)/python -m tests.recipes $(ARGS)

.PHONY: bench
bench: $(BUILT) $(TEST_PACKAGES) ## run the benchmarks; revm beside evmcore where cargo is at hand
	@echo "Running the benchmarks"
	@$(BIN)/python -m bench.report $(ARGS)
	@$(BIN)/python -m bench.regimes --write

.PHONY: bench-state
bench-state: $(BUILT) $(TEST_PACKAGES) ## measure roots, proofs and copies of a million accounts, changes and witnesses of blocks: ARGS="--accounts 100000"
	@echo "Measuring states"
	@$(BIN)/python -m bench.state --write $(ARGS)

.PHONY: bench-parallel
bench-parallel: $(BUILT) $(TEST_PACKAGES) ## measure the parallel engine against our sequential mode: ARGS="--workers 1,2,4 --rounds 20"
	@echo "Measuring the parallel engine"
	@$(BIN)/python -m bench.parallel $(ARGS)

.PHONY: law
law: $(BUILT) $(TEST_PACKAGES) ## run real and generated blocks in parallel, many times, against the sequential result
	@echo "Running blocks in parallel against their sequential result"
	@$(BIN)/python -m tests.law $(if $(ARGS),$(ARGS),--generated 10000)

.PHONY: style
style: $(BUILT) $(STYLE_PACKAGES) ## look at the code's form, and at the Python code's types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check ape_evmcore evmcore tests examples docs/*.py setup.py
	@$(BIN)/mypy
	@find pyx/core pyx/store tests \( -name '*.hpp' -o -name '*.cpp' \) ! -name _mdbx.cpp | xargs $(BIN)/clang-format --dry-run -Werror

.PHONY: tidy
tidy: $(STYLE_PACKAGES) ## look for likely mistakes in the C++ core with clang-tidy (minutes): FILES=… for some
	@echo "Running clang-tidy"
	@echo "$(or $(FILES),$(sort $(shell find pyx/core -name '*.cpp')))" | tr ' ' '\n' | xargs -P "$$(nproc 2> /dev/null || echo 2)" -I FILE \
	  $(BIN)/clang-tidy --quiet --warnings-as-errors='*' FILE -- -std=c++20 -Ipyx -fno-exceptions -fno-rtti 2> /dev/null

.PHONY: stubs
stubs: $(BUILT) $(STYLE_PACKAGES) ## hold the type stubs against the compiled module
	@echo "Comparing evmcore/_core.pyi with the compiled module"
	@$(BIN)/stubtest evmcore._core --concise --mypy-config-file pyproject.toml --allowlist tests/stubtest-allowlist.txt

.PHONY: docs
docs: $(BUILT) $(DOCS_PACKAGES) ## build the documentation site into build/docs; a broken link is an error
	@echo "Building the documentation"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/docs

# From nothing but the declared build packages, as a user's pip does: the objects of the other builds play no part.
.PHONY: wheel
wheel: $(PACKAGES) $(WHEEL_PACKAGES) ## build the sdist and from it a wheel for this platform into dist/, and try both
	@echo "Building sdist and wheel (a minute or two)"
	@rm -rf dist && mkdir -p build
	@$(BIN)/python -m build --outdir dist . > build/wheel.log 2>&1 || { tail -n 50 build/wheel.log; exit 1; }
	@$(BIN)/python -m tests.try_wheel dist $(ARGS)

.PHONY: example
example: $(BUILT) ## make the example block anew
	@$(BIN)/python -m evmcore.example.generate

# The sanitizers' builds live beside the normal one; their runtime has to be loaded before Python, and no library may hide
# from it. Their reports go to a file: pytest would swallow them.
.PHONY: sanitize
sanitize: $(TEST_PACKAGES) $(BUILT) ## run the tests with AddressSanitizer and UndefinedBehaviorSanitizer
	@echo "Building with sanitizers"
	@rm -f build/sanitize/report.*
	@EVMCORE_SANITIZE=address,undefined $(BIN)/python setup.py -q build --build-lib build/sanitize
	@LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	  PYCRYPTODOME_DISABLE_DEEPBIND=1 PYTHONPATH=build/sanitize UBSAN_OPTIONS=print_stacktrace=1 \
	  ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:log_path=build/sanitize/report $(BIN)/pytest $(ARGS) \
	  || { cat build/sanitize/report.* 2>/dev/null; exit 1; }

PARALLEL_TESTS := parallel block_access_lists listed listed_schedules reasons scheduler schedules accesses_face lazy replay ranges state threads

.PHONY: tsan
tsan: $(TEST_PACKAGES) $(BUILT) ## run the parallel tests with ThreadSanitizer
	@echo "Building with ThreadSanitizer"
	@rm -f build/tsan/report.*
	@EVMCORE_SANITIZE=thread $(BIN)/python setup.py -q build --build-lib build/tsan
	@LD_PRELOAD="$$($(CXX) -print-file-name=libtsan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	  PYCRYPTODOME_DISABLE_DEEPBIND=1 PYTHONPATH=build/tsan \
	  TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:log_path=build/tsan/report \
	  $(BIN)/pytest $(if $(ARGS),$(ARGS),$(addprefix tests/test_,$(addsuffix .py,$(PARALLEL_TESTS)))) \
	  || { cat build/tsan/report.* 2>/dev/null; exit 1; }

.PHONY: fuzz
fuzz: $(TEST_PACKAGES) $(BUILT) ## fuzz decoders and programs with sanitizers, and against the specification: ARGS="programs --minutes 40"
	@echo "Fuzzing"
	@$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: clean
clean: ## remove what was built, and the virtual environment
	rm -rf $(VENV) build dist *.egg-info evmcore/_core*.so evmcore/store/_mdbx*.so pyx/_core.cpp pyx/store/_mdbx.cpp

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "evmcore needs Python 3.10 or newer; PYTHON=… names one" >&2; exit 1; }
	@command -v $(CXX) > /dev/null || { echo "evmcore needs a C++20 compiler, such as g++ 11; CXX=… names one" >&2; exit 1; }
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@

# The build packages are for the next builds, which setup.py does alone; the objects are shared.
$(PACKAGES): $(CREATED) pyproject.toml
	@echo "Installing packages and building evmcore (a minute or two)"
	@$(PIP) $(BUILD_PACKAGES)
	@$(PIP) --editable .
	@touch $@

$(TEST_PACKAGES): $(PACKAGES)
	@echo "Installing what the tests need"
	@$(PIP) --editable '.[test]'
	@touch $@

$(STYLE_PACKAGES): $(PACKAGES)
	@$(PIP) --editable '.[style]'
	@touch $@

$(DOCS_PACKAGES): $(PACKAGES)
	@$(PIP) --editable '.[docs]'
	@touch $@

$(WHEEL_PACKAGES): $(PACKAGES)
	@$(PIP) --editable '.[wheel]'
	@touch $@

$(BUILT): $(PACKAGES) setup.py $(SOURCES)
	@echo "Building evmcore"
	@$(BIN)/python setup.py -q build_ext --inplace
	@touch $@
