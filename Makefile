# Python 3.11+ and make are all that `make demo` and `make test` need; `make help` lists the rest.

PYTHON ?= python3
PORT ?= 8080
# Tests wait for disks and brokers more than they compute: several files at a time, even on two cores.
WORKERS ?= 4
PARALLEL = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# What tests write need not survive: in memory, where there is room for it, nothing waits for a disk.
IN_MEMORY = TMPDIR=$${TMPDIR:-$$(test "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 2>/dev/null \
	&& echo /dev/shm || echo /tmp)}
# Many short processes import the same code: what one has compiled the next reads, whatever a machine says.
TESTS = PYTHONDONTWRITEBYTECODE= $(IN_MEMORY) .venv/bin/python -m pytest

MEMBERS := shared services/gateway-yookassa services/gateway-sbp services/core-billing services/autopay services/notifier deploy/embedded tests/simulators
TYPED := shared/src $(wildcard services/*/src) deploy/embedded/src tests/simulators/src tests/servers tests/faults
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
MANIFESTS := $(MEMBERS:%=%/pyproject.toml)

# Each stamp says "this lock and these members are installed"; dev holds all of demo.
CREATED := .venv/.created
DEMO_READY := .venv/.demo-ready
DEV_READY := .venv/.dev-ready
READY_FOR_DEMO := $(if $(wildcard $(DEV_READY)),$(DEV_READY),$(DEMO_READY))

# A lock made with a machine's own index holds that machine's versions and too few hashes.
UV := env -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX -u UV_FIND_LINKS -u UV_CONFIG_FILE uv
COMPILE := $(UV) pip compile --no-config --quiet --universal --python-version 3.11 \
	--generate-hashes --no-strip-extras --no-header --no-annotate $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help venv demo test read-tests check-fast test-all lint format faults bench bench-large bench-registers bench-fees autopay-year fuzz-api mutants lock clean

##@ Everyday

help: ## List the commands
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY_FOR_DEMO) ## Run everything in one process with simulators (PORT=8080), data in .demo/
	.venv/bin/python -m embedded demo --port $(PORT)

test: read-tests lint check-fast ## Lint, then every test (ARGS="-k ledger" is handed to pytest)

# The linters leave one core idle; without this each worker would compile all tests for itself.
read-tests: $(DEV_READY) ## Compile the tests, in the background
	@$(TESTS) --brief --collect-only -qq >/dev/null 2>&1 &

check-fast: $(DEV_READY) ## Every test, most of them on one of the two databases, without lint
	$(TESTS) --brief $(PARALLEL) $(ARGS)

test-all: $(DEV_READY) ## Every test on both databases; twice as long
	$(TESTS) $(PARALLEL) $(ARGS)

lint: $(DEV_READY) ## ruff, mypy --strict, import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict $(TYPED)
	.venv/bin/lint-imports --no-logo

format: $(DEV_READY) ## Format the code and fix what ruff can fix
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

##@ Long runs

faults: $(DEV_READY) ## Kill, restart and purge everything under load; prove that no kopeck moved
	PYTHONPATH=tests .venv/bin/python tests/faults/run.py $(ARGS)

bench: $(DEV_READY) ## Print the numbers to hold and write bench.json
	PYTHONPATH=tests .venv/bin/python tests/bench/run.py $(ARGS)

bench-large: $(DEV_READY) ## The same with ten million payments in the tables
	PYTHONPATH=tests .venv/bin/python tests/bench/run.py --large $(ARGS)

bench-registers: $(DEV_READY) ## Reconcile a register of 100 000 rows; print its time and memory
	PYTHONPATH=tests .venv/bin/python -m bench.registers $(ARGS)

bench-fees: $(DEV_READY) ## Charge the fees of 200 000 contracts, once killed five times; time and memory
	PYTHONPATH=tests .venv/bin/python -m bench.fees $(ARGS)

autopay-year: $(DEV_READY) ## A year of 20 000 mandates on a virtual clock, under several retry rules
	PYTHONPATH=tests .venv/bin/python -m year.play $(ARGS)

bench-messages: $(DEV_READY) ## Prepare and send queues of 1 000 and 100 000 messages on both databases
	PYTHONPATH=tests .venv/bin/python -m bench.messages $(ARGS)

notices-month: $(DEV_READY) ## Low-balance notices of 100 000 contracts in a simulated month: told once, none missed
	PYTHONPATH=tests .venv/bin/python -m bench.notices_month $(ARGS)

fuzz-api: $(DEV_READY) ## Send two APIs whatever their documents allow and forbid (EXAMPLES=100 of each kind)
	FUZZ_EXAMPLES=$(or $(EXAMPLES),100) .venv/bin/python -m pytest -s --timeout 0 tests/contract/test_core_api.py tests/contract/test_autopay_api.py $(ARGS)

mutants: $(DEV_READY) ## Break each line of the money code and list what no test noticed
	rm -rf .mutants && mkdir -p .mutants/src
	cp -r shared/src/* $(wildcard services/*/src/*) .mutants/src
	cp -r --parents conftest.py pyproject.toml $(wildcard tests/*.py) tests/servers $(wildcard shared/tests services/*/tests) .mutants
	cd .mutants && ../.venv/bin/mutmut run $(ARGS)
	cd .mutants && ../.venv/bin/mutmut results

##@ Upkeep

venv: $(DEV_READY) ## Make .venv with everything a developer needs

lock: ## Lock the dependencies anew (needs uv; UPGRADE=1 takes newer versions)
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH (pip install uv); nothing else does." >&2; exit 1; }
	cd requirements && $(COMPILE) runtime.in -o runtime.lock
	cd requirements && $(COMPILE) demo.in -c runtime.lock -o demo.lock
	cd requirements && $(COMPILE) dev.in sdist.in -c demo.lock --no-emit-package yookassa -o dev.lock
	cd requirements && $(COMPILE) sdist.in -c dev.lock --no-deps -o sdist.lock

clean: ## Remove .venv and what tools left behind; the demo's data stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov .mutants bench.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Members and sources are built without isolation: their build tools are in the lock, so nothing comes unhashed.
LOCKED := install --require-hashes --only-binary=:all: -r
SOURCES := install --require-hashes --no-deps --no-build-isolation -r
EDITABLE := install --no-index --no-deps --no-build-isolation $(MEMBERS:%=-e %)

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Saldo needs Python 3.11 or newer: name one with PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "This Python cannot make virtual environments: install python3-venv (apt-get install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

$(DEMO_READY): requirements/demo.lock $(MANIFESTS) | $(CREATED)
	$(PIP) $(LOCKED) requirements/demo.lock
	$(PIP) $(EDITABLE)
	@touch $@

$(DEV_READY): requirements/dev.lock requirements/sdist.lock $(MANIFESTS) | $(CREATED)
	$(PIP) $(LOCKED) requirements/dev.lock
	$(PIP) $(SOURCES) requirements/sdist.lock
	$(PIP) $(EDITABLE)
	@touch $@
