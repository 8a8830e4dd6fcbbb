# make demo · test · test-all · test-airflow · test-airflow-all · lint · bench · bench-peers · golden · dbt · chromium ·
# systemd · clean
#
# Wants Python 3.11 or newer, git and make. Everything else is installed into .venv, once, and again when
# pyproject.toml or constraints.txt change.
#
#     make test                         what every change is tried with, about ten minutes
#     make test-all                     everything, as .ci/run does: also what takes long, Airflow's pages in a browser
#     make test PYTHON=python3.13       another Python
#     make demo SOURCE=kommo            another CRM
#     make bench MEASURES=idle          one measure
#     make bench-peers PEER_PYTHON=python3.13    a Python of 3.12 or newer, which a peer wants

PYTHON ?= python3
SOURCE ?= bitrix24
PEER_PYTHON ?= python3.12
MEASURES ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
WANTED := pyproject.toml constraints.txt
AIRFLOW_VENV := .venv-airflow

.PHONY: demo test test-all test-airflow test-airflow-all lint bench bench-peers golden dbt chromium systemd clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@$(BIN)/leadhouse demo --source $(SOURCE)

test: lint dbt test-airflow
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not long'

test-all: lint dbt chromium systemd test-airflow-all
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# Airflow's 100 packages have an environment of their own. -all also boots Airflow and looks at it with Chromium.
test-airflow: $(AIRFLOW_VENV)/installed
	$(AIRFLOW_VENV)/bin/mypy $(wildcard pipelines/leadhouse/airflow/*.py dags/*.py dags/*/*.py tests/in_airflow/*.py)
	$(AIRFLOW_VENV)/bin/python -m pytest tests/in_airflow -n 2 --dist loadfile -m 'not long'

test-airflow-all: chromium $(AIRFLOW_VENV)/installed
	$(AIRFLOW_VENV)/bin/mypy $(wildcard pipelines/leadhouse/airflow/*.py dags/*.py dags/*/*.py tests/in_airflow/*.py)
	$(AIRFLOW_VENV)/bin/python -m pytest tests/in_airflow -n 2 --dist loadfile

lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/installed-dev
	$(BIN)/python tests/bench/run.py $(MEASURES)

bench-peers: $(VENV)/installed-dev $(VENV)/peers/installed
	$(BIN)/python tests/bench/run_peers.py --sdk $(VENV)/peers/bin/python $(MEASURES)

# Write the snapshot of the warehouse's schema anew; then tell of the change in CHANGELOG's contract table.
golden: $(VENV)/installed-dev
	WRITE_GOLDEN=yes $(BIN)/python -m pytest tests/analysts/test_schema_contract.py

# What the tests of `leadhouse schema --dbt` run, in an environment of its own.
dbt: $(VENV)/dbt/installed

# What the long tests run, on Debian and its like.
chromium:
	@command -v chromium >/dev/null || { apt-get update --quiet --quiet && \
	  apt-get install --yes --quiet --quiet --no-install-recommends chromium; }

systemd:
	@command -v systemd-analyze >/dev/null || { apt-get update --quiet --quiet && \
	  apt-get install --yes --quiet --quiet --no-install-recommends systemd; }

clean:
	rm -rf $(VENV) $(AIRFLOW_VENV) dist state/local .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f leadhouse-demo.duckdb leadhouse-demo.duckdb.wal .leadhouse-demo.duckdb.*.lock

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

$(AIRFLOW_VENV)/installed: $(WANTED) constraints-airflow.txt
	@$(PYTHON) -m venv $(AIRFLOW_VENV)
	@$(AIRFLOW_VENV)/bin/python -m pip --disable-pip-version-check --no-input install --quiet -c constraints.txt pip
	@$(AIRFLOW_VENV)/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
	  -c constraints.txt -c constraints-airflow.txt -e '.[sandbox]' --group airflow
	@touch $@

$(VENV)/dbt/installed: $(BIN)/python constraints-dbt.txt
	@$(BIN)/python -m venv $(VENV)/dbt
	@$(VENV)/dbt/bin/python -m pip --disable-pip-version-check --no-input install --quiet -c constraints-dbt.txt dbt-duckdb
	@touch $@

$(VENV)/peers/installed: $(VENV)/installed
	@$(PEER_PYTHON) -m venv $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
	  kommo_sdk_data_engineer==0.11.0 duckdb==1.5.5
	@touch $@
