# Two commands do everything: `make up` runs the product, `make test` proves that it works.
# Both create .venv from hashed locks first and are quick the second time.
PYTHON ?= python3
UV = .venv/bin/uv
PY = .venv/bin/python
ARGS ?=
# What Python compiles is kept: without, each of the many processes of `make up` and `make test` compiles Dagster anew.
unexport PYTHONDONTWRITEBYTECODE
# A whole run leaves a report for `make reliability`; a part of one does not.
report = $(if $(ARGS),,--junitxml=build/reports/$(1).xml)
RESOLVE = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
COMPILE = $(RESOLVE) -c requirements/all.txt

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev up test lint types unit test-hopsworks coverage test-faults test-images bench screenshots space reliability lock clean audit sbom docs dist hooks

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 16

setup: .venv/.runtime  ## create .venv and install what the product needs
setup-dev: .venv/.dev .venv/.debian  ## the same and what the tests need

up: setup  ## load the history, fit, forecast, serve Dagster (:3000) and the page (:8050); ARGS="--source simulated"
	.venv/bin/btc up $(ARGS)

test: setup-dev lint types .venv-hopsworks/.ready  ## lint, types and all fast tests
	$(MAKE) --no-print-directory -j2 unit test-hopsworks

lint:  ## ruff, and the arrows between the rooms
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-cache --no-logo

types:  ## mypy, strict
	.venv/bin/mypy

unit:  ## the tests alone; ARGS="tests/market -k simulated"
	$(PY) -m pytest -n 4 --dist loadfile -m "not faults and not images and not hopsworks" $(call report,unit) $(ARGS)

test-hopsworks: .venv-hopsworks/.ready  ## the tests with the client of Hopsworks, in the environment of its own lock
	@mkdir -p build  # what they say is shown at their end, for they run beside the others
	@.venv-hopsworks/bin/python -m pytest -n 2 --dist loadfile -m hopsworks tests/storage tests/scripts \
	  $(call report,hopsworks) $(ARGS) > build/hopsworks.log 2>&1; tests=$$?; cat build/hopsworks.log; exit $$tests

coverage: setup-dev  ## the fast tests again, counting which lines and branches they run; report in build/coverage
	rm -rf build/coverage
	.venv/bin/coverage run -m pytest -n 2 --dist loadfile --hypothesis-profile=ci -m "not faults and not images and not hopsworks" $(ARGS); \
	  tests=$$?; .venv/bin/coverage combine --quiet && .venv/bin/coverage html --quiet --directory build/coverage/html && \
	  .venv/bin/coverage report && exit $$tests

test-faults: setup-dev  ## the long trials of the fault matrix
	$(PY) -m pytest -n 3 --dist loadfile -m "faults and not long" $(call report,faults) $(ARGS)

test-images: setup-dev .venv/.debian-images  ## build, start and probe the container images
	$(PY) -m pytest -n 2 --dist loadfile -m images $(call report,images) $(ARGS)

reliability: setup-dev  ## write docs/reliability.md from the reports of the last test, test-faults, test-images
	$(PY) scripts/write_reliability.py

bench: setup-dev .venv-hopsworks/.ready  ## print every benchmark as a table
	$(PY) -m benchmarks $(ARGS)
	$(if $(ARGS),,.venv-hopsworks/bin/python -m benchmarks hopsworks)

screenshots: setup-dev  ## draw the pictures of the README and the docs with a real browser
	$(PY) -m tests.dash.screenshots $(ARGS)

space:  ## assemble a Hugging Face Space in build/space; ARGS="--data data"
	$(PYTHON) scripts/make_space.py $(ARGS)

lock:  ## resolve the dependencies again, with hashes
	$(RESOLVE) $(addprefix --extra ,graph train web aws arena workers) --group dev pyproject.toml requirements/build.in \
	  -o requirements/all.txt $(ARGS)
	$(RESOLVE) $(addprefix --extra ,graph train web hopsworks) --group hopsworks pyproject.toml requirements/build.in \
	  -o requirements/hopsworks.txt $(ARGS)
	$(COMPILE) $(addprefix --extra ,graph train web) pyproject.toml requirements/build.in -o requirements/runtime.txt
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) --extra graph --extra train --extra aws --extra workers pyproject.toml -o requirements/image-dagster.txt
	$(COMPILE) --extra web pyproject.toml requirements/image-dash.in -o requirements/image-dash.txt
	$(COMPILE) lambda_image/requirements.in -o lambda_image/requirements.txt

audit: setup-dev  ## look the locked packages up in the PyPI advisory database (needs the network)
	for lock in requirements/all.txt requirements/hopsworks.txt lambda_image/requirements.txt; do \
	  .venv/bin/pip-audit --strict --require-hashes --disable-pip -r $$lock $(ARGS) || exit 1; done

sbom: setup-dev  ## write the bill of materials of each lock to build/sbom, as CycloneDX
	mkdir -p build/sbom
	for lock in runtime image-dagster image-dash; do \
	  .venv/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible requirements/$$lock.txt \
	    -o build/sbom/$$lock.json || exit 1; done
	.venv/bin/cyclonedx-py requirements --output-reproducible lambda_image/requirements.txt -o build/sbom/lambda.json

docs: setup-dev  ## build the documentation site with the reference of the code in build/docs
	rm -rf build/docs
	$(PY) scripts/build_docs.py build
	.venv/bin/zensical build --strict --clean -f build/zensical.toml

dist: setup-dev  ## build the source archive and the wheel in build/dist, with the notebook and their hashes
	rm -rf build/dist build/lib
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(PY) -m build --no-isolation --outdir build/dist .
	cp notebooks/train_on_gpu.ipynb build/dist/
	cd build/dist && sha256sum *.whl *.tar.gz *.ipynb > SHA256SUMS

hooks: setup-dev  ## run lint and types before every commit
	.venv/bin/prek install

clean:  ## remove the environment and caches; never your data
	rm -rf .venv .venv-hopsworks .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info

.venv/bin/uv: requirements/bootstrap.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else "Python 3.11 to 3.13 is needed, this is %d.%d; name another with PYTHON=" % v)'
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	touch $@

# What an older lock named goes: uv's `sync` leaves what the lock names, and pip and uv.
.venv/.runtime: .venv/bin/uv requirements/runtime.txt pyproject.toml
	$(UV) pip sync --quiet --python $(PY) --require-hashes requirements/runtime.txt
	$(UV) pip install --quiet --python $(PY) --no-deps --build-constraint requirements/build.txt -e .
	touch $@

.venv/.dev: .venv/.runtime requirements/all.txt
	$(UV) pip sync --quiet --python $(PY) --require-hashes requirements/all.txt
	$(UV) pip install --quiet --python $(PY) --no-deps --build-constraint requirements/build.txt -e .
	touch $@

.venv-hopsworks/.ready: .venv/bin/uv requirements/hopsworks.txt
	$(UV) venv --quiet --clear --python $(PY) .venv-hopsworks
	$(UV) pip install --quiet --python .venv-hopsworks/bin/python --require-hashes -r requirements/hopsworks.txt
	$(UV) pip install --quiet --python .venv-hopsworks/bin/python --no-deps --build-constraint requirements/build.txt -e .
	touch $@

.venv/.debian: scripts/debian.txt
	sh scripts/install_debian.sh debian.txt
	touch $@

.venv/.debian-images: scripts/debian-images.txt
	sh scripts/install_debian.sh debian-images.txt
	touch $@
