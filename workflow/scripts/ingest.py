"""Rule ingest: adapter between Snakemake and trialpipe.ingest."""

import json
from pathlib import Path

from trialpipe.ingest.run import ingest
from trialpipe.io import store
from trialpipe.io.job import job

with job(snakemake.log[0]):
    source = json.loads(snakemake.params.spec)
    form = source["forms"][0]
    root = Path(str(snakemake.input[0]).removesuffix(form["files"][0]))
    table, redacted = ingest(source, root, form["id"])
    store.write_arrow(table, snakemake.output.table)
    store.write_arrow(redacted, snakemake.output.redacted)
