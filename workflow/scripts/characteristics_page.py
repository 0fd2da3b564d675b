"""Rule characteristics_page: adapter between Snakemake and trialpipe.report.characteristics."""

import json

from trialpipe.config.characteristics import Characteristics
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io import store
from trialpipe.io.job import job
from trialpipe.io.text import write_text
from trialpipe.report.characteristics import page

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    protocol = Protocol.model_validate(spec["protocol"])
    (outcome,) = (Outcome.model_validate(given) for given in spec["outcomes"])
    scenarios = Characteristics.model_validate(spec["characteristics"])
    rows = store.read_arrow(snakemake.input[0]).to_pylist()
    write_text(page(protocol, outcome, scenarios, rows), snakemake.output[0])
