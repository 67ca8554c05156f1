# The commands of the project. `make demo` and `make test` do all the set-up themselves.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup setup-all demo dev test test-fast browser lint format docs lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Two stamps: what running needs, and on top of it what training, notebooks and tests need. A second run installs nothing.
BASE := $(VENV)/.installed-base
ALL := $(VENV)/.installed-all
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
$(BASE): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) was not found: install Python 3.11, or name yours with PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "make: could not make $(VENV): on Debian or Ubuntu, apt-get install python3.11-venv" >&2; exit 1; }
	$(INSTALL) -e .
	@touch $@
$(ALL): $(BASE)
	$(INSTALL) -e '.[dev]'
	@touch $@

setup: $(BASE)  ## make .venv with what running needs (about 1.2 GB)
setup-all: $(ALL)  ## add what training, notebooks and tests need (TensorFlow: 2.7 GB more)

demo: setup  ## run the whole chain over made-up tweets, in a home of its own, and show the segments
	@$(BIN)/tweet-profiles demo

dev: setup  ## open the Dagster UI and the page: on your own home, or on the demo's if yours is empty
	@$(BIN)/tweet-profiles dev

lint: setup-all  ## ruff, the type checker and the rules of who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: lint browser  ## lint, types and tests
	@$(BIN)/python -m pytest -n 2 --dist loadscope

test-fast: setup-all  ## the unit tests alone: no server, no process, no training; below a minute
	@$(BIN)/python -m pytest -m 'not integration' -n 2 --dist worksteal

# The tests of the page drive Debian's Chromium; without it they are skipped, and say so.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -n)
browser:
	@command -v chromium >/dev/null || { \
		echo "make: installing chromium for the tests of the page"; \
		$(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	} || echo "make: could not install chromium: the tests of the page will be skipped" >&2

format: setup-all  ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: setup-all  ## write docs/settings.md and docs/rooms.png from the code
	@$(BIN)/python docs/make_settings.py
	@$(BIN)/python docs/make_pictures.py

lock: setup-all  ## resolve pyproject.toml anew into constraints.txt
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --python $(BIN)/python --extra dev pyproject.toml -o constraints.txt --no-header --no-annotate --quiet

clean:  ## remove .venv and what tools cached; the home folder stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
