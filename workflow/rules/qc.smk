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
