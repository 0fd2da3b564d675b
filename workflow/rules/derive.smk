"""Clean -> derived: ADaM datasets, one job each."""


rule derive:
    """One analysis dataset."""
    input:
        dataset_inputs,
    output:
        table="<results>/{trial}/derived/{dataset}.parquet",
    log:
        "<logs>/{trial}/derive/{dataset}.log",
    group:
        "{trial}.data"
    conda:
        "../../environment.yml"
    params:
        spec=param("derive", "spec"),
        reference=param("derive", "reference"),
        code=param("derive", "code"),
    script:
        "../scripts/derive.py"
