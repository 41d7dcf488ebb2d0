# From a bare clone with python3 (3.11 or newer), make and a package registry: `make up`, `make test`.
# The virtual environment is made on first use, and brought up to date when a lock file has changed.

.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
PYTEST := $(PYTHON) -m pytest
# Test processes, one more than two cores: what needs a database also waits, for locks and time-outs.
AT_ONCE := 3
# A stamp is written last, so an installation that was cut off is begun anew.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
# Tests start hundreds of processes: compiled once, and kept, whatever this shell says of that.
test unit chaos: export PYTHONDONTWRITEBYTECODE :=
# Without its Python (upgraded, or the folder was copied here) an environment is of no use.
$(shell $(PYTHON) -c '' 2>/dev/null || rm -f $(RUN_STAMP) $(DEV_STAMP))

.PHONY: help up test check unit chaos bench schema

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

up: $(RUN_STAMP) ## Everything on this machine, in the foreground; Ctrl-C stops it
	@exec $(PYTHON) -m fieldfare.cli.main up

test: $(DEV_STAMP) ## Every test, and full coverage of the pure core
	@$(PYTEST) tests/unit -n 2 --cov --cov-report=
	@$(PYTHON) -m coverage report --fail-under=100 --include='*/kernel/*,*/rules.py,*/rules/*'
	@$(PYTEST) tests -n $(AT_ONCE) --dist worksteal --ignore=tests/unit

check: $(DEV_STAMP) ## Lint, format, types, imports, migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(PYTHON) -m mypy --strict src tests benchmarks
	@$(BIN)/lint-imports
	@$(BIN)/squawk migrations/versions/*.sql

unit: $(DEV_STAMP) ## The tests that need no database
	@$(PYTEST) tests/unit

chaos: $(DEV_STAMP) ## The long campaigns: faults, kills, thousands of operations
	@$(PYTEST) tests -m long

schema: $(DEV_STAMP) ## Write migrations/schema.sql anew, after a change of a migration
	@$(PYTHON) -m tests.tidy.write_schema

bench: $(DEV_STAMP) ## The benchmarks, or one: NAME=credit_orders
	@$(PYTHON) -m benchmarks $(NAME)

$(RUN_STAMP): requirements.lock .ci/install
	@.ci/install $(VENV) requirements.lock $@

$(DEV_STAMP): requirements-dev.lock $(RUN_STAMP)
	@.ci/install $(VENV) requirements-dev.lock $@
