# The two commands of the README: `make demo` and `make test`. Each does its own set-up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint types page clean

demo: $(VENV)/.installed-demo
	$(BIN)/visteer demo

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-test
	$(BIN)/mypy

# The editor's page, checked and built with this machine's Node. Installing builds it, too, without one.
page:
	cd frontend && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci; } && npm test && npm run build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Each stamp is renewed when pyproject.toml or the editor's page changes; the install builds the page.
PAGE := hatch_build.py frontend/index.html frontend/package-lock.json $(shell find frontend/src -type f)

$(VENV)/.installed-demo: pyproject.toml $(PAGE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[offline]"
	touch $@

$(VENV)/.installed-test: pyproject.toml $(PAGE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[offline,test]"
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache build dist frontend/node_modules src/visteer/server/static
