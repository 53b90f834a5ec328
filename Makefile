# Two commands for a newcomer: `make demo` and `make test`. What they need is installed into .venv; bytecode is
# written afterwards, by all cores: pip takes one. Some packages hold files that are no Python 3, so the exit status says nothing.
PYTHON ?= python3
OLDEST_PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_OUT ?= runs/demo
BRIDGES = timm torchvision kornia hugging-face fastai skorch keras

.PHONY: demo test bridges oldest newest test-triton check lint format site package clean

# What the demo needs; `installed` has that too, and everything else.
$(VENV)/lab: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[lab]"
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	touch $@

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	touch $(VENV)/lab $@

# The main job: no mixing, CutMix and Puzzle Mix, K = 1 and 5, where mixing matters: few labels. A table and a page.
demo: $(VENV)/lab
	@echo "120 short runs of a small network on 50 labelled digits: a minute and a half on two idle cores."
	$(BIN)/multimix compare --data digits --labels-per-class 5 --model small-cnn --methods none,cutmix,puzzlemix \
		--num-mixes 1,5 --controls same-rows,small-batch --batch-size 50 --learning-rate 0.3 --lengths 30,60,120 \
		--evaluations 4 --seeds 5 --out $(DEMO_OUT)
	@echo "Differences hold for this learning rate, these lengths and these 50 labels. docs/should-i.md says what holds more widely."

# A file's tests stay together, for what they share is made once; tests/conftest.py puts the longest files first.
test: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Adapters beside frameworks that cannot share .venv: an environment for each, and bridges/results.md.
.bridges/%/installed: bridges/%.txt bridges/common.txt constraints.txt
	$(PYTHON) -m venv .bridges/$*
	.bridges/$*/bin/python -m pip install --quiet --no-deps --requirement $<
	touch $@

bridges: $(BRIDGES:%=.bridges/%/installed)
	$(PYTHON) -m bridges.results

# The lower bounds of pyproject.toml, and the newest releases: an environment for each, and versions/results.md.
.oldest/installed: pyproject.toml versions/pins.py
	$(OLDEST_PYTHON) -m venv --clear .oldest
	$(OLDEST_PYTHON) -m versions.pins > .oldest/pins.txt
	.oldest/bin/python -m pip install --quiet --constraint .oldest/pins.txt --editable ".[test]"
	touch $@

oldest: .oldest/installed
	.oldest/bin/python -m versions.results oldest $(TESTS)

newest:
	$(PYTHON) -m venv --clear .newest
	.newest/bin/python -m pip install --quiet --editable ".[test]"
	.newest/bin/python -m versions.results newest $(TESTS)

# Kernels for GPUs in Triton's interpreter, two minutes and a quarter of a core: no GPU needed, and no part of `make test`.
.triton:
	$(PYTHON) -m pip install --quiet --no-deps --target $@ triton==3.7.1

test-triton: $(VENV)/installed .triton
	PYTHONPATH=.triton $(BIN)/python -m pytest tests/kernels -k triton

lint: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint test

# The documentation, build/site; a warning is an error (but not with --quiet: what is not said is not counted).
site: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Wheel and sdist, dist/; the wheel alone in an empty environment must run the README's snippets.
# Isolated (-I): build/ is also a folder here.
package: $(VENV)/installed
	rm -rf build/package dist
	$(BIN)/python -I -m build
	$(BIN)/python -m twine check --strict dist/*
	$(PYTHON) -m venv build/package
	build/package/bin/python -I -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd build/package && bin/python -I ../../tests/run_snippets.py ../../README.md

clean:
	rm -rf $(VENV) .bridges .oldest .newest .triton build dist src/*.egg-info
