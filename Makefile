# python3 (3.11 or later) and make are all that a fresh machine needs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help book test bench lint pair lock clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile

book: $(READY)  ## execute every page that changed, write _build/html/index.html and _build/ledger.csv
	$(BIN)/pilotzones book

test: $(READY)  ## run the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(READY)  ## time the estimators side by side, write _build/bench*.json
	$(BIN)/python tests/bench.py
	$(BIN)/python tests/bench_pairs.py
	$(BIN)/python tests/bench_customs.py
	$(BIN)/python tests/bench_modern.py
	$(BIN)/python tests/bench_multiverse.py
	$(BIN)/python tests/bench_readers.py
	$(BIN)/python tests/bench_size.py
	$(BIN)/python tests/bench_sweep.py

lint: $(READY)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

pair: $(READY)  ## write notebooks/*.ipynb from notebooks/*.py
	$(BIN)/python -m pilotzones.notebooks

lock:  ## refresh requirements.lock and environment.yml after a change of pyproject.toml (needs uv)
	uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --all-extras \
		--no-annotate --custom-compile-command "make lock" --output-file requirements.lock
	$(MAKE) $(READY)
	$(BIN)/python -m pilotzones.environment

clean:  ## remove everything generated except the environment in .venv
	rm -rf _build data/panels book/studies/*/*.ipynb book/across/*.ipynb book/exercises/*.ipynb book/primer/*.ipynb

# the lock is installed with its hashes first: hash checking and -e do not mix in one call
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
