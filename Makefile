# Everything a fresh machine needs: Python 3.11 and make. `make demo` and `make test` do all the set-up.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export TF_CPP_MIN_LOG_LEVEL ?= 2
export KERAS_BACKEND ?= tensorflow

.PHONY: demo bench bench-torch test check site fuzz dist lock clean system-packages kotlin-compiler kotlin

demo: $(VENV)/installed
	$(BIN)/tfelastic demo --workspace runs/demo

# Every benchmark at a quick size into docs/benchmarks.md; with PyTorch's side where bench-torch made it.
TORCH := build/torch
bench: $(VENV)/installed
	TORCH_PYTHON=$$(test -x $(TORCH)/bin/python && echo $(TORCH)/bin/python || echo $(BIN)/python) \
		$(BIN)/python -m benchmarks.run_all

# An environment of the benchmarks' own, which nothing else sees.
bench-torch:
	$(PYTHON) -m venv $(TORCH)
	$(TORCH)/bin/python -m pip install --quiet --requirement benchmarks/torch-requirements.txt

test: check system-packages kotlin-compiler
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation as a site, in build/site; a broken link or reference is an error.
site: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# A longer attack on the readers of Python and C++, guided by coverage: make fuzz FUZZ_SECONDS=3600
FUZZ_SECONDS ?= 300
fuzz: $(VENV)/installed | system-packages
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable runtime/python --editable .[fuzz]
	$(BIN)/python tests/fuzz/fuzz_bundle.py --seconds $(FUZZ_SECONDS)
	$(BIN)/python tests/fuzz/fuzz_reader.py --seconds $(FUZZ_SECONDS)

# Both distributions as for a release: each wheel is built from its source distribution alone.
BUILD_SDIST := from setuptools import build_meta; build_meta.build_sdist("$(CURDIR)/dist")
dist: $(VENV)/installed
	rm -rf dist
	$(BIN)/python -c '$(BUILD_SDIST)'
	cd runtime/python && $(CURDIR)/$(BIN)/python -c '$(BUILD_SDIST)'
	$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --no-index --wheel-dir dist dist/*.tar.gz

# What the tests need from the system: each line of the list is a Debian package and the command
# that succeeds where it is present. apt-get installs what is missing where it may.
system-packages: system-packages.txt
	@missing=$$(while read -r package probe; do \
		sh -c "$$probe" >/dev/null 2>&1 </dev/null || printf '%s ' "$$package"; done <$<); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $$missing; \
	else \
		echo "The tests need these packages (Debian's names), and only root may install them: $$missing" >&2; \
		exit 1; \
	fi

# The Kotlin compiler from npm, at the version and hash of its lock file; npm knows its registry.
KOTLIN := build/kotlin
kotlin-compiler: $(KOTLIN)/node_modules/.package-lock.json
$(KOTLIN)/node_modules/.package-lock.json: runtime/kotlin/package.json runtime/kotlin/package-lock.json | system-packages
	mkdir -p $(KOTLIN)
	cp $^ $(KOTLIN)
	npm ci --prefix $(KOTLIN) --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# The Kotlin runtime as two libraries: for any JVM, and LiteRT on a desktop's (runtime/kotlin/README.md).
KOTLINC := bash $(KOTLIN)/node_modules/kotlin-compiler/bin/kotlinc -Werror -jvm-target 1.8 -Xjdk-release=8
CORE_JAR := $(KOTLIN)/tfelastic-core.jar
DESKTOP_JAR := $(KOTLIN)/tfelastic-desktop.jar
kotlin: $(CORE_JAR) $(DESKTOP_JAR)
$(CORE_JAR): $(shell find runtime/kotlin/core -name '*.kt') | kotlin-compiler
	$(KOTLINC) -cp $(KOTLIN)/node_modules/kotlin-compiler/lib/kotlinx-coroutines-core-jvm.jar \
		-module-name tfelastic-core -d $@ runtime/kotlin/core/src/main/kotlin
$(DESKTOP_JAR): $(CORE_JAR) $(shell find runtime/kotlin/desktop -name '*.kt')
	$(KOTLINC) -cp $(CORE_JAR):/usr/share/java/jna.jar \
		-module-name tfelastic-desktop -d $@ runtime/kotlin/desktop/src/main/kotlin

# An environment knows its own path: one that was copied with a checkout is made anew.
OWN_VENV = grep -qs -- ' $(CURDIR)/$(VENV)$$' $(VENV)/pyvenv.cfg
ifneq ($(shell $(OWN_VENV) && echo own),own)
.PHONY: $(VENV)/installed
endif

# Every package at the version and hash of the lock file, then this project's two distributions.
$(VENV)/installed: requirements.lock setup.cfg pyproject.toml runtime/python/setup.cfg
	$(OWN_VENV) || rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation \
		--editable runtime/python --editable .
	touch $@

# Resolve the extras of setup.cfg anew, with pip's own resolver (needs pip-tools). Our own runtime is
# on no index: the resolver reads its requirements from a wheel, and leaves it out of the file.
LOCK_WHEELS := build/lock
lock:
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir $(LOCK_WHEELS) runtime/python
	pip-compile --quiet --extra dev --strip-extras --generate-hashes --no-header --no-annotate \
		--find-links $(LOCK_WHEELS) --unsafe-package tfelastic-runtime \
		--no-emit-options --output-file requirements.lock setup.cfg

clean:
	rm -rf $(VENV) runs build dist *.egg-info runtime/python/build runtime/python/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
