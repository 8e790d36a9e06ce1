# Everything runs from .venv, which make builds and keeps up to date: `make run` and `make test` need nothing before them.
# A stamp in .venv records each step; a step runs again only when what it was made from has changed.

V := .venv
PIP := $(V)/bin/python -m pip --disable-pip-version-check -q
LOCKED := $(PIP) install --require-hashes -r
FAST := $(wildcard gw/_fast/*.pyx gw/_fast/*.pxd gw/_fast/*.h)
GLUE := $(shell cat gw/_fast/glue.txt) $(wildcard gw/*.pxd gw/*/*.pxd)
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
# The tests wait for a third of their time.
JOBS := $(shell expr $(CORES) + 1)
ALONE := tests/faults/test_budget_race.py tests/faults/test_outage.py
COMPILE = GW_COMPILE=1 $(V)/bin/python setup.py -q build_ext --inplace --parallel $(CORES) >/dev/null
CONFIG ?= config.toml
SMOKE = $(V)/bin/python -m bench --smoke --output .benchmarks/smoke.json

# A virtual environment survives neither being moved or copied nor the removal of the Python it was made with.
ifneq ($(shell cat $(V)/created 2>/dev/null && $(V)/bin/python -c 'print("runs")' 2>/dev/null),$(CURDIR) runs)
$(V)/created: FORCE
endif

.PHONY: help run demo test lint profile bench bench-smoke lock upgrade clean FORCE
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null || grep '##' Makefile

run: $(V)/gw ## start the gateway on 127.0.0.1:8080 (CONFIG=config.toml)
	@exec $(V)/bin/gw serve --config $(CONFIG)

demo: $(V)/gw ## the gateway before a fake Anthropic, sample sessions flowing: no key needed
	@exec $(V)/bin/gw demo

test: lint $(V)/fuzz ## all that this machine can run, and bench-smoke; names what was skipped and how to enable it
	$(V)/bin/python -m pytest $(or $(ARGS),-n $(JOBS) --no-loadscope-reorder --ignore=tests/faults)
	$(if $(ARGS),,$(V)/bin/python -m pytest -n $(CORES) --no-loadscope-reorder tests/faults $(ALONE:%=--ignore=%))
	$(if $(ARGS),,$(V)/bin/python -m pytest $(ALONE)) # these load the machine themselves, and are about time
	$(if $(ARGS),,$(SMOKE) || $(SMOKE))

lint: $(V)/test ## ruff and mypy
	$(V)/bin/ruff check .
	$(V)/bin/mypy

profile: $(V)/profiled ## compile gw by a profile of calls: a fifth less governance, for four minutes (the container image is built so)

bench: $(V)/test $(V)/profiled ## gw beside nginx, a bare proxy and other gateways: an hour (ARGS="small --rounds 3": less)
	$(if $(ARGS),,$(V)/bin/python -m bench.micro)
	$(V)/bin/python -m bench $(ARGS)

bench-smoke: $(V)/test ## some seconds of each: that it all runs, and that no ratio is far off
	$(SMOKE) $(ARGS)

lock: $(V)/lock ## write requirements/*.txt anew from pyproject.toml, keeping the pins that still fit
	$(V)/bin/python tools/lock $(ARGS)

upgrade: $(V)/lock ## the same, each pin at its newest version
	$(V)/bin/python tools/lock --upgrade $(ARGS)

clean: ## remove what was built (not the ledger in .gw)
	rm -rf $(V) build gw.egg-info .mypy_cache .ruff_cache .hypothesis .benchmarks
	rm -f $(patsubst %.pyx,%.c,$(wildcard gw/_fast/*.pyx))
	find gw -name '*.so' -delete
	find gw tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# --- steps ---------------------------------------------------------------------------------------------------------

$(V)/created: tools/preflight
	@python=$$(PYTHON="$(PYTHON)" tools/preflight) && echo "== $$($$python --version) -> $(V)" && $$python -m venv --clear $(V)
	@echo "$(CURDIR)" > $@

$(V)/core: $(V)/created requirements/core.txt requirements/build.txt
	@echo "== dependencies of the gateway"
	@$(LOCKED) requirements/build.txt -r requirements/core.txt
	@touch $@

# Editable: the source tree itself is what runs, the compiled modules stand beside their sources.
$(V)/installed: $(V)/core setup.py pyproject.toml
	@echo "== gw into $(V)"
	@$(PIP) install --no-build-isolation --no-deps --no-index --config-settings editable_mode=compat -e .
	@touch $@

# A compiled module hides its source, so one that is compiled no more must go. The others are rebuilt if their source changed.
$(V)/gw: $(V)/installed $(FAST) $(GLUE) gw/_fast/glue.txt
	@echo "== compiling (all of it anew: a minute or two)"
	@find gw -name '*.so' ! -path 'gw/_fast/*' | while read so; do \
	  grep -qx "$${so%%.*}.py" gw/_fast/glue.txt || rm "$$so"; done
	@$(COMPILE)
	@touch $@

$(V)/profiled: $(V)/gw tools/profile
	@echo "== learning which code calls go through, then compiling by it"
	@$(V)/bin/python tools/profile $(CORES) || echo "== without a profile, then: all works as it does with one"
	@$(COMPILE)
	@touch $@

$(V)/test: $(V)/gw requirements/test.txt
	@echo "== dependencies of the tests"
	@$(LOCKED) requirements/test.txt
	@touch $@

# The fuzzer has wheels for few machines; elsewhere its suite is skipped and says so.
$(V)/fuzz: $(V)/test requirements/fuzz.txt
	@$(LOCKED) requirements/fuzz.txt --only-binary :all: || echo "== no fuzzer for this machine: its suite will be skipped"
	@touch $@

$(V)/lock: $(V)/gw requirements/lock.txt
	@$(LOCKED) requirements/lock.txt
	@touch $@
