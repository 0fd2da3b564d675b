"""Trials as typed objects, wildcard constraints, and the params that make up a job's identity."""

import atexit
import os
import shlex
import sys
from pathlib import Path

BASE = Path(workflow.basedir)
sys.path.insert(0, str(BASE / "workflow" / "scripts"))
# one thread wherever floats are summed, one clock, one order of sets: set before any job's interpreter starts
os.environ.update(
    PYTHONHASHSEED="0",
    TZ="UTC",
    LC_ALL="C.UTF-8",
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
)

# a shell that forbids compiled modules would make every job compile pandas anew, a second each
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# snakemake puts the interpreter's path unquoted into a shell command; a folder name may hold spaces
sys.executable = shlex.quote(sys.executable)

from snakemake.exceptions import WorkflowError

from trialpipe.config import plan
from trialpipe.config.errors import ConfigError
from trialpipe.config.site import load_trials
from trialpipe.io.errors import DataError
from trialpipe.io.job import forget_failures, print_failures, release_timers
from trialpipe.provenance import identity
from trialpipe.provenance.extracts import check_extracts

try:
    TRIALS = load_trials(config)
    if workflow.is_main_process:
        for configured in TRIALS.values():
            check_extracts(configured)
except (ConfigError, DataError) as error:
    message = str(error) if str(error).startswith("ERROR") else f"ERROR {error}"
    atexit.register(print, message, file=sys.stderr)  # so that it is the last thing on screen
    raise WorkflowError("configuration or extracts cannot be used") from None


wildcard_constraints:
    trial="|".join(TRIALS) or "-",
    source="[a-z][a-z0-9_]*",
    form="[a-z][a-z0-9_]*",
    domain="[a-z]{2,4}",
    dataset="ad[a-z0-9]+",
    group="[a-z][a-z0-9_]*",


def param(stage, key):
    """Params function: ``key`` of the identity of a job of ``stage`` (spec, code, reference, raw)."""

    def value(wildcards):
        return identity.params(BASE, TRIALS[wildcards.trial], stage, tuple(wildcards.items()))[key]

    return value


def raw_files(wildcards):
    """Raw files of a form."""
    trial = TRIALS[wildcards.trial]
    files = plan.raw_files(trial, wildcards.source, wildcards.form)
    return [(trial.root / name).as_posix() for name in files]


def ingested_forms(wildcards):
    """Ingested tables a domain is made from."""
    paths = plan.domain_form_paths(TRIALS[wildcards.trial], wildcards.domain)
    return collect("<results>/{trial}/ingested/{path}.parquet", trial=wildcards.trial, path=paths)


def each(pattern, **names):
    """Input function: ``pattern`` for every name that a function of ``plan`` gives."""

    def paths(wildcards):
        trial = TRIALS[wildcards.trial]
        found = {key: function(trial) for key, function in names.items()}
        return collect(pattern, trial=wildcards.trial, **found)

    return paths


def dataset_inputs(wildcards):
    """Clean domains and datasets a dataset is made from."""
    paths = plan.dataset_paths(TRIALS[wildcards.trial], wildcards.dataset)
    return collect("<results>/{trial}/{path}.parquet", trial=wildcards.trial, path=paths)


def group_datasets(wildcards):
    """Datasets a group of outcomes is computed from."""
    names = plan.group_datasets(TRIALS[wildcards.trial], wildcards.group)
    return collect("<results>/{trial}/derived/{name}.parquet", trial=wildcards.trial, name=names)
