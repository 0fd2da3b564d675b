"""Clinical trials from raw extracts to reports.

results/<trial>/ingested/<source>/<form>.parquet   every raw cell as text, with its place
results/<trial>/clean/<domain>.parquet             SDTM domains, queries, reconciliation
results/<trial>/derived/<dataset>.parquet          ADaM datasets
results/<trial>/analysis.parquet                   every statistic, a row each
results/<trial>/figures/, report/index.html        what people read
results/index.html                                 the front page
"""

from snakemake.utils import min_version

min_version("9.19")


configfile: "config/config.yaml"


if os.path.exists("config/local.yaml"):

    configfile: "config/local.yaml"


rule all:
    """Every trial's report and the front page."""
    input:
        "<results>/index.html",
    localrule: True


include: "workflow/rules/common.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/clean.smk"
include: "workflow/rules/derive.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/qc.smk"


rule qc_all:
    """Every trial against its second derivation in R: make qc."""
    input:
        collect("<results>/{trial}/qc.parquet", trial=TRIALS),
    localrule: True


onstart:
    forget_failures()


onsuccess:
    release_timers()


onerror:
    release_timers()
    atexit.register(print_failures)
