# The verbs of the project. Each sets up what it needs first; set-up runs again only when its inputs change.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
BIN := .venv/bin

# Debian packages. libmpv2: the player; fonts-noto-cjk: Chinese letters; the EGL and Mesa pair: a window
# without a screen; espeak-ng: reading aloud. Tests also drive
# Chromium and Debian's Mosquitto.
APT := $(shell $(PYTHON) -c 'import ensurepip' 2>/dev/null || echo python3-venv) libegl1 libgl1-mesa-dri libmtdev1 libmpv2 fonts-noto-cjk espeak-ng
APT_TEST := chromium mosquitto

.PHONY: help setup demo doctor test check bench torture lock clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: build/.apt .venv/.ready build/.web build/.fonts  ## install everything the product needs

# $(call apt,packages): installs what is missing, or names the exact line for somebody who may.
define apt
	@missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q '^install ok installed' || echo $$p; done | xargs); \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then run=; \
	  elif sudo -n true 2>/dev/null; then run=sudo; \
	  else echo "Missing system packages. Run this once, then try again:" >&2; \
	       echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $$missing" >&2; exit 1; fi; \
	  echo "Installing system packages: $$missing"; \
	  $$run apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@mkdir -p build && touch $@
endef

build/.apt: Makefile
	$(call apt,$(APT))

build/.apt-test: Makefile
	$(call apt,$(APT_TEST))

.venv/.ready: constraints.txt pyproject.toml | build/.apt
	@echo "Installing Python packages (a minute or two, once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.11 to 3.13 is needed, $(PYTHON) is another: make PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r constraints.txt
	@# compat: a plain path instead of an import hook, which costs every start of Python 60 ms. It warns of
	@# its age, which is no concern of who runs this: setuptools is pinned.
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
	  --config-settings editable_mode=compat -e .
	@touch $@

# Without npm, or without a registry, the pages show the same numbers as tables: no error, and tried again next time.
build/.web: package.json package-lock.json .npmrc
	@mkdir -p build
	@if ! command -v npm >/dev/null; then echo "npm is not installed: headquarters' pages show tables instead of charts."; \
	elif npm ci --silent --no-audit --no-fund --ignore-scripts; then touch $@; \
	else echo "npm could not fetch the charts: headquarters' pages show tables for now."; fi

build/.fonts: | build/.apt .venv/.ready
	@$(BIN)/python -m kiosk.ui.fonts >/dev/null
	@touch $@

demo: setup  ## broker, server and one station with sample content; DEMO_SECONDS=60 runs a scripted visitor
	@$(BIN)/yizhan demo

doctor: .venv/.ready  ## what is wrong with the station or headquarters here; WHAT="--station FOLDER" for another
	@$(BIN)/yizhan doctor $(WHAT)

test: setup build/.apt-test  ## all tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/.ready  ## ruff, mypy, the import table
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy protocol kiosk plugins server yizhan.py yizhan_doctor.py
	@$(BIN)/python -m pytest tests/test_imports.py

bench: setup  ## the numbers of the README, as a table and build/bench.json
	@$(BIN)/python -m tests.bench

torture: setup  ## every fault for real, all accounts compared: SECONDS=600, ONLY=name[,name], SEED=n
	@$(BIN)/python -m tests.faults $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED))

lock:  ## renew constraints.txt: every dependency with its hashes, for all platforms, no index address
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip install -q uv
	@build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --extra dev pyproject.toml -o constraints.txt

clean:  ## remove everything that set-up and runs have made
	rm -rf .venv build node_modules
