# `make` alone lists the targets. It needs a POSIX shell and Python 3.11, 3.12 or 3.13.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help setup study sample full report storefront test unit lint notebooks bench pythons torture audit clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: $(INSTALLED) ## Create .venv with exactly the packages of requirements.lock.

study: setup ## Run the notebooks on the demo profile and write the report.
	$(BIN)/fashion-rir study --profile demo

sample: setup ## The same on 5,000 real products; needs FASHION_RIR_ARCHIVE.
	$(BIN)/fashion-rir study --profile sample

full: setup ## The same on all real products (hours); needs FASHION_RIR_ARCHIVE.
	$(BIN)/fashion-rir study --profile full

report: setup ## The HTML report again, from what was run: make report PROFILE=full.
	$(BIN)/fashion-rir report --profile $(or $(PROFILE),demo)

storefront: setup ## The shop to search by photo, as a web page: make storefront PROFILE=full.
	$(BIN)/fashion-rir storefront --profile $(or $(PROFILE),demo)

# The study comes before pytest, so that pytest's summary is the last line, and the committed
# notebooks find their embeddings made. Two processes, each with whole files: cells keep their order.
test: lint study ## Lint, the study on the demo profile, all tests, the committed notebooks.
	$(BIN)/python -m pytest tests fashion_rir notebooks --doctest-modules \
		--nbval --nbval-sanitize-with tests/nbval_sanitize.cfg -ra -n 2 --dist loadfile

unit: setup ## The unit tests and doctests alone.
	$(BIN)/python -m pytest tests fashion_rir --doctest-modules

lint: setup ## Check style, formatting, and that the rooms import one way only.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

notebooks: setup ## Execute the committed notebooks in place on the demo profile.
	$(BIN)/fashion-rir notebooks notebooks/[0-9][0-9]-*.ipynb

bench: setup ## Speed beside what one could pick instead, as ratios in one run.
	$(BIN)/python benchmarks/run_all.py

pythons: ## A short list of tests on the other Pythons that are there, and with the oldest packages.
	.ci/other_pythons

torture: setup ## Kills, full disks, fuzzing, the study twice on each backend: about 45 minutes on 2 cores.
	PYTHONPATH=tests $(BIN)/python -m torture --minutes $(or $(MINUTES),30)

audit: setup ## Known weaknesses of the pinned packages; needs a network and installs pip-audit apart.
	$(PYTHON) -m venv .venv/audit
	@rm -f .venv/audit/report.txt
	@.venv/audit/bin/python -m pip install --quiet pip-audit
	@.venv/audit/bin/pip-audit --require-hashes --disable-pip -s osv -r requirements.lock \
		>.venv/audit/report.txt 2>&1; code=$$?; \
	if grep -q '^ERROR\|^Traceback\|could not be audited' .venv/audit/report.txt; then \
		echo "Not all was audited: can the OSV list be reached? .venv/audit/report.txt says what" \
			"happened." >&2; \
		exit 2; \
	fi; cat .venv/audit/report.txt; exit $$code

clean: ## Remove .venv, caches and what the demo profile made; real data and features stay.
	rm -rf .venv .pytest_cache .ruff_cache build dist fashion_rir.egg-info
	rm -rf data/features/demo data/models/demo data/projections/demo data/scores/demo
	rm -rf data/storefront/demo reports/demo
	find . '(' -name __pycache__ -o -name .ipynb_checkpoints ')' -prune -exec rm -rf {} +

# setuptools comes from the lock, so building the package itself fetches nothing.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		"Python 3.11, 3.12 or 3.13 is needed; name one: make setup PYTHON=python3.12")'
	@echo "Setting up .venv: some minutes, about 4 GB."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
