# tempo: everything that is run from a clone. `make` alone lists it.
#
# Each target makes the virtual environment it needs, and makes it again when pyproject.toml or requirements.txt
# have changed. Choose the interpreter with PYTHON=…; the default is the first Python >= 3.12 that works.

VENV    := .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check
INPUTS  := pyproject.toml requirements.txt
# Two workers suit the two cores of a small machine; WORKERS=8 uses more.
WORKERS ?= 2
TESTS   ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help briefing test test-generic lint types docs wheel benchmarks readme notebooks requirements clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

briefing: $(VENV)/.ready-to-run ## write briefing.pdf from the shipped chronology, as of 12 March 2020
	$(BIN)/tempo brief --as-of 2020-03-12 --output briefing.pdf

test: $(VENV)/.ready-to-test ## run every test (TESTS='tests/data -k dates' for some)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

# What is stored, printed or published must be the same on any processor: these tests hold it to that.
GENERIC := tests/notebooks tests/test_readme.py tests/reference tests/models/test_hawkes_likelihood.py -k 'not 03 and not 04'

test-generic: $(VENV)/.ready-to-test ## run the tests of stored numbers as on the plainest processor
	$(BIN)/python .ci/generic_processor.py $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(GENERIC)

lint: $(VENV)/.ready-to-test ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-to-test ## check types
	$(BIN)/mypy

docs: $(VENV)/.ready-to-test ## build the documentation in docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html

wheel: $(VENV)/.ready-to-test ## build the wheel in dist/ and check what is in it
	rm -rf dist
	$(PIP) wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/python .ci/check_wheel.py dist

benchmarks: $(VENV)/.ready-to-test ## measure speed, against peers where they install
	$(PIP) install --quiet -c requirements.txt -e ".[tests,benchmarks]"
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only -o addopts= --import-mode=importlib

readme: $(VENV)/.ready-to-run ## run the example of the README and draw its picture again
	$(BIN)/python .ci/refresh_readme.py

notebooks: $(VENV)/.ready-to-test ## run the notebooks and store their outputs
	$(BIN)/python .ci/run_notebooks.py

requirements: $(VENV)/.ready-to-test ## write the installed versions into requirements.txt
	$(BIN)/python .ci/pin_requirements.py

clean: ## remove the virtual environment and everything built
	rm -rf $(VENV) build dist docs/_build docs/api/generated briefing.pdf

$(VENV)/.ready-to-run: $(INPUTS) | $(BIN)/python
	$(PIP) install --quiet -c requirements.txt -e .
	@touch $@

$(VENV)/.ready-to-test: $(INPUTS) | $(BIN)/python
	$(PIP) install --quiet -c requirements.txt -e ".[tests,docs]"
	@touch $@ $(VENV)/.ready-to-run

$(BIN)/python:
	@python=$$(PYTHON='$(PYTHON)' sh .ci/find-python) && echo "$$python -m venv $(VENV)" && "$$python" -m venv $(VENV)
