# `make run`: the first study and its table. `make plan`: from a plan in prose to its tables.
# `make test`: the suite. Nothing else is needed before.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run plan test check chaos hostile slow slurm bench benchmarks clean

run: $(VENV)/.installed
	$(BIN)/ablate run studies/lpred_symmetry.toml
	$(BIN)/ablate report lpred_symmetry --table

# From a plan in prose to its tables.
plan: $(VENV)/.installed
	$(BIN)/ablate import examples/cocord_gemini-2.5-flash.md --to studies/plan
	$(BIN)/ablate run studies/plan/*.toml
	for study in studies/plan/*.toml; do $(BIN)/ablate report $$study || exit 1; done

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m "not slow and not slurm" -n logical --maxprocesses 4 --dist worksteal

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p ablate -p tests -p benchmarks

# Long: kills workers and orchestrators at random moments and compares every digest.
chaos: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m "slow and not slurm" tests/execute

# Results folders as strangers could send them (100 more than the suite has, or as many as
# HOSTILE_MUTATIONS says), and chaos on a machine that fails; needs root, for a cage.
hostile: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m slow tests/hostile

# Minutes each: every command that the docs show, a wheel, each benchmark made small.
slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m slow --ignore tests/execute --ignore tests/hostile

# On a real Slurm of two nodes that the tests start on this machine; needs root, slurm-wlm and munge.
slurm: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m slurm tests/execute

# How fast this machine trains, against plain code: prints, and stores benchmarks/results/*.json.
bench: $(VENV)/.installed-test
	for name in step study teacher_table views scheduling; do \
		$(BIN)/python -m benchmarks.$$name || exit 1; done

benchmarks: $(VENV)/.installed-test
	for file in benchmarks/[!_]*.py; do \
		$(BIN)/python -m benchmarks.$$(basename $$file .py) || exit 1; done

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build *.egg-info
