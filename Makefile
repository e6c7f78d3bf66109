# Everything a fresh machine needs: Python 3.11 and make. `make demo` and `make test` do all the set-up.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export TF_CPP_MIN_LOG_LEVEL ?= 2
export KERAS_BACKEND ?= tensorflow

.PHONY: demo test check fuzz lock clean

demo: $(VENV)/installed
	$(BIN)/tfelastic demo --workspace runs/demo

test: check
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A longer attack on the bundle's reader, guided by coverage: make fuzz FUZZ_SECONDS=3600
FUZZ_SECONDS ?= 300
fuzz: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable .[fuzz]
	$(BIN)/python tests/fuzz/fuzz_bundle.py --seconds $(FUZZ_SECONDS)

# Every package at the version and hash of the lock file, then this project itself.
$(VENV)/installed: requirements.lock setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Resolve the extras of setup.cfg anew, with pip's own resolver (needs pip-tools).
lock:
	pip-compile --quiet --extra dev --allow-unsafe --strip-extras --generate-hashes --no-header --no-annotate \
		--no-emit-options --output-file requirements.lock setup.cfg

clean:
	rm -rf $(VENV) runs *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
