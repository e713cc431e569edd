# Makes one virtual environment with nox in it; everything else is a nox session. `make help` lists the verbs.
#
# Needed beforehand: CPython 3.10 or newer with its headers, a C compiler, make. All other tools come from PyPI.

PYTHON ?= python3
VENV := .venv
NOX := $(VENV)/bin/nox

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench docs clean

help: ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(NOX) ## build, install, measure a small training script, show the row it wrote
	@$(NOX) --session demo

test: $(NOX) ## all tests: the suite, base install only, native code under sanitizers, the wheel outside the tree
	@$(NOX) --session tests tests_base native_debug wheel editable

check: ## everything that CI runs
	@bash .ci/run

fix: $(NOX) ## format, and apply safe lint fixes
	@$(NOX) --session fix

bench: $(NOX) ## the benchmarks, as one table
	@$(NOX) --session bench

docs: $(NOX) ## the documentation, into build/nox/docs/html
	@$(NOX) --session docs

clean: ## remove what the other verbs made
	rm -rf build .nox $(VENV) demo-output

$(NOX): pyproject.toml tools/preflight.py
	@$(PYTHON) tools/preflight.py
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'nox>=2025.5' virtualenv
	@touch $(NOX)
