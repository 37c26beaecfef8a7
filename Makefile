# Every target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
PYTHON_SOURCES := libs services tests .ci conftest.py
WORKERS ?= 3

# Without its cache every one of the processes that the tests start would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE
SOURCE ?=
PORT ?= 8000
DATA ?= .run

.PHONY: help
help: ## list every target with a line
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(BIN)/strongroom ## install everything into .venv, the strongroom command included

$(BIN)/strongroom: uv.lock deploy/bootstrap.sh
	@deploy/bootstrap.sh
	@touch $@

.PHONY: run
run: setup ## start the product, take and prove a first backup (SOURCE=/path), stay up until Ctrl-C
	@$(BIN)/strongroom first-backup --data "$(DATA)" --port "$(PORT)" $(if $(SOURCE),--source "$(SOURCE)")

.PHONY: demo
demo: setup ## the same, but end after the proof
	@$(BIN)/strongroom first-backup --data "$(DATA)" --port "$(PORT)" $(if $(SOURCE),--source "$(SOURCE)") --exit

.PHONY: check
check: setup lint types imports lengths unit ## everything that needs no server: lint, types, contracts, unit tests

.PHONY: lint
lint: setup ## ruff: all rules, and the format
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/ruff format --check $(PYTHON_SOURCES)

.PHONY: types
types: setup ## mypy, strict
	$(BIN)/mypy $(PYTHON_SOURCES)

.PHONY: imports
imports: setup ## the layers: who may import whom
	$(BIN)/lint-imports --no-cache

.PHONY: lengths
lengths: ## no file over 300 lines, no function over 40
	@git ls-files -z '*.py' '*.js' | xargs -0 python3 .ci/lengths.py

.PHONY: unit
unit: setup ## the tests beside the code
	$(BIN)/python -m pytest -q libs services

.PHONY: test
test: setup ## set everything up and run all tests, on real servers (WORKERS=3 side by side)
	@$(MAKE) --no-print-directory --jobs=4 --output-sync --keep-going \
	  rabbitmq lint types imports lengths || failed=checks; \
	WORKERS=$(WORKERS) .ci/tests || failed="$$failed tests"; \
	[ -z "$$failed" ] || { echo "make test failed: $$failed (see above)" >&2; exit 1; }

.PHONY: coverage
coverage: setup rabbitmq ## run all tests, a twentieth slower, and say which lines and branches none of them reaches
	WORKERS=$(WORKERS) PYTEST_ADDOPTS="--cov --cov-branch --cov-report=term:skip-covered" .ci/tests

.PHONY: bench
bench: setup ## measure beside restic and borg, in turn, into docs/performance.md (25 minutes; ARGS="--data tiny-1m --rounds 1")
	tests/bench/install-peers.sh .tools/peers
	PATH="$(CURDIR)/$(BIN):$(CURDIR)/.tools/peers/bin:$$PATH" PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

.PHONY: chaos
chaos: setup ## cut the power, fill the disk, kill, crowd and fuzz the repository for long (CHAOS=10, CHAOS_SEED=n)
	CHAOS="$(or $(CHAOS),10)" CHAOS_SEED="$(or $(CHAOS_SEED),$(shell date +%s))" $(BIN)/python -m pytest -q tests/chaos --timeout 0 --durations=15

.PHONY: rabbitmq
rabbitmq: ## install the RabbitMQ package where no broker is there
	@deploy/rabbitmq/install.sh

.PHONY: format
format: setup ## let ruff put the sources into shape
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)
	$(BIN)/ruff format $(PYTHON_SOURCES)

.PHONY: docs
docs: setup ## write what is made from the code: the AsyncAPI document, the RabbitMQ definitions
	$(BIN)/python .ci/asyncapi.py
	$(BIN)/python .ci/rabbitmq_definitions.py

.PHONY: clean
clean: ## remove what the targets made, the demonstration's data included
	rm -rf .venv .tools .run .coverage .mypy_cache .pytest_cache .ruff_cache
