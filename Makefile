# make demo · test · lint · bench · clean
#
# Wants Python 3.11 or newer, git and make. Everything else is installed into .venv, once, and again when
# pyproject.toml or constraints.txt change.
#
#     make test PYTHON=python3.13       another Python
#     make bench MEASURES=idle          one measure

PYTHON ?= python3
MEASURES ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
WANTED := pyproject.toml constraints.txt

.PHONY: demo test lint bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@$(BIN)/leadhouse demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/installed-dev
	$(BIN)/python tests/bench/run.py $(MEASURES)

clean:
	rm -rf $(VENV) dist state/local .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f leadhouse-demo.duckdb leadhouse-demo.duckdb.wal

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "leadhouse wants Python 3.11 or newer, and $(PYTHON) is not; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || { \
	  echo "$(PYTHON) cannot make virtual environments; install its venv package (python3-venv)" >&2; exit 1; }
	@echo "making $(VENV) and installing leadhouse into it, once"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python $(WANTED)
	@$(PIP) install --quiet -c constraints.txt pip
	@$(PIP) install --quiet -c constraints.txt -e '.[sandbox]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(PIP) install --quiet -c constraints.txt -e '.[sandbox]' --group dev
	@touch $@
