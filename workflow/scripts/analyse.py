"""Rule analyse: adapter between Snakemake and trialpipe.analyse."""

import json
from pathlib import Path

from trialpipe.analyse.run import analyse
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io import store
from trialpipe.io.contracts import RESULTS, ROWSETS
from trialpipe.io.job import job

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    protocol = Protocol.model_validate(spec["protocol"])
    outcomes = tuple(Outcome.model_validate(outcome) for outcome in spec["outcomes"])
    results, rowsets = analyse(outcomes, protocol, {Path(p).stem: store.read(p) for p in snakemake.input})
    store.write(results, snakemake.output.results, RESULTS)
    store.write(rowsets, snakemake.output.rowsets, ROWSETS)
