# launcher: two commands do everything on a fresh machine.
#   make serve-vl   sets up and serves the page at http://127.0.0.1:6006
#   make chat       the same in the terminal
#   make test       sets up and tests; make test-fast is for while you write
# Options of the page go through ARGS:  make serve-vl ARGS="--port 6007"

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

# What is installed: with LMDeploy and CUDA (gpu), or for the CPU (cpu). The set that is here stays; the first time, an
# NVIDIA driver decides. To choose: make serve-vl SET=cpu
DRIVER := $(or $(wildcard /proc/driver/nvidia/version),$(shell command -v nvidia-smi 2>/dev/null))
SET    := $(if $(wildcard $(VENV)/.set-cpu),cpu,$(if $(or $(wildcard $(VENV)/.set-gpu),$(DRIVER)),gpu,cpu))
PY     := $(VENV)/bin/python

# Where PyTorch's CPU build is looked for, if not at PyTorch's own index: a mirror of that.
TORCH_INDEX ?=
export TORCH_INDEX

.PHONY: help setup setup-dev serve-vl chat test test-fast check lint types presets pictures reference audit lock clean

help:            ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 10) <= sys.version_info[:2] <= (3, 14)))' || \
	  { echo "launcher needs Python 3.10 to 3.14; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "No virtual environment could be made. On Debian: apt install python3-venv"; exit 2; }

# One stamp a set; a set takes the other's place.
$(VENV)/.set-$(SET): requirements-$(SET).lock pyproject.toml | $(VENV)/bin/python
	@$(PY) -m launcher.set_up.set_up $(SET)
	@rm -f $(VENV)/.set-*
	@touch $@

$(VENV)/.set-dev: requirements-dev.lock $(VENV)/.set-$(SET)
	@$(PY) -m launcher.set_up.set_up dev
	@touch $@

setup: $(VENV)/.set-$(SET)      ## install what the page needs
setup-dev: $(VENV)/.set-dev     ## install what the tests need, too

serve-vl: setup  ## the page with all presets, http://127.0.0.1:6006
	@$(PY) -m launcher serve $(ARGS)

chat: setup      ## a chat in the terminal: InternLM2-Chat-1.8B where it is ready, else the built-in tiny-chat
	@$(PY) -m launcher chat $(ARGS)

# Side by side: tests/conftest.py says how.
PYTEST := $(PY) -m pytest -n logical --maxprocesses 4

test: setup-dev  ## all tests that can run here
	@$(PYTEST) $(ARGS)

test-fast: setup-dev  ## the tests without models, processes and a page, in under a minute
	@$(PYTEST) --fast $(ARGS)

# What CI runs before the tests.
check: lint types presets  ## format, lint, types, presets, generated files unchanged; an audit where it can run
	@$(PY) -m launcher.cli.reference --check
	@$(PY) -m tests.audit --where-it-can requirements-$(SET).lock requirements-dev.lock

audit: setup-dev  ## known holes in the pinned packages, from the network; fails where they cannot be looked up
	@$(PY) -m tests.audit requirements-cpu.lock requirements-gpu.lock requirements-dev.lock

lint: setup-dev
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .

types: setup-dev
	@$(PY) -m mypy

presets: setup-dev
	@$(PY) -m launcher presets --check presets

pictures: setup-dev  ## take the screenshots in docs/pictures anew (needs Chromium)
	@$(PY) -m tests.browser.screenshots

reference: setup-dev  ## write docs/reference and the presets' JSON schema anew
	@$(PY) -m launcher.cli.reference

# Pins are resolved anew for Python 3.10 to 3.14 at once. The CPU sets take PyTorch's CPU build (see pyproject.toml); the
# dev set holds only what comes on top, so that it can be added to either of the others; the cuda set, what the CUDA build
# of the CPU sets' PyTorch cannot be imported without: not the packages that only running on a GPU needs.
# transformers 5.24 warns of our XComposer2's past_key_values (renamed to cache), and the tests let no warning pass.
CPU_PINS  := torch==2.13.0
ALL_PINS  := transformers<5.24
COMPILE   := $(PY) -m uv pip compile --universal --upgrade --python-version 3.10 --no-annotate --no-header --quiet
UNUSED    := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cusolver nvidia-nvtx
BESIDE    := grep -vxFf requirements-cpu.lock
lock: setup-dev  ## resolve the lock files anew
	@printf '%s\n' '$(CPU_PINS)' '$(ALL_PINS)' | \
	  $(COMPILE) pyproject.toml --constraints - --output-file requirements-cpu.lock
	@$(COMPILE) pyproject.toml --constraints requirements-cpu.lock --extra dev | $(BESIDE) > requirements-dev.lock
	@echo '$(CPU_PINS)' | $(COMPILE) --no-config - --constraints requirements-cpu.lock \
	  $(addprefix --no-emit-package ,$(UNUSED)) | $(BESIDE) > requirements-cuda.lock
	@echo '$(ALL_PINS)' | $(COMPILE) pyproject.toml --constraints - --extra gpu --output-file requirements-gpu.lock

clean:           ## remove the environment
	@rm -rf $(VENV)
