"""Rule checks: adapter between Snakemake and trialpipe.clean (cross-domain checks and stacking)."""

import json
from pathlib import Path

from trialpipe.clean.checks import cross
from trialpipe.clean.combine import combine
from trialpipe.clean.run import context_from
from trialpipe.io import store
from trialpipe.io.contracts import QUERIES, RECONCILIATION
from trialpipe.io.job import job

with job(snakemake.log[0]):
    context = context_from(json.loads(snakemake.params.spec))
    found = cross({Path(p).stem: store.read(p) for p in snakemake.input.domains}, context)
    queries = combine([*(store.read(p) for p in snakemake.input.queries), found], QUERIES)
    rows = combine([store.read(p) for p in snakemake.input.reconciliation], RECONCILIATION)
    store.write(queries, snakemake.output.queries, QUERIES)
    store.write(rows, snakemake.output.reconciliation, RECONCILIATION)
