# Pave's commands; `make` alone lists them. All they need is Python 3.11+ and make.

PYTHON ?= python3
# Not taken from the environment, where PORT may mean something else: make run PORT=8000
PORT = 9898
# For pytest: make test ARGS="tests/webhooks -x"; for the benchmark: make bench ARGS="--rounds 5"
ARGS =
# Tests run in as many processes as there are cores, each with servers of its own; in one with
# yours. make test PARALLEL= for one.
PARALLEL = $(if $(DATABASE_URL)$(REDIS_URL),,-n auto --dist load --maxschedchunk 1)
# Parts of the benchmark; none for all: make bench PART="delivery fairness"
PART =

# For make chaos; the same seed breaks the same things in the same order.
SECONDS = 600
SEED = 20261124
BROKER = orm
# For make soak.
MINUTES = 60
# For make fuzz.
EXAMPLES = 500

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Stamps: what is installed is as new as the requirements that it was installed from.
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
# Audit tools have an environment of their own.
AUDIT_BIN := $(VENV)/audit/bin
AUDIT := $(VENV)/.installed-audit
# What generates clients from the API's description, and checks it.
CLIENTS_BIN := $(VENV)/clients/bin
CLIENTS := $(VENV)/.installed-clients
CLIENTS_ROOM := tests/generated_clients
CLIENTS_NODE := $(CLIENTS_ROOM)/node_modules/.package-lock.json

# Whatever the environment says, bytecode is kept: the tests start hundreds of Pythons.
export PYTHONDONTWRITEBYTECODE =

# Lint uses no real database, and `check --deploy` settings as in production.
LINT_ENV := DEBUG=true DATABASE_URL=sqlite://:memory: REDIS_URL= PAVE_BROKER=orm
PRODUCTION = $(LINT_ENV) DEBUG=false ALLOWED_HOSTS=pave.example.com EMAIL_URL=smtp://mail \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	FIELD_ENCRYPTION_KEYS="$$($(BIN)/python -c 'from cryptography.fernet import Fernet; \
		print(Fernet.generate_key().decode())')"

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-browser test-pooler test-clients test-compose pictures lint fuzz postman bench soak chaos audit sbom requirements clean npm

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' $(MAKEFILE_LIST) \
		| awk '{ name = $$1 " " $$2; $$1 = $$2 = ""; printf "  %-18s%s\n", name, $$0 }'

setup: $(DEV) ## Create .venv with everything installed; the other commands do it themselves
	@:

demo: $(RUNTIME) ## Run the main job once on sample transactions, and end
	@$(BIN)/python manage.py demo --port $(PORT)

run: $(RUNTIME) ## Run web, cluster and a receiver until Ctrl-C
	@$(BIN)/python manage.py demo --keep-running --port $(PORT)

test: $(DEV) ## Run the tests: storage tests on SQLite, then all on PostgreSQL and Redis
	@status=0; \
	PAVE_TEST_DATABASE=sqlite $(BIN)/python -m pytest $(PARALLEL) -m storage $(ARGS) || status=1; \
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS) || status=1; \
	exit $$status

test-browser: $(DEV) ## Drive the admin in headless Chromium; pictures go to var/screenshots
	@command -v chromium > /dev/null || { apt-get -qq update && apt-get -qq install -y chromium; }
	@PAVE_TEST_BROWSER=1 $(BIN)/python -m pytest tests/browser $(ARGS)

test-pooler: $(DEV) ## Run all of Pave through PgBouncer in transaction mode
	@command -v pgbouncer > /dev/null || { apt-get -qq update && apt-get -qq install -y pgbouncer; }
	@PAVE_TEST_POOLER=1 $(BIN)/python -m pytest tests/pooler $(ARGS)

test-clients: npm $(DEV) $(CLIENTS) $(CLIENTS_NODE) ## Lint the API's description, and run clients that are generated from it; npm
	@PAVE_TEST_CLIENTS=$(abspath $(CLIENTS_BIN)) $(BIN)/python -m pytest $(CLIENTS_ROOM) $(ARGS)

test-compose: $(DEV) ## Run docker-compose.yml, by your Docker or by one that is started here; root
	@docker compose version > /dev/null 2>&1 || { command -v dockerd && command -v mmdebstrap; } > /dev/null \
		|| { apt-get -qq update && apt-get -qq install -y docker.io mmdebstrap; }
	@PAVE_TEST_COMPOSE=1 $(BIN)/python -m pytest tests/compose --timeout=900 -o faulthandler_timeout=1000 $(ARGS)

