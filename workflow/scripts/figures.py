"""Rule figures: adapter between Snakemake and trialpipe.figures."""

import json
from pathlib import Path

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.figures.run import draw
from trialpipe.io import store
from trialpipe.io.contracts import RESULTS
from trialpipe.io.job import job

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    protocol = Protocol.model_validate(spec["protocol"])
    outcomes = tuple(Outcome.model_validate(outcome) for outcome in spec["outcomes"])
    folder = Path(snakemake.output[0])
    folder.mkdir(parents=True, exist_ok=True)
    for figure in draw(store.read(snakemake.input.results), protocol, outcomes):
        store.write(figure.data, folder / f"{figure.name}.parquet", RESULTS)
        figure.save(folder / f"{figure.name}.svg")
