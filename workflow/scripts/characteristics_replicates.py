"""Rule characteristics_replicates: adapter between Snakemake and trialpipe.characteristics.replicates."""

import json

from trialpipe.characteristics.contract import REPLICATES
from trialpipe.characteristics.replicates import replicates
from trialpipe.characteristics.trial import parse
from trialpipe.io import store
from trialpipe.io.job import job

with job(snakemake.log[0]):
    population = store.read(snakemake.input.population[0]) if snakemake.input.population else None
    case = parse(json.loads(snakemake.params.spec))
    store.write(replicates(case, *snakemake.params.span, population), snakemake.output[0], REPLICATES)
