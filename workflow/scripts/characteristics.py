"""Rule characteristics: adapter between Snakemake and trialpipe.characteristics.run."""

import json

import pandas as pd

from trialpipe.characteristics.contract import CHARACTERISTICS
from trialpipe.characteristics.run import characteristics
from trialpipe.characteristics.trial import parse
from trialpipe.io import store
from trialpipe.io.job import job

with job(snakemake.log[0]):
    population = store.read(snakemake.input.population[0]) if snakemake.input.population else None
    replicates = pd.concat([store.read(path) for path in snakemake.input.replicates], ignore_index=True)
    case = parse(json.loads(snakemake.params.spec))
    store.write(characteristics(case, replicates, population), snakemake.output[0], CHARACTERISTICS)
