"""Rule clean: adapter between Snakemake and trialpipe.clean."""

import json
from pathlib import Path

from trialpipe.clean.run import clean, context_from
from trialpipe.config.extracts import DomainMap
from trialpipe.io import store
from trialpipe.io.contracts import CLEAN, QUERIES, RECONCILIATION
from trialpipe.io.job import job

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    forms = {f"{p.parent.name}.{p.stem}": store.read(p) for p in map(Path, snakemake.input)}
    result = clean(DomainMap.model_validate(spec["domain"]), forms, context_from(spec))
    store.write(result.table, snakemake.output.table, CLEAN)
    store.write(result.queries, snakemake.output.queries, QUERIES)
    store.write(result.reconciliation, snakemake.output.reconciliation, RECONCILIATION)
