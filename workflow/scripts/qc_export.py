"""Rule qc_export: adapter between Snakemake and trialpipe.qc.export."""

import json
from pathlib import Path

from trialpipe.config.outcomes import Outcome
from trialpipe.io import store
from trialpipe.io.job import job
from trialpipe.io.text import write_text
from trialpipe.qc.export import KEYS, clean_text, definitions, result_keys, scenario_list, to_csv, to_json

with job(snakemake.log[0]):
    spec = json.loads(snakemake.params.spec)
    target = Path(snakemake.output[0])
    for path in map(Path, snakemake.input.domains):
        write_text(to_csv(clean_text(store.read(path))), target / f"clean_{path.stem}.csv")
    keys = result_keys(store.read(snakemake.input.results, list(KEYS)))
    write_text(to_csv(keys), target / "keys.csv")
    outcomes = tuple(Outcome.model_validate(outcome) for outcome in spec["outcomes"])
    write_text(to_json(spec["protocol"]), target / "protocol.json")
    write_text(to_json(scenario_list(outcomes)), target / "outcomes.json")
    for name, value in definitions().items():
        write_text(to_json(value), target / f"reference_{name}.json")