npm:
	@command -v npm > /dev/null || { echo "This needs npm, of Node.js 20 or newer: install it."; exit 1; }

pictures: $(DEV) ## Renew the pictures of docs/admin.md
	@PAVE_TEST_BROWSER=1 PAVE_HANDBOOK=1 $(BIN)/python -m pytest -k handbook tests/browser $(ARGS)

lint: $(DEV) ## Check format, style, types, layers, migrations, settings, compose file
	@# mypy takes as long as all the others.
	$(LINT_ENV) $(BIN)/mypy & types=$$!; \
	$(BIN)/ruff format --check . \
	&& $(BIN)/ruff check . \
	&& $(BIN)/lint-imports --no-logo \
	&& $(LINT_ENV) $(BIN)/python manage.py makemigrations --check --dry-run \
	&& $(LINT_ENV) $(BIN)/python manage.py check --fail-level WARNING \
	&& $(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING \
	&& $(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml; \
	others=$$?; wait $$types && exit $$others

fuzz: $(DEV) ## Try the running API with 500 generated examples for each operation; EXAMPLES=n
	@PAVE_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/system/test_fuzzing.py -s -o faulthandler_timeout=0 $(ARGS)

postman: $(DEV) ## Renew docs/pave.postman_collection.json
	@$(LINT_ENV) $(BIN)/python manage.py postman_collection > docs/pave.postman_collection.json

bench: $(DEV) ## Measure Pave and what it is compared with; PART=fairness for one part
	@$(PIP) install -q -r benchmarks/requirements.txt
	@$(BIN)/python -m benchmarks $(PART) $(ARGS)

soak: $(DEV) ## Run Pave at half of what this machine takes for MINUTES, and see that nothing grows
	@$(PIP) install -q -r benchmarks/requirements.txt
	@PAVE_SOAK_MINUTES=$(MINUTES) $(BIN)/python -m benchmarks soak $(ARGS)

chaos: $(DEV) ## Break everything for SECONDS and check that nothing is lost; SEED, BROKER=redis, ARGS
	@$(BIN)/python -m benchmarks.chaos --seconds $(SECONDS) --seed $(SEED) --broker $(BROKER) $(ARGS)

audit: $(AUDIT) ## Query the vulnerability database for every package; needs the network
	$(AUDIT_BIN)/pip-audit --requirement requirements.txt --no-deps --disable-pip --strict \
		--progress-spinner off

sbom: $(AUDIT) ## List Pave's components in var/sbom.json (CycloneDX)
	@mkdir -p var
	@$(AUDIT_BIN)/cyclonedx-py requirements requirements.txt --output-file var/sbom.json
	@echo "Written to var/sbom.json."

requirements: $(DEV) ## Compile the pins from the .in files; ARGS=--upgrade for newer ones
	@$(PIP) install -q uv
	@for name in requirements requirements-dev requirements-audit requirements-clients \
		requirements-sqs benchmarks/requirements; do \
		$(BIN)/uv pip compile -q --python-version 3.11 --no-python-downloads --generate-hashes \
			$(ARGS) --custom-compile-command "make requirements" -o $$name.txt $$name.in \
			|| exit 1; \
	done

clean: ## Remove .venv, caches and the demo's data; what `make run` keeps in var/ stays
	@rm -rf $(VENV) staticfiles var/demo.* .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache $(CLIENTS_ROOM)/node_modules $(CLIENTS_ROOM)/generated
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Pave needs Python 3.11 or newer; name it with PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUNTIME): requirements.txt | $(BIN)/python
	@echo "Installing what Pave runs on into $(VENV) …"
	@$(PIP) install -q -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Installing what Pave is tested with into $(VENV) …"
	@$(PIP) install -q -r requirements-dev.txt
	@touch $@ $(RUNTIME)

$(AUDIT): requirements-audit.txt | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/audit
	@$(AUDIT_BIN)/python -m pip --disable-pip-version-check install -q -r requirements-audit.txt
	@touch $@

$(CLIENTS): requirements-clients.txt | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/clients
	@$(CLIENTS_BIN)/python -m pip --disable-pip-version-check install -q -r requirements-clients.txt
	@touch $@

$(CLIENTS_NODE): $(CLIENTS_ROOM)/package-lock.json
	@npm ci --silent --prefix $(CLIENTS_ROOM)
	@touch $@
