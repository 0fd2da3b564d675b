"""Rule qc_index: adapter between Snakemake and the front page of trialpipe.report, with the marks of the trials."""

import json

from trialpipe.io import store
from trialpipe.io.job import job
from trialpipe.io.text import write_text
from trialpipe.report.front import portfolio
from trialpipe.report.run import render_index

with job(snakemake.log[0]):
    names = ("results", "queries", "laws", "verdicts")
    tables = [[store.read_arrow(path).to_pylist() for path in snakemake.input[name]] for name in names]
    trials = portfolio(json.loads(snakemake.params.spec), *tables)
    write_text(render_index(trials), snakemake.output[0])
