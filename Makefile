# Everything runs in a virtual environment of its own, .venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The newest other Python at hand, without any extra: what a user of plain `pip install .` has.
OTHER_PYTHON ?= $(firstword $(foreach python,python3.13 python3.12 \
	$(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python $(HOME)/.pyenv/versions/3.12*/bin/python),\
	$(shell $(python) -c "print('$(python)')" 2>/dev/null)) $(PYTHON))
MINIMAL := .venv-minimal
LOWEST := .venv-lowest
TESTS ?= tests

# Test files go to so many processes; a file stays whole, since its tests share what they have made. What is not run
# here is not imported either: Ray takes seconds.
WORKERS ?= 2
PYTEST := -m pytest -q -n $(WORKERS) --dist loadfile --ignore tests/integrations

.PHONY: demo docs notebooks test test-minimal test-lowest test-integrations test-slow lint clean

$(VENV)/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

$(VENV)/.docs: pyproject.toml constraints.txt $(VENV)/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

$(VENV)/.integrations: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test-integrations]'
	touch $@

$(MINIMAL)/.test: pyproject.toml
	test -x $(MINIMAL)/bin/python || $(OTHER_PYTHON) -m venv $(MINIMAL)
	$(MINIMAL)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test-minimal]'
	touch $@

$(LOWEST)/.test: pyproject.toml
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python benchmarks/lowest.py > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(LOWEST)/constraints.txt -e '.[test-minimal]'
	touch $@

demo: $(VENV)/.core  ## compare the two bundled corpora, print the report, write demo-report.html
	$(BIN)/fingerprint demo --html demo-report.html

docs: $(VENV)/.docs  ## all pages, in docs/_build/html; without a network, and a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

notebooks: $(VENV)/.integrations  ## run the notebooks anew from their scripts, and keep what they show
	cd notebooks && for script in *.py; do ../$(BIN)/jupytext --quiet --to ipynb $$script; done
	cd notebooks && PYTHONWARNINGS=ignore:IProgress ../$(BIN)/jupyter execute --inplace *.ipynb

# Threads that wait for one another crawl when other work takes a core; the tests are hardly slower with one.
test test-minimal test-lowest test-integrations test-slow: export OMP_NUM_THREADS ?= 1
# Modules are compiled once, and not anew by each of the many processes that tests start.
test test-minimal test-lowest test-integrations test-slow: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/.test lint  ## everything but the slow statistical suites
	$(BIN)/python $(PYTEST)

lint: $(VENV)/.test
	$(BIN)/ruff check fingerprint tests benchmarks docs notebooks
	MYPY_NUM_WORKERS=$(WORKERS) $(BIN)/mypy

test-minimal: $(MINIMAL)/.test  ## the same under another Python, without extras; TESTS chooses some
	$(MINIMAL)/bin/python $(PYTEST) $(TESTS)

test-lowest: $(LOWEST)/.test  ## the same with the lowest versions that pyproject.toml allows; old ones warn of new ones
	$(LOWEST)/bin/python $(PYTEST) -o filterwarnings=default $(TESTS)

test-integrations: $(VENV)/.integrations  ## work with heavy partners, for real: a Ray cluster, inspect_ai, TRL, pages
	$(BIN)/python -m pytest -q -m integration tests/integrations tests/test_pages.py

test-slow: $(VENV)/.test test-minimal  ## the slow statistical suites; all other tests under another Python
	$(BIN)/python $(PYTEST) -m slow --timeout 7200

clean:
	rm -rf docs/_build docs/gallery docs/tutorials/*.ipynb $(VENV) $(MINIMAL) $(LOWEST) build dist *.egg-info demo-report.*
