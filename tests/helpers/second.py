"""The second derivation in R of clean tables made in a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.config.scenarios import scenarios
from trialpipe.io.text import write_text
from trialpipe.qc import export, rscript

SCRIPT = Path(__file__).resolve().parents[2] / "workflow" / "qc" / "main.R"


def second(
    plan: Protocol, outcomes: Sequence[Outcome], tables: Mapping[str, pd.DataFrame], folder: Path
) -> dict[str, pd.DataFrame]:
    """Derived tables as text by name, with every scenario of every outcome."""
    source, target = folder / "input", folder / "r"
    for name, table in tables.items():
        write_text(export.to_csv(export.clean_text(table)), source / f"clean_{name}.csv")
    empty = dict.fromkeys(export.KEYS)
    keys = [
        {**empty, "outcome": outcome.id, "scenario": name, "analysis": analysis.kind}
        for outcome in outcomes
        for name, _ in scenarios(outcome)
        for analysis in outcome.analyses
    ]
    write_text(export.to_csv(pd.DataFrame(keys)), source / "keys.csv")
    write_text(export.to_json(plan.model_dump(mode="json")), source / "protocol.json")
    write_text(export.to_json(export.scenario_list(outcomes)), source / "outcomes.json")
    for name, value in export.definitions().items():
        write_text(export.to_json(value), source / f"reference_{name}.json")
    rscript.run(SCRIPT, source, target)
    return {
        path.stem.removeprefix("derived_"): pd.read_csv(path, dtype=str, keep_default_na=False).replace("", None)
        for path in target.glob("derived_*.csv")
    }
