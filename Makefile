# `make run` and `make test` need Python 3.11 or newer and make; everything else comes with the packages.
# PORT, SIMULATOR_PORT, DATA_DIR, DATABASE_URL, REDIS_URL and PYTHON may be given: `make run PORT=8001`.

.DEFAULT_GOAL := run
.PHONY: run test lint lock bench faults isolation flakes blocks messages clean
SHELL := /bin/sh
BIN := .venv/bin

run: .venv/base.stamp
	@$(BIN)/python -m crm.local run

# Journeys alone, as a person's machine would be; the rest in two processes, each with servers of its own: half is waiting.
test: lint
	$(BIN)/python -m pytest tests/journeys
	$(BIN)/python -m pytest -n 2 --ignore tests/journeys

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: .venv/test.stamp
	$(BIN)/python -m tests.bench

faults: .venv/test.stamp
	$(BIN)/python -m pytest tests/faults --faults
	$(BIN)/python -m pytest tests/architecture tests/isolation tests/journeys -m nightly --faults -rs

# Who may see what: every address as everybody, the fence taken apart place by place, a pooler, canaries in the dump.
isolation: .venv/test.stamp
	$(BIN)/python -m pytest tests/architecture tests/isolation --faults -rs

# RUNS=200 times what `make test` runs of the faults: hours. An interrupt ends it, and what was run counts.
flakes: .venv/test.stamp
	$(BIN)/python -m tests.faults.flakes

blocks: .venv/test.stamp
	$(BIN)/python -m tests.evaluation.blocks

messages: .venv/test.stamp
	$(BIN)/python manage.py makemessages --all --no-location --ignore .venv
	$(BIN)/python manage.py compilemessages --ignore .venv

# The exact versions with hashes, for every platform and Python we run on, without the address of any index.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --upgrade

lock: .venv/test.stamp
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --output-file requirements/test.txt requirements/test.in
	$(LOCK) --constraint requirements/test.txt --output-file requirements/base.txt requirements/base.in

clean:
	rm -rf .venv .local staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A stamp is as new as the requirements that were installed last. The packages of `test` include those of `base`.
.venv/base.stamp: requirements/base.txt
	@requirements/install base

.venv/test.stamp: requirements/test.txt
	@requirements/install test

# The Python that .venv was made with may have been removed since.
ifneq ($(shell $(BIN)/python -c 'print("works")' 2>/dev/null),works)
.PHONY: .venv/base.stamp .venv/test.stamp
endif
