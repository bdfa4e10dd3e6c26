# Everything runs in a virtual environment of its own, .venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow lint clean

$(VENV)/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

demo: $(VENV)/.core  ## compare the two bundled corpora, print the report, write demo-report.html
	$(BIN)/fingerprint demo --html demo-report.html

# Threads that wait for one another crawl when other work takes a core; the tests are hardly slower with one.
test test-slow: export OMP_NUM_THREADS ?= 1

test: $(VENV)/.test lint  ## everything but the slow statistical suites
	$(BIN)/python -m pytest -q

lint: $(VENV)/.test
	$(BIN)/ruff check fingerprint tests benchmarks
	$(BIN)/mypy

test-slow: $(VENV)/.test  ## the slow statistical suites alone
	$(BIN)/python -m pytest -q -m slow --timeout 7200

clean:
	rm -rf $(VENV) build dist *.egg-info demo-report.*
