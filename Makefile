# Two commands for a newcomer: `make demo` and `make test`. Everything they need is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_OUT ?= runs/demo
BRIDGES = timm torchvision kornia hugging-face fastai

.PHONY: demo test bridges check lint format clean

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

# Adapters beside frameworks that cannot share .venv: an environment for each, and bridges/results.md.
.bridges/%/installed: bridges/%.txt bridges/common.txt constraints.txt
	$(PYTHON) -m venv .bridges/$*
	.bridges/$*/bin/python -m pip install --quiet --no-deps --requirement $<
	touch $@

bridges: $(BRIDGES:%=.bridges/%/installed)
	$(PYTHON) -m bridges.results

lint: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint test

clean:
	rm -rf $(VENV) .bridges build dist *.egg-info
