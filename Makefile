# make demo | test | lint | docs | clean: each does its own set-up into .venv with the versions of constraints.txt.
# Another interpreter: make PYTHON=python3.12 demo.  More pytest options: make test ARGS="--slow -k hierarchy".

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e
SOURCES := pose2mesh tools tests

# The bundled detector has wheels up to Python 3.12; without it the rest still works.
DETECT := $(shell $(PYTHON) -c 'import sys; print("detect," if sys.version_info < (3, 13) else "")' 2>/dev/null)

.PHONY: demo test lint docs clean
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	@$(BIN)/pose2mesh demo -o demo_out

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -q $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check -q $(SOURCES)
	@$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.docs
	@$(BIN)/sphinx-build -q -W -b html docs docs/_build
	@echo "docs/_build/index.html"

clean:
	rm -rf $(VENV) build dist demo_out docs/_build .pytest_cache .ruff_cache .hypothesis
	find pose2mesh tools tests -name __pycache__ -prune -exec rm -rf {} +

# The stamps hold the sets of extras: a second call installs nothing unless the versions asked for changed.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "installing into $(VENV) (about 1 GB, some minutes the first time)"
	@$(INSTALL) ".[$(DETECT)render,demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "installing into $(VENV) (about 1 GB, some minutes the first time)"
	@$(INSTALL) ".[$(DETECT)render,demo,dev]"
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/.created
	@$(INSTALL) ".[docs]"
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "pose2mesh needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@
