# Needs Python 3.11 to 3.14, git and make; everything else is installed into .venv. Another Python:
# make PYTHON=python3.14 test
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv || echo $(BIN)/uv)
READY := .venv/.installed
QUIET := DVC_NO_ANALYTICS=1 DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
# Tests run two at a time, each on one thread: tiny networks gain nothing from more. They start hundreds of processes,
# which would compile our modules anew each time where Python is told to keep no bytecode.
PYTEST := $(QUIET) PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: help install repro test test-fast check docs wheel schema lock clean
.DEFAULT_GOAL := help

help:
	@echo "make install    install the locked dependencies, networks and the facet command into .venv; the others do it first"
	@echo "make repro      run every stage whose inputs changed; ends with reports/index.html"
	@echo "make test       all tests"
	@echo "make test-fast  the tests that take milliseconds"
	@echo "make check      ruff, formatting, mypy"
	@echo "make docs       build docs/ as a site in site/; a dead link is an error"
	@echo "make wheel      build a wheel of the library in dist/"
	@echo "make schema     renew params.schema.json, the schema of params.yaml for editors"
	@echo "make lock       renew requirements.lock from pyproject.toml"
	@echo "make clean      remove caches of tools; data, checkpoints and .venv stay"

install: $(READY)

repro: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(QUIET) $(BIN)/dvc repro

test: $(READY)
	$(PYTEST)

test-fast: $(READY)
	$(PYTEST) -m "not slow"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/zensical build --clean --strict

# setuptools would pack whatever an earlier build left in build/.
wheel: $(READY)
	rm -rf build dist
	$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist
	rm -rf build

schema: $(READY)
	$(BIN)/python -m flows.params_schema

lock: $(READY)
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --upgrade --extra flows --extra docs --extra dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache build dist site *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# The machine's uv, or else one installed into .venv: either installs the same lock and checks its hashes.
# dvc of .venv runs stages with the python of .venv, whether or not that is activated.
$(READY): requirements.lock pyproject.toml facet/photos/faces/networks.lock flows/dvc_python.pth
	@if command -v uv > /dev/null; then test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) .venv; else \
	  test -x $(BIN)/python || $(PYTHON) -m venv .venv; $(BIN)/python -m pip install --quiet uv; fi
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@cp flows/dvc_python.pth "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@$(BIN)/facet networks > /dev/null
	@touch $@
