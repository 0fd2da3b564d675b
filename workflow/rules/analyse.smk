"""Derived -> analysis: every statistic as a row, with the records behind it."""


rule analyse:
    """The results of one group of outcomes."""
    input:
        group_datasets,
    output:
        results="<results>/{trial}/analysis/{group}.parquet",
        rowsets="<results>/{trial}/analysis/{group}.rowsets.parquet",
    log:
        "<logs>/{trial}/analyse/{group}.log",
    group:
        "{trial}.results"
    conda:
        "../../environment.yml"
    params:
        spec=param("analyse", "spec"),
        reference=param("analyse", "reference"),
        code=param("analyse", "code"),
    script:
        "../scripts/analyse.py"


rule stack:
    """All results of a trial in registry order, their row sets, and the laws they must keep."""
    input:
        results=each("<results>/{trial}/analysis/{group}.parquet", group=plan.groups),
        rowsets=each("<results>/{trial}/analysis/{group}.rowsets.parquet", group=plan.groups),
        adsl="<results>/{trial}/derived/adsl.parquet",
        reconciliation="<results>/{trial}/clean/reconciliation.parquet",
    output:
        results="<results>/{trial}/analysis.parquet",
        rowsets="<results>/{trial}/rowsets.parquet",
        laws="<results>/{trial}/laws.parquet",
    log:
        "<logs>/{trial}/stack.log",
    group:
        "{trial}.results"
    conda:
        "../../environment.yml"
    params:
        spec=param("stack", "spec"),
        code=param("stack", "code"),
    script:
        "../scripts/stack.py"
