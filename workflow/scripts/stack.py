"""Rule stack: adapter between Snakemake and trialpipe.analyse (stacking and laws)."""

import json

from trialpipe.analyse.laws import laws
from trialpipe.analyse.stack import stack, stack_rowsets
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io import store
from trialpipe.io.contracts import LAWS, RESULTS, ROWSETS
from trialpipe.io.job import job

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    protocol = Protocol.model_validate(spec["protocol"])
    outcomes = tuple(Outcome.model_validate(outcome) for outcome in spec["outcomes"])
    results = stack([store.read(path) for path in snakemake.input.results], outcomes)
    rowsets = stack_rowsets([store.read(path) for path in snakemake.input.rowsets])
    tables = store.read(snakemake.input.adsl), store.read(snakemake.input.reconciliation)
    store.write(results, snakemake.output.results, RESULTS)
    store.write(rowsets, snakemake.output.rowsets, ROWSETS)
    store.write(laws(results, rowsets, *tables, protocol, outcomes), snakemake.output.laws, LAWS)
