"""Rule qc_report: adapter between Snakemake and trialpipe.report, with the verdicts of the second derivation."""

import json
from pathlib import Path

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io import store
from trialpipe.io.job import job
from trialpipe.io.text import write_text
from trialpipe.report.run import render

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    protocol = Protocol.model_validate(spec["protocol"])
    outcomes = tuple(Outcome.model_validate(outcome) for outcome in spec["outcomes"])
    names = ("results", "laws", "queries", "reconciliation")
    tables = {name: store.read_arrow(snakemake.input[name]).to_pylist() for name in names}
    tables["redacted"] = [row for path in snakemake.input.redacted for row in store.read_arrow(path).to_pylist()]
    figures = {p.stem: p.read_text("utf-8") for p in sorted(Path(snakemake.input.figures).glob("*.svg"))}
    verdicts = {row["result_id"]: row["verdict"] for row in store.read_arrow(snakemake.input.verdicts).to_pylist()}
    write_text(render(protocol, outcomes, tables, figures, verdicts), snakemake.output[0])
