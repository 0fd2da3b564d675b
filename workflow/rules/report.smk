"""Analysis -> figures and report: format, never compute."""


rule figures:
    """All figures of a trial, each with the rows it shows."""
    input:
        results="<results>/{trial}/analysis.parquet",
    output:
        directory("<results>/{trial}/figures"),
    log:
        "<logs>/{trial}/figures.log",
    group:
        "{trial}.results"
    conda:
        "../../environment.yml"
    params:
        spec=param("figures", "spec"),
        code=param("figures", "code"),
    script:
        "../scripts/figures.py"


rule report:
    """The trial's report: one HTML file that works offline."""
    input:
        results="<results>/{trial}/analysis.parquet",
        laws="<results>/{trial}/laws.parquet",
        queries="<results>/{trial}/clean/queries.parquet",
        reconciliation="<results>/{trial}/clean/reconciliation.parquet",
        redacted=each("<results>/{trial}/ingested/{path}.redacted.parquet", path=plan.form_paths),
        figures="<results>/{trial}/figures",
    output:
        "<results>/{trial}/report/index.html",
    log:
        "<logs>/{trial}/report.log",
    group:
        "{trial}.results"
    conda:
        "../../environment.yml"
    params:
        spec=param("report", "spec"),
        reference=param("report", "reference"),
        code=param("report", "code"),
    script:
        "../scripts/report.py"


rule index:
    """The front page: the trials side by side."""
    input:
        reports=collect("<results>/{trial}/report/index.html", trial=TRIALS),
        results=collect("<results>/{trial}/analysis.parquet", trial=TRIALS),
        queries=collect("<results>/{trial}/clean/queries.parquet", trial=TRIALS),
        laws=collect("<results>/{trial}/laws.parquet", trial=TRIALS),
    output:
        "<results>/index.html",
    log:
        "<logs>/index.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        spec=identity.index_spec(TRIALS),
        code=identity.index_code(BASE),
    script:
        "../scripts/index.py"
