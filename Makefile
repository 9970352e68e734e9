# Two commands on a fresh machine with Python 3.11, make and git:  make demo   make test
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# No hub is asked, nothing is reported home. The allocator keeps its memory: page faults cost a quarter of a CPU step.
unexport PYTHONDONTWRITEBYTECODE
export HF_HUB_OFFLINE ?= 1
export HF_HUB_DISABLE_TELEMETRY = 1
export TOKENIZERS_PARALLELISM = false
export TRL_EXPERIMENTAL_SILENCE = 1
export MALLOC_TRIM_THRESHOLD_ = 4000000000
export MALLOC_MMAP_THRESHOLD_ = 4000000000

.PHONY: env demo test test-slow test-trl-oldest lint types lock clean

env: $(READY)

$(READY): requirements.lock bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "emorl needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 1; }
	@echo "setting up $(VENV) from requirements.lock (about 5 GB with torch; a minute or two)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r bootstrap.lock
	$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)
	$(BIN)/accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no --cpu recipes/grpo_emotion.py --config recipes/presets/demo.yaml

test: $(READY) lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" tests

test-slow: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slow tests

# The contracts with the oldest supported TRL, in an environment of its own.
test-trl-oldest: $(READY)
	$(PYTHON) -m venv .venv-oldest
	sed -E 's/^trl==[^ ]+/trl==1.14.0/' requirements.lock | grep -v -- '--hash' | sed 's/ *\\$$//' > .venv-oldest/requirements.txt
	$(BIN)/uv pip install -q --python .venv-oldest/bin/python --no-deps -r .venv-oldest/requirements.txt
	$(BIN)/uv pip install -q --python .venv-oldest/bin/python --no-deps --no-build-isolation -e .
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest -q -m "not slow" tests/contract

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

lock:
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --all-extras --group dev --group models pyproject.toml -o requirements.lock
	echo "uv==0.13.9" | $(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 - -o bootstrap.lock

clean:
	rm -rf $(VENV) .venv-oldest runs
