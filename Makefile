# Everything a fresh clone needs: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := $(VENV)/.ready

# Another study: make study SUITE=study_gpu STUDY=studies/gpu
SUITE ?= study
STUDY ?= studies/offline

.PHONY: demo test setup lint bench study study-report study-check clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup  ## compare a fine-tuned encoder with small LLMs on real movie reviews
	$(BIN)/beatingbert demo

test: setup lint  ## style, types and tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --dist loadfile

setup: $(READY)  ## the environment alone, in .venv

lint: setup  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup  ## speed against the peers, written to docs/PERFORMANCE.md; under half an hour
	$(BIN)/python benchmarks/run.py --write

study: setup  ## go on with the study (needs BEATINGBERT_DATA): run what is left, publish each cell as it ends
	$(BIN)/beatingbert suite run $(SUITE) --published $(STUDY)

study-report: setup  ## its tables, pictures and pages from the published records; under a minute
	$(BIN)/python experiments/write_results.py $(STUDY)

study-check: setup  ## run three published cells again, drawn at random, and compare every prediction
	$(BIN)/python experiments/check_study.py $(SUITE) $(STUDY)

clean:  ## remove the environment; downloaded weights stay in the user's cache
	rm -rf $(VENV)

# torch first and alone: with a range still open, pip would fetch the newest build, on Linux several GB of CUDA.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "beatingbert needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
