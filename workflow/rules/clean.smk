"""Ingested -> clean: SDTM domains, typed, one unit per test; queries and row accounting beside them."""


rule clean:
    """One SDTM domain with its queries and reconciliation."""
    input:
        ingested_forms,
    output:
        table="<results>/{trial}/clean/{domain}.parquet",
        queries="<results>/{trial}/clean/queries/{domain}.parquet",
        reconciliation="<results>/{trial}/clean/reconciliation/{domain}.parquet",
    log:
        "<logs>/{trial}/clean/{domain}.log",
    group:
        "{trial}.data"
    conda:
        "../../environment.yml"
    params:
        spec=param("clean", "spec"),
        reference=param("clean", "reference"),
        code=param("clean", "code"),
    script:
        "../scripts/clean.py"


rule checks:
    """Cross-domain checks; all queries and all row accounting of the trial in one table each."""
    input:
        domains=each("<results>/{trial}/clean/{domain}.parquet", domain=plan.domains),
        queries=each("<results>/{trial}/clean/queries/{domain}.parquet", domain=plan.domains),
        reconciliation=each(
            "<results>/{trial}/clean/reconciliation/{domain}.parquet",
            domain=plan.domains,
        ),
    output:
        queries="<results>/{trial}/clean/queries.parquet",
        reconciliation="<results>/{trial}/clean/reconciliation.parquet",
    log:
        "<logs>/{trial}/checks.log",
    group:
        "{trial}.data"
    conda:
        "../../environment.yml"
    params:
        spec=param("checks", "spec"),
        reference=param("checks", "reference"),
        code=param("checks", "code"),
    script:
        "../scripts/checks.py"
