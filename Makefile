# make demo: the main job on embedded defaults.  make test: every check that CI runs.
# Both set everything up first; a second call finds the set-up done.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= out/demo

.PHONY: demo test check slow clean

demo: $(READY)
	$(BIN)/jointwatch demo --out $(OUT)

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

check: $(READY)
	$(BIN)/ruff format --check src tests benchmarks examples tools
	$(BIN)/ruff check src tests benchmarks examples tools
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: $(READY)
	$(BIN)/python -m pytest -m slow

$(READY): pyproject.toml requirements.lock tools/setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh tools/setup.sh
	touch $(READY)

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache

# Remake the lock: plain name==version lines; the CUDA packages that a GPU build of torch asks for stay out.
lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --extra fit --extra learn --extra edge \
	  --extra export --extra sim --extra io --extra dev \
	  --no-annotate --no-header --no-emit-index-url | grep -vE '^(nvidia-|cuda-|triton)' > requirements.lock.new
	$(BIN)/python -c "import importlib.metadata as m; print('uv==' + m.version('uv'))" >> requirements.lock.new
	mv requirements.lock.new requirements.lock
.PHONY: lock
