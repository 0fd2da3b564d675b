"""Rule index: adapter between Snakemake and the front page of trialpipe.report."""

import json

from trialpipe.io import store
from trialpipe.io.job import job
from trialpipe.io.text import write_text
from trialpipe.report.front import cards
from trialpipe.report.run import render_index

with job(snakemake.log[0]):
    results = [store.read_arrow(path).to_pylist() for path in snakemake.input.results]
    write_text(render_index(cards(json.loads(snakemake.params.spec), results)), snakemake.output[0])
