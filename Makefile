# Everything a visitor needs, from a fresh clone: `make run` and `make test`. Needs Python 3.11 or newer, and make.

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/sh

PORT ?= 8000
PYTEST_ARGS ?=
# A file stays in one process: what a file's tests share is made once. The whole suite waits for much of its time, so
# that four processes keep two cores busy (8:00 on two quiet ones; three take 9:50).
PARALLEL ?= -n 4 --dist loadfile
PARALLEL_TWO ?= -n 2 --dist loadfile
BIN := .venv/bin
# Two stamps in one environment: `make run` installs what the service needs, the others add the tools.
RUN_READY := .venv/.ready-to-run
DEV_READY := .venv/.ready-to-develop
INSTALL_INPUTS := pyproject.toml uv.lock scripts/bootstrap.sh
CATALOGS := $(wildcard patient_portal/translations/*/LC_MESSAGES/*.po)

# A home that is absent or cannot be written (containers, service accounts) is replaced by one of our own.
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.venv-uv/home
endif
# An environment that was moved, or whose Python is gone, is made anew.
ifneq ($(shell $(BIN)/python -c "" 2>/dev/null && echo yes),yes)
$(shell rm -f $(RUN_READY) $(DEV_READY))
endif
# What an activated environment leaves behind must not lead the tools elsewhere.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH UV_PROJECT_ENVIRONMENT
# What Python compiles is kept, beside the environment and not among the sources, even where a machine says to keep
# nothing: each process starts in half the time.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/bytecode

.PHONY: help run test check lint types imports pure bench messages style lock browser test-system-database crash crash-full

help: ## Show this list
	@echo "Usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-23s %s\n", $$1, $$2 }'

run: $(RUN_READY) $(CATALOGS:.po=.mo) ## Start the portal with a sandbox world on http://127.0.0.1:8000 (PORT=8001 changes it)
	@PORT=$(PORT) exec $(BIN)/portal demo

check: $(DEV_READY) lint types imports pure ## Lint, types, import arrows and pure tests (under 30 s when warm)

test: $(DEV_READY) $(CATALOGS:.po=.mo) browser ## The whole suite, in a real browser too (PYTEST_ARGS="-k name" narrows it)
	@$(BIN)/pytest $(PARALLEL) $(PYTEST_ARGS)

test-system-database: $(DEV_READY) $(CATALOGS:.po=.mo) ## The tests with real parts once more, on the system's own PostgreSQL
	@PORTAL_TEST_BINARIES="$$($(BIN)/python scripts/system_postgres.py)" && export PORTAL_TEST_BINARIES \
		&& $(BIN)/pytest $(PARALLEL_TWO) tests/parts/database tests/parts/consent tests/parts/research tests/parts/notifications $(PYTEST_ARGS)

bench: $(DEV_READY) ## Run the benchmarks, ours and peers side by side (long)
	@sh scripts/bootstrap.sh bench
	@$(BIN)/python -m benchmarks all --reps 5

messages: $(DEV_READY) ## Collect every visible sentence and bring the translation catalogs up to date
	@$(BIN)/python scripts/update_translations.py

style: $(DEV_READY) ## Build the style sheet anew
	@$(BIN)/python scripts/build_css.py

lock: ## Resolve the dependencies anew into uv.lock
	@sh scripts/bootstrap.sh lock

lint: $(DEV_READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "Format these with: $(BIN)/ruff format ."; $(BIN)/ruff format --check .; }

types: $(DEV_READY)
	@$(BIN)/mypy --no-error-summary .

imports: $(DEV_READY)
	@out=$$($(BIN)/lint-imports 2>&1) || { echo "$$out"; exit 1; }

pure: $(DEV_READY) $(CATALOGS:.po=.mo)
	@PURE_ONLY=yes $(BIN)/pytest -p no:playwright --hypothesis-profile=quick $(PARALLEL_TWO) tests/pure $(PYTEST_ARGS)

browser: $(DEV_READY)
	@$(BIN)/python -m tests.support.browser_install
	@$(BIN)/python -m tests.support.nats_server

%.mo: %.po | $(RUN_READY)
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

$(RUN_READY): $(INSTALL_INPUTS)
	@sh scripts/bootstrap.sh run
	@touch $@

$(DEV_READY): $(INSTALL_INPUTS)
	@sh scripts/bootstrap.sh develop
	@touch $(RUN_READY) $@

crash: $(DEV_READY) $(CATALOGS:.po=.mo) ## Kills without warning while people decide, checked from outside: 100 in 5,000 decisions (some minutes)
	@$(BIN)/python -m tests.crash.harness --size quick --report docs/reliability/kills.md

crash-full: $(DEV_READY) $(CATALOGS:.po=.mo) ## The same at full size: 1,000 kills in 100,000 decisions (an hour or more)
	@$(BIN)/python -m tests.crash.harness --size full --report docs/reliability/kills-full.md
