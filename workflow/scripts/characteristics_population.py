"""Rule characteristics_population: adapter between Snakemake and trialpipe.characteristics.population."""

import json

from trialpipe.characteristics.contract import POOL
from trialpipe.characteristics.population import make
from trialpipe.config.characteristics import Characteristics
from trialpipe.io import store
from trialpipe.io.job import job

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    scenarios = Characteristics.model_validate(spec["characteristics"])
    store.write(make(spec["simulation"], scenarios.two_arms, scenarios.seed), snakemake.output[0], POOL)
