"""Rule qc_r: adapter between Snakemake and the second derivation in R."""

from pathlib import Path

from trialpipe.io.job import job
from trialpipe.qc.rscript import run

with job(snakemake.log[0]):
    run(Path(snakemake.scriptdir).parent / "qc" / "main.R", Path(snakemake.input[0]), Path(snakemake.output[0]))
