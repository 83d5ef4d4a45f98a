# make demo | test | lint | docs | web | wheels | clean: each does its own set-up into .venv with the versions of constraints.txt.
# make oldest: a few tests in .venv-oldest, with the oldest versions that pyproject.toml promises.
# Another interpreter: make PYTHON=python3.12 demo.  More pytest options: make test ARGS="--slow -k hierarchy".
# Tests run in two processes of up to 3 GB each: make test WORKERS=4 for more, WORKERS=0 for none of their own.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e
SOURCES := pose2mesh tools tests docs

OLDEST := .venv-oldest
OLDEST_TESTS := tests/test_imports.py tests/test_free_path.py tests/test_pipeline.py tests/test_outputs.py tests/test_npz.py \
  tests/test_known_camera.py tests/ops/test_kept.py tests/ops/test_sparse.py tests/networks/test_meshnet.py \
  tests/networks/test_compact.py tests/checkpoints/test_weights.py tests/hierarchy tests/exporters/test_archive.py \
  tests/exporters/test_person.py tests/detectors/test_exif.py

.PHONY: demo test lint docs oldest web wheels lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	@$(BIN)/pose2mesh demo -o demo_out

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check -q $(SOURCES)
	@$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.docs
	@$(BIN)/sphinx-build -q -W -b html docs docs/_build
	@echo "docs/_build/index.html"

# The page that runs in a browser alone; needs node and npm, too.
web: $(VENV)/.dev
	@command -v npm >/dev/null || { echo "the page needs node and npm" >&2; exit 2; }
	@$(BIN)/python tools/assets/build_web.py

oldest: $(OLDEST)/.ready
	@$(OLDEST)/bin/python -m pytest -q $(OLDEST_TESTS)

# One wheel for every platform, one with the compiled kernels for this one; on Linux auditwheel gives it a tag that indexes take.
wheels: $(VENV)/.wheels
	@rm -rf dist build/wheels
	@POSE2MESH_BUILD_KERNELS=0 $(BIN)/hatchling build -t sdist -t wheel -d dist
	@$(BIN)/hatchling build -t wheel -d build/wheels
	@for wheel in build/wheels/*.whl; do case $$wheel in \
	  *-any.whl) echo "no compiler, so no wheel with compiled kernels" ;; \
	  *linux*) PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair -w dist $$wheel ;; \
	  *) cp $$wheel dist ;; esac; done
	@ls -l dist

# The versions of constraints.txt with the hashes of the package index, for every platform and Python:
# pip install --require-hashes -r requirements.lock && pip install --no-deps .
lock: $(VENV)/.wheels
	@$(BIN)/uv pip compile -q pyproject.toml $(addprefix --extra ,detect mediapipe render demo export dev docs wheels) \
	  -c constraints.txt --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  -o requirements.lock

clean:
	rm -rf $(VENV) $(OLDEST) build dist web/dist web/node_modules demo_out docs/_build .pytest_cache .ruff_cache .hypothesis
	find pose2mesh tools tests -name __pycache__ -prune -exec rm -rf {} +

# The stamps hold the sets of extras: a second call installs nothing unless the versions asked for changed.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "installing into $(VENV) (about 1 GB, some minutes the first time)"
	@$(INSTALL) ".[detect,mediapipe,render,demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "installing into $(VENV) (about 1 GB, some minutes the first time)"
	@$(INSTALL) ".[detect,mediapipe,render,demo,dev]"
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/.created
	@$(INSTALL) ".[docs]"
	@touch $@

$(VENV)/.wheels: pyproject.toml constraints.txt | $(VENV)/.created
	@$(INSTALL) ".[wheels]"
	@touch $@

# Every promise ">=" as "==". Python is the oldest, too: later ones have no wheels of these versions.
$(OLDEST)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "the oldest versions need Python 3.11; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.11 oldest" >&2; exit 2; }
	@echo "installing into $(OLDEST)"
	@$(PYTHON) -m venv --clear $(OLDEST)
	@$(PYTHON) -c 'import tomllib; print(*(need.replace(">=", "==") for need in \
	  tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]), sep="\n")' > $(OLDEST)/oldest.txt
	@grep -E '^(pytest|pytest-timeout|hypothesis|hatchling)==' constraints.txt > $(OLDEST)/tools.txt
	@$(OLDEST)/bin/python -m pip install -qq --disable-pip-version-check -r $(OLDEST)/oldest.txt -r $(OLDEST)/tools.txt
	@POSE2MESH_BUILD_KERNELS=0 $(OLDEST)/bin/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "pose2mesh needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@
