"""Clean -> second derivation in R -> comparison. Not part of a run: ``make qc``."""


rule qc_export:
    """What R may know: clean tables, configuration, definitions, and the keys of the results without any value."""
    input:
        domains=each("<results>/{trial}/clean/{domain}.parquet", domain=plan.domains),
        results="<results>/{trial}/analysis.parquet",
    output:
        directory("<results>/{trial}/qc/input"),
    log:
        "<logs>/{trial}/qc_export.log",
    group:
        "{trial}.results"
    conda:
        "../../environment.yml"
    params:
        spec=param("qc_export", "spec"),
        reference=param("qc_export", "reference"),
        code=param("qc_export", "code"),
    script:
        "../scripts/qc_export.py"


rule qc_r:
    """The second derivation: patient by patient and result by result."""
    input:
        "<results>/{trial}/qc/input",
    output:
        directory("<results>/{trial}/qc/r"),
    log:
        "<logs>/{trial}/qc_r.log",
    group:
        "{trial}.results"
    conda:
        "../../environment.yml"
    params:
        spec=param("qc_r", "spec"),
        code=param("qc_r", "code"),
        r=identity.text_files(BASE / "workflow" / "qc", "*.R"),
    script:
        "../scripts/qc_r.py"


rule qc_compare:
    """Verdicts: result by result, and record by record of the derived datasets."""
    input:
        results="<results>/{trial}/analysis.parquet",
        theirs="<results>/{trial}/qc/r",
        datasets=each("<results>/{trial}/derived/{name}.parquet", name=plan.datasets),
    output:
        results="<results>/{trial}/qc.parquet",
        records="<results>/{trial}/qc_records.parquet",
    log:
        "<logs>/{trial}/qc_compare.log",
    group:
        "{trial}.results"
    conda:
        "../../environment.yml"
    params:
        spec=param("qc_compare", "spec"),
        reference=param("qc_compare", "reference"),
        code=param("qc_compare", "code"),
    script:
        "../scripts/qc_compare.py"


rule qc_report:
    """The report again, with what the second derivation confirms under every table."""
    input:
        results="<results>/{trial}/analysis.parquet",
        laws="<results>/{trial}/laws.parquet",
        queries="<results>/{trial}/clean/queries.parquet",
        reconciliation="<results>/{trial}/clean/reconciliation.parquet",
        redacted=each("<results>/{trial}/ingested/{path}.redacted.parquet", path=plan.form_paths),
        figures="<results>/{trial}/figures",
        verdicts="<results>/{trial}/qc.parquet",
    output:
        "<results>/{trial}/report/qc.html",
    log:
        "<logs>/{trial}/qc_report.log",
    group:
        "{trial}.results"
    conda:
        "../../environment.yml"
    params:
        spec=param("qc_report", "spec"),
        reference=param("qc_report", "reference"),
        code=param("qc_report", "code"),
    script:
        "../scripts/qc_report.py"


rule qc_index:
    """The front page again, with a mark for every trial."""
    input:
        reports=collect("<results>/{trial}/report/qc.html", trial=TRIALS),
        results=collect("<results>/{trial}/analysis.parquet", trial=TRIALS),
        queries=collect("<results>/{trial}/clean/queries.parquet", trial=TRIALS),
        laws=collect("<results>/{trial}/laws.parquet", trial=TRIALS),
        verdicts=collect("<results>/{trial}/qc.parquet", trial=TRIALS),
    output:
        "<results>/qc.html",
    log:
        "<logs>/qc_index.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        spec=identity.index_spec(TRIALS),
        code=identity.index_code(BASE, "qc_index"),
    script:
        "../scripts/qc_index.py"
