"""Rule derive: adapter between Snakemake and trialpipe.derive."""

import json
from pathlib import Path

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive.run import contract_for, derive
from trialpipe.io import store
from trialpipe.io.job import job

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    protocol = Protocol.model_validate(spec["protocol"])
    outcomes = tuple(Outcome.model_validate(outcome) for outcome in spec["outcomes"])
    tables = {"clean": {}, "derived": {}}
    for path in map(Path, snakemake.input):
        tables[path.parent.name][path.stem] = store.read(path)
    frame = derive(spec["dataset"], protocol, outcomes, tables["clean"], tables["derived"])
    store.write(frame, snakemake.output.table, contract_for(spec["dataset"], protocol))
