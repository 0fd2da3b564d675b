"""Raw files -> ingested: every cell as text with its place; only the pseudonymity gate takes something away."""


rule ingest:
    """One raw form as read, and what the pseudonymity gate removed."""
    input:
        raw_files,
    output:
        table="<results>/{trial}/ingested/{source}/{form}.parquet",
        redacted="<results>/{trial}/ingested/{source}/{form}.redacted.parquet",
    log:
        "<logs>/{trial}/ingest/{source}.{form}.log",
    group:
        "{trial}.data"
    conda:
        "../../environment.yml"
    params:
        spec=param("ingest", "spec"),
        raw=param("ingest", "raw"),
        reference=param("ingest", "reference"),
        code=param("ingest", "code"),
    script:
        "../scripts/ingest.py"
