# kinbind. `make` alone lists what there is. Needs make and Python 3.11 or later with its venv, nothing else.

# The first Python that is new enough; PYTHON=... names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
# Only what the lock names, by its hash, as a wheel; no cache, since HOME may be empty or closed.
INSTALL := $(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: \
	--no-cache-dir --no-input --disable-pip-version-check
SOURCES := $(wildcard workflows tasks models policies gateways api console service cli embedded migrations tests bench)
ARGS ?=

# What is compiled is kept, whatever the surroundings say: a demo brings up five processes and the tests some hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test chromium lint format drills bench lock clean

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

install: .venv/requirements.lock ## What running takes, into .venv; then .venv/bin/python -m cli.main is `kinbind`

demo: .venv/requirements.lock ## Everything on this machine, with a family's story (ARGS=--exit: and end)
	@$(BIN)/python -m cli.main demo $(ARGS)

# However many jobs are asked for, one thing comes after the other: two would install into one .venv. But for what the
# tests take, of which nothing comes in the way of anything.
ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif

test: ## All tests, on real servers (ARGS="-k face": some)
	@$(MAKE) --no-print-directory --jobs=2 SIDE_BY_SIDE=1 .venv/requirements-dev.lock chromium
	@$(BIN)/python -m pytest $(ARGS)

# The browser tests drive Debian's Chromium, the one without windows if they may choose: it is smaller and takes a
# quarter less of the processor. Where none can be installed they say so, and fail under CI.
chromium:
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || { \
	test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	echo "Installing Chromium ..." && apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -qq -y --no-install-recommends chromium-headless-shell fonts-noto-cjk >/dev/null; } || true

drills: .venv/requirements-dev.lock ## Only the tests in which things are killed, lost, doubled or late
	@KINBIND_DRILLS=long $(BIN)/python -m pytest -m "drills or workers" $(ARGS)

lint: .venv/requirements-dev.lock ## Style, layout, types and the direction of imports
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/requirements-dev.lock ## Lays the code out, and mends what can be mended
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: .venv/requirements-dev.lock ## How fast this machine is, as ratios (ARGS for bench)
	@$(BIN)/python -m bench $(ARGS)

# universal: one lock for every platform and Python; no address of a package index gets in.
COMPILE := $(BIN)/uv --no-cache pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: .venv/pip.lock ## Pins what the *.in files ask for (ARGS=--upgrade: anew)
	$(INSTALL) -r .ci/requirements.lock
	$(COMPILE) $(ARGS) -o requirements.lock requirements.in
	$(COMPILE) $(ARGS) -o requirements-dev.lock requirements-dev.in
	$(COMPILE) $(ARGS) -o .ci/requirements.lock .ci/requirements.in
	$(COMPILE) $(ARGS) -o .ci/pip.lock .ci/pip.in

clean: ## Takes away what make made; var/, which holds data, stays
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The copy of a lock in .venv/ says what was installed; it is installed again only when the lock differs.
.venv/pip.lock: .ci/pip.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later with venv was not found; try PYTHON=..." >&2; exit 1; }
	@cmp -s $< $@ || { $(PYTHON) -m venv --clear .venv && $(INSTALL) -r $<; }
	@cp $< $@

.venv/requirements.lock: requirements.lock .venv/pip.lock
	@cmp -s $< $@ || { echo "Installing $< into .venv ..." && $(INSTALL) -r $<; }
	@cp $< $@

# What the tests take comes with what running takes, in one go.
.venv/requirements-dev.lock: requirements.lock requirements-dev.lock .venv/pip.lock
	@{ cmp -s requirements.lock .venv/requirements.lock && cmp -s requirements-dev.lock $@; } || { \
	echo "Installing requirements-dev.lock into .venv ..." && $(INSTALL) -r requirements.lock -r requirements-dev.lock; }
	@cp requirements.lock requirements-dev.lock .venv/
