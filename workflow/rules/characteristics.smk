"""Operating characteristics of the primary analyses by simulation. Not part of a run: ``make characteristics``."""

from trialpipe.config.site import parse_site

EXAMINED = [trial.id for trial in TRIALS.values() if trial.characteristics is not None]
REPLICATES = parse_site(config).replicates


rule characteristics_population:
    """Patients of the trial's simulator with their course under either arm."""
    output:
        "<results>/{trial}/characteristics/population.parquet",
    log:
        "<logs>/{trial}/characteristics/population.log",
    conda:
        "../../environment.yml"
    params:
        spec=param("characteristics_population", "spec"),
        reference=param("characteristics_population", "reference"),
        code=param("characteristics_population", "code"),
    script:
        "../scripts/characteristics_population.py"


rule characteristics_replicates:
    """A batch of replicates of every scenario: patients drawn, endpoint derived, declared analyses run."""
    input:
        population=each("<results>/{trial}/characteristics/{name}.parquet", name=plan.simulated_populations),
    output:
        "<results>/{trial}/characteristics/replicates_{batch}.parquet",
    log:
        "<logs>/{trial}/characteristics/replicates_{batch}.log",
    wildcard_constraints:
        batch="[0-9]+",
    conda:
        "../../environment.yml"
    params:
        spec=param("characteristics_replicates", "spec"),
        reference=param("characteristics_replicates", "reference"),
        code=param("characteristics_replicates", "code"),
        span=lambda wildcards: plan.replicate_span(TRIALS[wildcards.trial], REPLICATES, wildcards.batch),
    script:
        "../scripts/characteristics_replicates.py"


rule characteristics:
    """Bias, coverage and error rates: exact by enumeration where every result can be listed, else from replicates."""
    input:
        replicates=each(
            "<results>/{trial}/characteristics/replicates_{batch}.parquet",
            batch=lambda trial: plan.replicate_batches(trial, REPLICATES),
        ),
        population=each("<results>/{trial}/characteristics/{name}.parquet", name=plan.simulated_populations),
    output:
        "<results>/{trial}/characteristics.parquet",
    log:
        "<logs>/{trial}/characteristics.log",
    conda:
        "../../environment.yml"
    params:
        spec=param("characteristics", "spec"),
        reference=param("characteristics", "reference"),
        code=param("characteristics", "code"),
    script:
        "../scripts/characteristics.py"


rule characteristics_page:
    """The characteristics of a trial as a page beside its report."""
    input:
        "<results>/{trial}/characteristics.parquet",
    output:
        "<results>/{trial}/report/characteristics.html",
    log:
        "<logs>/{trial}/characteristics_page.log",
    conda:
        "../../environment.yml"
    params:
        spec=param("characteristics_page", "spec"),
        code=param("characteristics_page", "code"),
    script:
        "../scripts/characteristics_page.py"
