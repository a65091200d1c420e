# `make help` lists what there is. Every target installs first when the lock or pyproject.toml has changed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
INSTALLED := $(VENV)/.installed

export PATH := $(abspath $(VENV))/bin:$(PATH)
export VIRTUAL_ENV := $(abspath $(VENV))

# Dagster takes an absolute path only, and keeps its storage where dagster.yaml in that folder says.
DAGSTER_HOME ?= $(CURDIR)
export DAGSTER_HOME
# A run records its partitions in batches of this size; one event at a time takes minutes for thousands of them.
DAGSTER_EVENT_BATCH_SIZE ?= 1000
export DAGSTER_EVENT_BATCH_SIZE
# Importing Dagster without compiled bytecode more than doubles the start of every command.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Python compiles what is imported when it first is; to compile all that is installed takes a third of the time of this.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("lakehouse_assets needs Python 3.11 to 3.14, and $(PYTHON) is " + sys.version.split()[0] + ": name another by make PYTHON=…" if not (3, 11) <= sys.version_info[:2] <= (3, 14) else 0)'
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --no-compile --no-deps --require-hashes --requirement requirements.lock
	python -m pip install --quiet --no-deps --no-build-isolation --editable .
	python -m pip check
	touch $@

.PHONY: install
install: $(INSTALLED) ## make .venv from the lock

.PHONY: demo
demo: $(INSTALLED) ## build every table from the sample landing zone and show what came out
	lakehouse demo

.PHONY: dev
dev: $(INSTALLED) ## Dagster's web pages, sensors and schedules on this machine
	dagster dev -w workspace.yaml

# Azurite, which stands in for Azure's storage. Without npm, the tests on it are left out.
TOOLS := .tools
AZURITE := $(TOOLS)/.installed
NPM := $(shell command -v npm)
EMULATORS := lakehouse_assets_tests/emulators

$(AZURITE): $(EMULATORS)/package.json $(EMULATORS)/package-lock.json
	mkdir -p $(TOOLS)
	cp $^ $(TOOLS)
	npm ci --prefix $(TOOLS) --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

.PHONY: tools
tools: $(AZURITE) ## install Azurite into .tools, for tests on Azure's storage

# Processes that tests are shared out to. Neighbours stay together, so that what they share is rarely built twice.
WORKERS ?= logical

.PHONY: test
test: $(INSTALLED) $(if $(NPM),$(AZURITE)) ## all tests; some of them: make test ARGS="-k quarantine"
	@$(if $(NPM),:,echo "npm is missing (Debian: apt-get install npm), so tests marked azure are left out")
	python -m pytest -n $(WORKERS) --dist worksteal -m "not distributed$(if $(NPM),, and not azure)" $(ARGS)

.PHONY: bench
bench: $(INSTALLED) ## measure speed and memory into docs/benchmarks; a minute of it: make bench ARGS="--quick"
	python -m lakehouse_assets_tests.benchmarks --to docs/benchmarks $(ARGS)

.PHONY: test-faults
test-faults: $(INSTALLED) $(if $(NPM),$(AZURITE)) ## kills, crowds, full disks and damage at length, about an hour; once more as it was: SEED=…
	FAULTS=all FAULTS_SEED=$(SEED) python -m pytest lakehouse_assets_tests/faults $(EMULATORS) \
		$(if $(NPM),,-m "not azure") $(ARGS)

.PHONY: test-distributed
test-distributed: $(INSTALLED) ## two Celery workers, one of them killed (Debian: apt-get install redis-server)
	python -m pytest -s -m distributed lakehouse_assets_tests/distributed $(ARGS)

.PHONY: lint
lint: $(INSTALLED) ## ruff and mypy
	ruff check .
	ruff format --check .
	mypy

.PHONY: format
format: $(INSTALLED) ## let ruff lay out the code and mend what it can
	ruff format .
	ruff check --fix .

.PHONY: check
check: $(INSTALLED) ## load the definitions as dg and Dagster do
	dg check defs
	dagster definitions validate -w workspace.yaml

.PHONY: docs
docs: $(INSTALLED) ## write the data dictionary from the contracts
	lakehouse catalog docs

.PHONY: lock
lock: $(INSTALLED) ## solve the ranges of pyproject.toml again, newest releases first
	python -m pip install --quiet uv
	uv pip compile pyproject.toml --all-extras --universal --upgrade --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock
