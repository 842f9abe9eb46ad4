# The commands of this project. `make help` lists them.
SHELL := /bin/bash
# Which Python makes the environment; unset: any that is new enough.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
LOCK = uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
  --no-emit-package workflows-service-client --custom-compile-command "make lock"
PROTOC = PYTHONPATH=$(VENV)/generator $(BIN)/python -m grpc_tools.protoc
# Most tests wait for servers, so more of them than there are processors may run at once.
PROCESSES ?= 4
PYTHONS ?= 3.11 3.12 3.13 3.14

.PHONY: .FORCE help run test mutants rows ratio lint types layers proto proto-check proto-image unit e2e abuse watches environments restarts fast pythons bench scale verification lock dist audit picture go-stubs clean

help: ## Lists the commands.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.run: .FORCE
	@.ci/environment $(VENV) run $(PYTHON)

$(VENV)/.dev: .FORCE
	@.ci/environment $(VENV) dev $(PYTHON)

.FORCE:

run: $(VENV)/.run ## Sets everything up and serves on 127.0.0.1:50052, or on PORT=... (settings: WORKFLOWS_... variables).
	@exec $(BIN)/workflows serve $(if $(filter command line,$(origin PORT)),--listen 127.0.0.1:$(PORT) --http-listen 127.0.0.1:$$(($(PORT) + 28)))

test: lint types layers proto-check unit ## Lint, types, layers, generated stubs up to date, all tests.

lint: $(VENV)/.dev ## Checks style.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Checks types (mypy --strict).
	@$(BIN)/mypy

layers: $(VENV)/.dev ## Checks that imports point inwards only.
	@$(BIN)/lint-imports --no-cache

unit: $(VENV)/.dev ## Runs all tests.
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile

environments: $(VENV)/.dev ## Starts the service in odd places, as root and as a user, and breaks starts off at any time.
	@ENVIRONMENTS=1 $(BIN)/python -m pytest -n $(PROCESSES) tests/environments

restarts: $(VENV)/.dev ## Restarts PostgreSQL five times under load and fails over once, each time back within 5 s (RESTARTS=...).
	@RESTARTS=$(or $(RESTARTS),5) $(BIN)/python -m pytest tests/faults/test_restarts.py

fast: $(VENV)/.dev ## Runs the tests that take seconds, and the methods over the wire.
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile tests/domain tests/application tests/contracts tests/testing \
	  tests/infrastructure/test_batcher.py tests/infrastructure/test_lane.py tests/infrastructure/test_stored_form.py \
	  tests/infrastructure/test_settings.py tests/infrastructure/test_wire.py tests/e2e/test_methods.py tests/e2e/test_once.py

pythons: ## Runs the fast tests on every supported Python that is on this machine.
	@tests/support/pythons.sh $(PYTHONS)

abuse: $(VENV)/.dev ## Attacks the service for longer than `make test` does, and judges its speed meanwhile.
	@ABUSE_SECONDS=$(or $(ABUSE_SECONDS),20) $(BIN)/python -m pytest tests/abuse

watches: $(VENV)/.dev ## Four writers at full load for a minute, and watchers that must see every event once; WATCH_SECONDS=...
	@WATCH_SECONDS=$(or $(WATCH_SECONDS),60) $(BIN)/python -m pytest -s -k watcher_sees tests/faults/test_watches.py

e2e: $(VENV)/.dev ## Runs the end-to-end tests; WORKFLOWS_WIRE=handled on the other body of the wire.
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile tests/e2e

mutants: $(VENV)/.dev ## Puts small mistakes into the modules that decide: fast tests must notice them (minutes; FILES="..." for some).
	@$(BIN)/python -W ignore -m tests.mutants $(FILES)

rows: $(VENV)/.dev ## Deletes each row of the tables that the service stands on: a test must fail each time.
	@$(BIN)/python -W ignore -m tests.mutants.rows

ratio: $(VENV)/.dev ## Counts the lines of tests per line of code.
	@$(BIN)/python -m tests.support.ratio

proto: $(VENV)/.dev ## Generates the stubs from proto/.
	@$(PROTOC) -I proto --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --python_out=proto --mypy_out=quiet:proto --grpc_python_out=proto --mypy_grpc_out=quiet:proto \
	  --include_source_info --descriptor_set_out=proto/workflows/workflows.protoset \
	  proto/workflows/*.proto

proto-check: $(VENV)/.dev ## Checks that the stubs are current, and that the contract is clean and unbroken.
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	  $(PROTOC) -I proto --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	    --python_out=$$tmp --mypy_out=quiet:$$tmp --grpc_python_out=$$tmp --mypy_grpc_out=quiet:$$tmp \
	    --include_source_info --descriptor_set_out=$$tmp/workflows/workflows.protoset proto/workflows/*.proto && \
	  for file in $$tmp/workflows/*; do diff -u "proto/workflows/$$(basename $$file)" "$$file" || { echo "Stubs are out of date: run 'make proto' and commit."; exit 1; }; done
	@cd proto && ../$(BIN)/buf lint
	@cd proto && ../$(BIN)/buf breaking --against workflows/contract.binpb

proto-image: $(VENV)/.dev ## Writes the image that later contracts are held against (a deliberate act).
	@cd proto && ../$(BIN)/buf build -o workflows/contract.binpb

bench: $(VENV)/.dev ## Measures speed beside references, writes tests/benchmarks/RESULTS.md; BEFORE=REVISION beside an earlier one.
	@$(BIN)/python -m tests.benchmarks $(if $(BEFORE),--before $(BEFORE))

verification: $(VENV)/.dev ## Measures how fast a million events and a day's increment are verified (4 minutes).
	@$(BIN)/python -m tests.benchmarks.verifying

scale: $(VENV)/.dev ## Measures what must hold of a million events: lists, histories, an erasure, a rebuild under load.
	@PYTHONPATH=tests/kit $(BIN)/python -m tests.scale

lock: ## Resolves the lock files anew (needs uv on the PATH).
	@$(LOCK) --extra embedded pyproject.toml -o requirements.lock
	@$(LOCK) requirements-build.in -c requirements.lock -o requirements-build.lock
	@$(LOCK) --no-deps requirements-generator.in -o requirements-generator.lock
	@$(LOCK) --group dev -c requirements.lock -c requirements-build.lock -o requirements-dev.lock

dist: $(VENV)/.dev ## Builds the wheels of service, client and testing kit into dist/.
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps -w dist . ./proto
	@OF_THE_CLIENT="==0.1.0" OF_THE_SERVICE="==0.1.0" $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps -w dist ./tests/kit
	@ls dist

audit: $(VENV)/.dev ## Looks for known faults of the dependencies; DATABASE=FILE reads them from a file, without network.
	@$(BIN)/python -m tests.packaging.audit $(DATABASE)

picture: $(VENV)/.dev ## Draws the history that README shows, and prints the sessions beside it.
	@PYTHONPATH=.:tests/kit $(BIN)/python -m tests.support.showing tests/e2e/snippets/history.svg

go-stubs: $(VENV)/.dev ## Writes a Go module with the contract's stubs into go-stubs/ (needs Go).
	@.ci/go-stubs go-stubs $(BIN)/python

clean: ## Removes the environment (never the data).
	@rm -rf $(VENV)
