# Two commands for everybody: `make demo` and `make test`. Each makes .venv on its first run.
PYTHON ?= python3
RUN := .venv/bin/python

# modules are compiled once, when they are first imported, even where the environment says not to
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-demo parity parity-styles parity-digits docs bench lint format clean

demo: .venv/installed
	@$(RUN) -m comparisons article

# in as many processes as there are processors
test: .venv/installed format
	$(RUN) -m pytest --numprocesses auto --dist worksteal -m "not demo"

# networks of the article, trained to the end: what the demo prints and writes, further rows, the figure's boundaries
test-demo: .venv/installed
	$(RUN) -m pytest -m demo

# every style × λ × seed, 500 epochs each: 60 runs of 100,000 updates
parity: .venv/installed
	$(RUN) -m comparisons parity \
	  --style none --style penalty --style as_listed --style tack_on \
	  --lamda 0.0005 --lamda 0.001 --lamda 0.003 \
	  --seed 0 --seed 1 --seed 2 --seed 3 --seed 4

STYLES := none penalty as_listed tack_on decoupled clipped proximal cumulative

# every style × loss × optimizer: 16 runs of 100,000 updates, 32 of 20,000
parity-styles: .venv/installed
	$(RUN) -m comparisons parity $(STYLES:%=--style %) --loss squared_error --loss cross_entropy
	$(RUN) -m comparisons parity $(STYLES:%=--style %) --loss squared_error --loss cross_entropy \
	  --optimizer momentum --optimizer adam --epochs 100

# handwritten digits: every style × optimizer on 64-32-10, every style on a deeper network; 20,070 updates each
DIGITS := --data data/digits.npz --batch-size 16 --epochs 223 $(STYLES:%=--style %)
parity-digits: .venv/installed
	$(RUN) -m comparisons parity $(DIGITS) --sizes 64-32-10 --lr 0.1 --lamda 0.00003 --optimizer sgd --optimizer momentum
	$(RUN) -m comparisons parity $(DIGITS) --sizes 64-32-10 --lr 0.01 --lamda 0.0003 --optimizer adam
	$(RUN) -m comparisons parity $(DIGITS) --sizes 64-128-64-10 --lr 0.1 --lamda 0.000001

# every number of docs/implementation-differences.md, anew
docs: .venv/installed
	$(RUN) -m comparisons differences --json docs/results/differences.json
	$(RUN) -m comparisons styles --json docs/results/styles.json
	$(RUN) -m tests.faults docs/results/faults.json
	$(RUN) docs/render.py

bench: .venv/installed
	$(RUN) benchmarks/speed.py
	$(RUN) benchmarks/traces.py

# `make test` checks the types beside the other tests
lint: format
	$(RUN) -m mypy

format: .venv/installed
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# exact versions from constraints.txt, for the build tools too (hence no build isolation)
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear .venv
	$(RUN) -m pip install --quiet --no-compile --constraint constraints.txt hatchling editables
	$(RUN) -m pip install --quiet --no-compile --constraint constraints.txt --no-build-isolation --editable '.[test]'
	@touch $@
