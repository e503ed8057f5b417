# `make` alone lists the targets. It needs a POSIX shell and Python 3.11, 3.12 or 3.13.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
TESTED := .venv/tested

.DEFAULT_GOAL := help
.PHONY: help setup study sample full report storefront test test-all unit lint notebooks arithmetics bench pythons \
	torture audit clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: $(INSTALLED) ## Create .venv with the packages that the study needs, pinned.

study: setup ## Run the notebooks on the profile quick and write the report.
	$(BIN)/fashion-rir study --profile quick

sample: setup ## The same on 5,000 real products; needs FASHION_RIR_ARCHIVE.
	$(BIN)/fashion-rir study --profile sample

full: setup ## The same on all real products (hours); needs FASHION_RIR_ARCHIVE.
	$(BIN)/fashion-rir study --profile full

report: setup ## The HTML report again, from what was run: make report PROFILE=full.
	$(BIN)/fashion-rir report --profile $(or $(PROFILE),quick)

storefront: setup ## The shop to search by photo, as a web page: make storefront PROFILE=full.
	$(BIN)/fashion-rir storefront --profile $(or $(PROFILE),quick)

# Two processes, each with whole files. One of them begins with the study, whose progress is shown.
PYTEST = $(BIN)/python -m pytest tests fashion_rir --doctest-modules -ra
AT_ONCE := -n 2 --dist loadfile
# The committed notebooks are of what travels with the project, whatever archive is at hand.
NBVAL = env -u FASHION_RIR_ARCHIVE $(BIN)/python -m pytest notebooks/01-eda.ipynb --nbval -q

test: lint ## Lint, the study in a fresh folder against the committed notebooks, the tests: minutes.
	$(NBVAL)
	$(PYTEST) $(AT_ONCE) -m "not long"

test-all: lint ## The same with the long tests, among them other arithmetics and solutions.
	$(NBVAL)
	$(PYTEST) $(AT_ONCE)

unit: $(TESTED) ## The unit tests and doctests, without the study: the quick loop.
	$(PYTEST) -m "not long and not study"

lint: $(TESTED) ## Check style, formatting, and that the rooms import one way only.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

notebooks: setup ## Execute the committed notebooks in place on their own profile.
	$(BIN)/fashion-rir notebooks notebooks/[0-9][0-9]*.ipynb

arithmetics: $(TESTED) ## The study under four arithmetics, and how far its numbers lie apart.
	PYTHONPATH=tests $(BIN)/python -m arithmetics --all

bench: $(TESTED) ## Speed beside what one could pick instead, as ratios in one run.
	$(BIN)/python benchmarks/run_all.py

pythons: ## A short list of tests on the other Pythons that are there, and with the oldest packages.
	.ci/other_pythons

torture: $(TESTED) ## Kills, full disks, fuzzing, the study twice on each backend: half an hour on 2 cores.
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

clean: ## Remove .venv, caches and what the profile quick made; real data and features stay.
	rm -rf .venv .pytest_cache .ruff_cache build dist fashion_rir.egg-info
	rm -rf data/features/quick data/models/quick data/projections/quick data/scores/quick
	rm -rf data/storefront/quick reports/quick
	find . '(' -name __pycache__ -o -name .ipynb_checkpoints ')' -prune -exec rm -rf {} +

# setuptools comes from the lock, so building the package itself fetches nothing.
$(INSTALLED): requirements-study.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		"Python 3.11, 3.12 or 3.13 is needed; name one: make setup PYTHON=python3.12")'
	@echo "Setting up .venv: some minutes, about 3.3 GB, of which TensorFlow takes 1.9."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-study.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(TESTED): requirements.lock $(INSTALLED)
	@echo "Adding what the tests and the extras need: about 0.9 GB."
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@
