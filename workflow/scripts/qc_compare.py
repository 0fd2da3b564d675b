"""Rule qc_compare: adapter between Snakemake and trialpipe.qc.compare."""

import json
from pathlib import Path

import pandas as pd

from trialpipe.config.protocol import Protocol
from trialpipe.io import store
from trialpipe.io.job import job
from trialpipe.qc.compare import compare_results
from trialpipe.qc.contract import QC, RECORDS
from trialpipe.qc.records import compare_datasets

with job(snakemake.log[0]):
    protocol = Protocol.model_validate(json.loads(snakemake.params.spec)["protocol"])
    files = sorted(Path(snakemake.input.theirs).glob("*.csv"))
    theirs = {p.stem: pd.read_csv(p, dtype=str, keep_default_na=False).replace("", None) for p in files}
    ours = {path.stem: store.read(path) for path in map(Path, snakemake.input.datasets)}
    results = compare_results(store.read(snakemake.input.results), theirs.pop("results"))
    records = compare_datasets(protocol, ours, {k.removeprefix("derived_"): v for k, v in theirs.items()})
    store.write(results, snakemake.output.results, QC)
    store.write(records, snakemake.output.records, RECORDS)
