# Every command a developer needs. Requires python3 (3.11 or newer) with pip, and make; nothing else.
SHELL := /bin/sh
PYTHON ?= python3
UV_VERSION := 0.13.9
PY := .venv/bin/python
ARGS ?=

.PHONY: demo test search check bench bench-long screenshot schemas lock clean

demo: .venv/installed
	@$(PY) -m bot demo $(ARGS)

test: .venv/installed
	@$(PY) -m pytest $(ARGS)

# The tests of properties, with examples that no run before has tried. Found something: keep it as an @example.
search: .venv/installed
	@HYPOTHESIS_PROFILE=searching $(PY) -m pytest -m hypothesis $(ARGS)

check: .venv/installed
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo

bench: .venv/installed
	@$(PY) -m benchmarks $(ARGS)

# What takes half an hour: a bot that is killed two hundred times while it sends digests.
bench-long: .venv/installed
	@$(PY) -m benchmarks killed-digests $(ARGS)

# Reinstalls only when the lock's content changed: the stamp holds its checksum.
.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Signals Scout needs Python 3.11 or newer; this is %s. Name another with PYTHON=python3.12" % sys.version.split()[0])'
	@sum=`cksum < requirements.lock`; \
	if [ -x $(PY) ] && [ "`cat $@ 2>/dev/null`" = "$$sum" ]; then touch $@; exit 0; fi; \
	uv=`command -v uv || true`; \
	if [ -z "$$uv" ]; then \
	  uv=.uv/bin/uv; \
	  [ -x $$uv ] || { echo "Fetching uv $(UV_VERSION) into .uv/"; \
	    $(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .uv uv==$(UV_VERSION); } || exit 1; \
	fi; \
	echo "Installing what requirements.lock names into .venv/"; \
	[ -x $(PY) ] || $$uv venv --quiet --no-project --python $(PYTHON) .venv || exit 1; \
	VIRTUAL_ENV=.venv $$uv pip sync --quiet --require-hashes requirements.lock && echo "$$sum" > $@

# Takes the screenshot in README.md anew, of the real demo in a headless Chromium.
screenshot: .venv/installed
	@SCREENSHOT=1 $(PY) -m pytest -n0 tests/sandbox/page/test_screenshot.py

# Writes docs/openapi.json and docs/schemas/ anew, from the models.
schemas: .venv/installed
	@$(PY) -m docs.interfaces

lock:
	@uv=`command -v uv || echo .uv/bin/uv`; \
	$$uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --custom-compile-command 'make lock' --group dev --extra otel pyproject.toml -o requirements.lock

clean:
	@rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
