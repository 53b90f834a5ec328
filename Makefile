# Two commands for a newcomer: `make demo` and `make test`. Everything they need is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_OUT ?= runs/demo

.PHONY: demo test check lint format clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

# The main job: K = 1 against K = 5 on real digits, a table and an HTML page.
demo: $(VENV)/installed
	$(BIN)/multimix compare --data digits --model small-cnn --methods none,mixup,cutmix,manifold,puzzlemix \
		--num-mixes 1,5 --controls equal-pairs,equal-compute --batch-size 120 --seeds 3 --out $(DEMO_OUT)

test: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses auto

lint: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint test

clean:
	rm -rf $(VENV) build dist *.egg-info
