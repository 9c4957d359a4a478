# Every target sets up what it needs: Python 3.11 or later, make and git are enough.
# uv is used when it is installed, else a virtual environment and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-live-salesforce test-live-hubspot coverage lint format bench fault lock clean

help:
	@echo "make demo    the whole story on an embedded sandbox CRM, nothing else needed"
	@echo "make test    set up and run every test"
	@echo "make test-live-salesforce  a real sandbox org, named by LIVE_SF_URL and _TOKEN"
	@echo "make test-live-hubspot  a real test portal, named by LIVE_HS_TOKEN"
	@echo "make coverage  the tests with the coverage floor of 90 %"
	@echo "make lint    ruff, mypy and the import contracts"
	@echo "make bench   measure syncing, and the store beside its peers"
	@echo "make fault   every fault of docs/faults.md, whole: an hour or more"

$(STAMP): pyproject.toml uv.lock constraints.txt
	@if command -v uv >/dev/null 2>&1; then \
	  uv sync --quiet --frozen --extra dev --python $(PYTHON); \
	else \
	  $(PYTHON) -c 'import sys; sys.exit("crmtrail needs Python 3.11 or later; set PYTHON=...") if sys.version_info < (3, 11) else None' && \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'; \
	fi
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/crmtrail demo

test: $(STAMP)
	$(BIN)/pytest -n 3 --dist loadfile

test-live-salesforce: $(STAMP)
	@$(BIN)/pytest -v --timeout 1800 tests/live

test-live-hubspot: $(STAMP)
	@$(BIN)/pytest -v --timeout 1800 tests/live_hubspot

coverage: $(STAMP)
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n 3 --dist loadfile
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python benchmarks/sync.py
	$(BIN)/python benchmarks/calls.py
	$(BIN)/python benchmarks/calls_hubspot.py
	$(BIN)/python benchmarks/store/run.py

fault: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m support.faults --write

lock:
	uv lock
	uv export --quiet --frozen --all-extras --no-emit-project --no-hashes --no-annotate --no-header -o constraints.txt

clean:
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
