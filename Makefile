# Every command sets up what it needs first: a virtual environment in .venv with the tested versions.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help

.PHONY: help
help:  ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

.PHONY: setup
setup: $(READY)  ## Install everything into .venv

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; type make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

.PHONY: demo
demo: setup  ## Train a DCGAN on 5,000 digits that need no network (about three minutes)
	$(BIN)/python -m gan_lightning model=dcgan data=mnist_5k data.batch_size=64 trainer.max_time=00:00:02:30
	@echo; echo 'Before you type python -m gan_lightning, activate its environment, once in each terminal:'; echo '  source .venv/bin/activate'

.PHONY: test
test: lint  ## Run every check and test (about ten minutes on two cores)
	$(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: test-fast
test-fast: setup  ## Run the quick tests (about two minutes)
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

.PHONY: docs
docs: setup  ## Build the documentation site, a warning being an error (about a minute)
	$(BIN)/python -m docs.site

.PHONY: faults
faults: setup  ## Kill runs a hundred times, fill disks, start twice (about half an hour)
	GAN_LIGHTNING_FAULTS=1 $(BIN)/python -m pytest -s tests/faults

.PHONY: fuzz
fuzz: setup  ## Try 20,000 random command lines and 50,000 damaged files (about two hours)
	$(BIN)/python -m tests.fuzz.count_command_lines 20000
	$(BIN)/python -m tests.fuzz.count_damaged_files 50000

.PHONY: bench
bench: setup  ## Measure the speed of everything (about half an hour on an idle machine)
	$(BIN)/python -m benchmarks.bench

.PHONY: notebooks
notebooks: setup  ## Execute the notebooks in place (about six minutes on two cores)
	$(BIN)/python -m benchmarks.notebooks

.PHONY: lint
lint: setup  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: setup  ## Put the code into its one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
