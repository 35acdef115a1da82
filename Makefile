# Two targets do everything on a fresh machine: `make serve` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV   ?= .venv
BIN    := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
             $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
HOST   ?= 127.0.0.1
PORT   ?= 3000
DATA   ?=
SECONDS_OF_LOAD ?= 60
PROCESSES ?= 2
# Tests that time what they ask, or hold, starve and kill it: nothing else runs beside them.
ALONE := tests/faults tests/hostile tests/loadtests

export BENTOML_DO_NOT_TRACK := True
export FEAST_USAGE := False
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install install-dev serve test lint types load bento clean bench bench-docs ramp bench-models

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Keepgrow needs Python 3.11 or later on PATH; none was found. Set PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) lacks the venv module (on Debian and Ubuntu it is the package python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Keepgrow into $(VENV) (some two minutes the first time)"
	@$(BIN)/python -m pip install --progress-bar off -c constraints.txt -e . || { echo "The installation is incomplete: see pip's message above; the same command goes on where it stopped."; exit 1; }
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/.installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

install: $(VENV)/.installed ## Make the virtual environment with the keepgrow command in it
install-dev: $(VENV)/.installed-dev ## The same with what tests and load tests need

serve: install ## Make what is missing and serve on 127.0.0.1:3000 (DATA=folder for your own tables)
	@exec $(BIN)/keepgrow up --host $(HOST) --port $(PORT) $(if $(DATA),--data "$(DATA)")

test: install-dev lint types ## Lint, types and all tests, in two processes (PROCESSES=4: in four)
	$(BIN)/python -m pytest -n $(PROCESSES) --no-loadscope-reorder $(addprefix --ignore=,$(ALONE))
	$(BIN)/python -m pytest $(ALONE)

lint: install-dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev ## mypy, strict
	$(BIN)/mypy

load: install-dev ## Locust for 60 s against the running service; fails on any error or p99 over 100 ms
	$(BIN)/locust -f loadtests/locustfile.py --headless --host http://$(HOST):$(PORT) --users 12 --spawn-rate 6 --run-time $(SECONDS_OF_LOAD)s --stop-timeout 5 --only-summary

bento: install ## Build the bento, serve it on a free port and check that it answers
	$(BIN)/keepgrow bento

clean: ## Remove the virtual environment, made data and caches
	rm -rf $(VENV) .keepgrow build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

bench: install-dev ## Measure the service beside a floor and the ordinary ways (BENCH="--quick": under 3 min)
	$(BIN)/python -m loadtests.bench run $(BENCH)

bench-docs: install-dev ## Write tables and picture of docs/performance.md from build/bench.json
	$(BIN)/python -m loadtests.bench docs

ramp: install-dev ## Locust, open model: the highest rate the running service holds; report in build/ramp.html
	@mkdir -p build
	$(BIN)/locust -f loadtests/ramp.py --headless --users 1 --host http://$(HOST):$(PORT) --html build/ramp.html --only-summary $(RAMP)

YARDSTICKS := build/yardsticks
$(YARDSTICKS)/.installed: pyproject.toml constraints.txt benchmarks/requirements.txt benchmarks/requirements-no-deps.txt | $(BIN)/python
	@echo "Installing what models are compared with into $(YARDSTICKS), apart from the product"
	@mkdir -p build && $(PYTHON) -m venv $(YARDSTICKS)
	$(YARDSTICKS)/bin/python -m pip install -q -c constraints.txt -e .
	@grep -v '^#' benchmarks/requirements.txt | while read -r one; do \
	  $(YARDSTICKS)/bin/python -m pip install -q -c constraints.txt "$$one" || echo "$$one can't be installed: its rows will be left out"; done
	-$(YARDSTICKS)/bin/python -m pip install -q --no-deps -r benchmarks/requirements-no-deps.txt
	@touch $@

bench-models: $(YARDSTICKS)/.installed ## Compare the models with yardsticks on data of others; writes docs/performance-models.md (BENCH="--quick": under 3 min)
	$(YARDSTICKS)/bin/python -m benchmarks.run $(BENCH)
