# Every target is self-sufficient: it makes its own virtual environment from requirements.lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help up console test lint types contracts bench docs docs-check lock clean

help:  ## what can be done here
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.lock pyproject.toml sdk/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'remit needs Python 3.11 or newer; next: make PYTHON=python3.11 up' >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo 'no virtual environment can be made; next: apt-get install python3-venv' >&2; exit 2; }
	@echo 'installing what remit stands on (once)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r tools/bootstrap.lock
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable . --editable ./sdk
	@$(BIN)/python -m compileall -q src sdk/src
	@touch $@

console: $(STAMP)  ## build the console (pages of operators), where its sources changed
	@$(BIN)/python console/build.py

up: $(STAMP)  ## start Remit and watch a real agent being governed; Ctrl-C stops it
	@$(BIN)/python console/build.py || echo 'going on without the console; its address says how to build it' >&2
	@REMIT_GATEWAY_PROVENANCE=$${REMIT_GATEWAY_PROVENANCE:-observe} exec $(BIN)/remit up --demo --fresh --data .remit $(ARGS)

test: console  ## every test, PostgreSQL included
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --proof build/proof.json $(ARGS)

lint: $(STAMP)  ## format and rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

contracts: $(STAMP)  ## who may import whom
	@$(BIN)/lint-imports

types: $(STAMP)  ## mypy and tsc, strict
	@$(BIN)/mypy
	@$(BIN)/python console/build.py --check

bench: $(STAMP)  ## each goal beside its peer, in one run; figures go to bench/out
	@$(BIN)/python -m bench $(ARGS)

docs: $(STAMP)  ## generate docs/reference and docs/standards from code and tests
	@$(BIN)/python -m tools.reference write

docs-check: $(STAMP)  ## fail if a generated page differs from the code
	@$(BIN)/python -m tools.reference check

lock: $(STAMP)  ## resolve requirements.lock and tools/bootstrap.lock anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --all-extras --group dev --no-header \
	  --no-annotate --python-version 3.11 --upgrade pyproject.toml --output-file requirements.lock
	@echo uv | $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate - \
	  --output-file tools/bootstrap.lock

clean:  ## remove everything that these targets made
	rm -rf $(VENV) console/node_modules src/remit/surface/web/console/built build dist bench/out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
