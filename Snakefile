"""Clinical trials from raw extracts (results/<trial>/ingested/) over SDTM domains (clean/), ADaM datasets (derived/) and
results as data (analysis.parquet) to reports (report/index.html) and a front page (results/index.html).
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
include: "workflow/rules/characteristics.smk"


rule qc_all:
    """Every trial against its second derivation in R, and the reports with its marks: make qc."""
    input:
        "<results>/qc.html",
    localrule: True


rule characteristics_all:
    """Bias, coverage and error rates of the primary analyses: make characteristics."""
    input:
        collect("<results>/{trial}/report/characteristics.html", trial=EXAMINED),
    localrule: True


onstart:
    forget_failures()


onsuccess:
    release_timers()


onerror:
    release_timers()
    atexit.register(print_failures)
