"""Operating characteristics of the primary analyses by simulation. Not part of a run: ``make characteristics``."""

from trialpipe.config.site import parse_site

EXAMINED = [trial.id for trial in TRIALS.values() if trial.characteristics is not None]


def replicates(wildcards):
    """(replicates of each scenario, replicates per job)."""
    spec = TRIALS[wildcards.trial].characteristics
    return parse_site(config).replicates or spec.replicates, spec.batch


def span(wildcards):
    """First replicate of a batch, and the one after its last."""
    total, size = replicates(wildcards)
    first = int(wildcards.batch) * size
    return [first, min(first + size, total)]


def batches(wildcards):
    """The batches that hold all replicates."""
    total, size = replicates(wildcards)
    numbers = [f"{number:04d}" for number in range(-(-total // size))]
    return collect("<results>/{trial}/characteristics/replicates_{batch}.parquet", trial=wildcards.trial, batch=numbers)


def simulated_population(wildcards):
    """The simulator's population, where a scenario draws from it."""
    scenarios = TRIALS[wildcards.trial].characteristics.scenarios
    drawn = any(scenario.kind == "simulator" for scenario in scenarios)
    return collect("<results>/{trial}/characteristics/population.parquet", trial=wildcards.trial) if drawn else []


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
        population=simulated_population,
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
        span=span,
    script:
        "../scripts/characteristics_replicates.py"


rule characteristics:
    """Bias, coverage and error rates: exact by enumeration where every result can be listed, else from replicates."""
    input:
        replicates=batches,
        population=simulated_population,
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
