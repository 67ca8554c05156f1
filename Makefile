# The commands of the project. `make demo` and `make test` do all the set-up themselves.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export TWEET_PROFILES_HOME ?= $(CURDIR)/.tweet_profiles

.PHONY: help setup demo dev test browser lint format lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# One stamp a set of pins: a second run installs nothing.
STAMP := $(VENV)/.installed
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) was not found: install Python 3.11, or name yours with PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "make: could not make $(VENV): on Debian or Ubuntu, apt-get install python3.11-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(STAMP)  ## make .venv with the pinned dependencies

demo: setup  ## run the whole chain over the bundled sample and show the segments
	@$(BIN)/tweet-profiles demo

dev: setup  ## open the Dagster UI on the demo's data
	@$(BIN)/tweet-profiles dev

lint: setup  ## ruff and the type checker
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

test: lint browser  ## lint, types and tests
	@$(BIN)/python -m pytest

# The tests of the page drive Debian's Chromium; without it they are skipped, and say so.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -n)
browser:
	@command -v chromium >/dev/null || { \
		echo "make: installing chromium for the tests of the page"; \
		$(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	} || echo "make: could not install chromium: the tests of the page will be skipped" >&2

format: setup  ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: setup  ## resolve pyproject.toml anew into constraints.txt
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --python $(BIN)/python --extra dev pyproject.toml -o constraints.txt --no-header --no-annotate --quiet

clean:  ## remove .venv and what tools cached; the home folder stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
