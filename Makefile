# Every target sets up what it needs. Paths are relative and quoted, so any folder name works.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check accept trace impact simulate qc characteristics matrix doctor lint schemas pictures clean-results environment

PYTHON := .venv/bin/python
ENVIRONMENT := bash tools/bootstrap.sh run
TEST_ENVIRONMENT := bash tools/bootstrap.sh test
export PYTHONPATH := workflow/scripts
export PYTHONHASHSEED := 0
export TZ := UTC
export LC_ALL := C.UTF-8
# without compiled modules every job would spend a second more on importing pandas
unexport PYTHONDONTWRITEBYTECODE
CORES ?=
PROFILE ?= profiles/default
N ?=
SEED ?= 1
PYTEST_ARGS ?=
WAIT ?=
SETS ?=
DOCS ?=

# asked before the environment is built, which takes minutes
define need
	@if [ -z "$($(1))" ]; then echo "$(1) is missing, e.g. make $@ $(2)" >&2; exit 1; fi
endef

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

environment:  ## build the environment alone
	@$(ENVIRONMENT)

run:  ## all trials, raw extract to report; CORES=2, PROFILE=profiles/frozen or profiles/slurm
	@$(ENVIRONMENT)
	@$(PYTHON) -m snakemake --workflow-profile "$(PROFILE)" $(if $(CORES),--cores "$(CORES)")
	@echo
	@echo "Front page:  $$($(PYTHON) tools/front_page.py)"
	@echo "To call snakemake yourself, in this folder:"
	@echo "  source .venv/bin/activate"
	@echo "  python -m snakemake -n        # what would run, and why"
	@echo "  python -m snakemake"

test:  ## all tests; FAST=1 leaves out the slow ones
	@$(TEST_ENVIRONMENT)
	@$(PYTHON) -m pytest -n 2 --dist loadscope $(if $(FAST),-m "not slow") $(PYTEST_ARGS)

check:  ## TRIAL=x: configuration and extracts in seconds, new queries
	$(call need,TRIAL,TRIAL=c-hlh)
	@$(ENVIRONMENT)
	@$(PYTHON) -m trialpipe.provenance.check --trial "$(TRIAL)"

accept:  ## TRIAL=x: show what changed in the raw files and record them
	$(call need,TRIAL,TRIAL=c-hlh)
	@$(ENVIRONMENT)
	@$(PYTHON) -m trialpipe.provenance.accept --trial "$(TRIAL)"

trace:  ## TRIAL=x RESULT=id: the chain of a number down to raw cells
	$(call need,TRIAL,TRIAL=c-hlh RESULT=survival-to-hsct/proportion/...)
	$(call need,RESULT,TRIAL=c-hlh RESULT=survival-to-hsct/proportion/...)
	@$(ENVIRONMENT)
	@$(PYTHON) -m trialpipe.provenance.trace --trial "$(TRIAL)" --result "$(RESULT)"

impact:  ## TRIAL=x CELL=file:row:item: every number a raw cell reaches
	$(call need,TRIAL,TRIAL=c-hlh CELL=ecrf/GREFFE.csv:4:DATE_GREFFE)
	$(call need,CELL,TRIAL=c-hlh CELL=ecrf/GREFFE.csv:4:DATE_GREFFE)
	@$(ENVIRONMENT)
	@$(PYTHON) -m trialpipe.provenance.impact --trial "$(TRIAL)" --cell "$(CELL)"

simulate:  ## OUT=dir TRIAL=x SEED=1: simulated extracts with their truth; N=29, else as planned
	$(call need,OUT,OUT=simulated TRIAL=c-hlh N=29 SEED=1)
	$(call need,TRIAL,OUT=simulated TRIAL=c-hlh N=29 SEED=1)
	@$(ENVIRONMENT)
	@$(PYTHON) -m trialpipe.simulate.main --out "$(OUT)" --trial "$(TRIAL)" $(if $(N),--n "$(N)") --seed "$(SEED)"

qc:  ## every trial derived a second time in R from the clean tables, and compared; CORES=2
	@$(ENVIRONMENT)
	@$(PYTHON) -m trialpipe.qc.rscript
	@$(PYTHON) -m snakemake --workflow-profile "$(PROFILE)" $(if $(CORES),--cores "$(CORES)") qc_all
	@$(PYTHON) -m trialpipe.qc.table

characteristics:  ## error rates, bias and coverage of the primary analyses by simulation; TRIAL=x N=1000 CORES=2, DOCS=1 writes docs/
	@$(ENVIRONMENT)
	@$(PYTHON) -m snakemake --workflow-profile "$(PROFILE)" $(if $(CORES),--cores "$(CORES)") \
	  $(if $(N)$(TRIAL),--config $(if $(N),replicates="$(N)") $(if $(TRIAL),trials="$(TRIAL)")) -- characteristics_all
	@$(if $(DOCS),$(PYTHON) -m trialpipe.report.characteristics_docs $(if $(TRIAL),--trial "$(TRIAL)"))

matrix:  ## docs/matrix.md: every statistic beside its oracle on 1,000 random data sets each (slow; needs R); SETS=100
	@$(ENVIRONMENT)
	@PYTHONPATH=workflow/scripts:tools $(PYTHON) -m matrix $(if $(SETS),--sets "$(SETS)") --seed "$(SEED)"

doctor:  ## what a run needs, with cures; PROFILE=profiles/slurm asks the cluster by one small job
	@$(ENVIRONMENT)
	@$(PYTHON) -m trialpipe.provenance.doctor --profile "$(PROFILE)" $(if $(WAIT),--wait "$(WAIT)")

lint:  ## linters, types, import contract, schemas, data guard
	@$(TEST_ENVIRONMENT)
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m snakefmt --check Snakefile workflow/rules
	@$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	@$(PYTHON) -m trialpipe.config.schemas --check
	@$(PYTHON) -m trialpipe.config.readme --check
	@$(PYTHON) tools/check_no_data.py
	@$(PYTHON) -m snakemake --workflow-profile "$(PROFILE)" --lint

schemas:  ## JSON Schemas and config/README.md, from the models
	@$(ENVIRONMENT)
	@$(PYTHON) -m trialpipe.config.schemas
	@$(PYTHON) -m trialpipe.config.readme

pictures:  ## pictures of the README from a finished run; needs chromium
	@$(PYTHON) tools/pictures.py "$$(dirname "$$($(PYTHON) tools/front_page.py)")" \
	  front-page=index.html@1340x560 \
	  overview=r-hlh/report/index.html#overview@1240x700 \
	  outcome=c-hlh/report/index.html#survival-to-hsct@1100x1950

clean-results:  ## remove results/ and logs/ of this folder
	@rm -rf results logs
