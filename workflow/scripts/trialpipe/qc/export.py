"""Clean -> text files for the second derivation in R: clean tables, configuration, reference tables, result keys.

No value of a result and no derived table is among them: R must not know what it is compared with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from trialpipe.config.outcomes import Outcome
from trialpipe.config.scenarios import scenarios
from trialpipe.config.yaml_strict import load
from trialpipe.io import reference

if TYPE_CHECKING:
    import pandas as pd

KEYS = (
    "outcome",
    "analysis",
    "scenario",
    "population",
    "group",
    "comparator",
    "stratum",
    "term",
    "parameter",
    "variable",
    "category",
    "visit",
    "base_visit",
    "time",
    "statistic",
)
"""What names a result, in both derivations; nothing else of the results reaches R."""

DEFINITIONS = ("response_rules.yaml", "criteria.yaml", "expression_scores.yaml", "sofa.yaml", "gvhd.yaml")
TABLES = ("ctcae_lab.csv", "pk_parameters.csv", "product_information_ruxolitinib.csv")


def clean_text(frame: pd.DataFrame) -> pd.DataFrame:
    """A clean table as text: dates ISO 8601, numbers in full, lists joined by ``|``; ``origin`` is left out."""
    import pandas as pd

    out = {}
    for name in frame.columns:
        if name == "origin":
            continue
        column = frame[name]
        if column.dtype.kind == "M":
            # a column of days has no clock time anywhere
            form = "%Y-%m-%d" if (column.dropna() == column.dropna().dt.normalize()).all() else "%Y-%m-%dT%H:%M:%S"
            out[name] = column.dt.strftime(form)
        elif any(isinstance(value, list) for value in column):
            out[name] = column.map("|".join)
        elif column.dtype.kind == "f":
            out[name] = column.map(lambda value: None if pd.isna(value) else repr(float(value)))
        else:
            out[name] = column
    return pd.DataFrame(out, columns=list(out)).astype(object)


def result_keys(results: pd.DataFrame) -> pd.DataFrame:
    """The keys of all results as text, without any value."""
    import pandas as pd

    keys = results[list(KEYS)].copy()
    keys["time"] = keys["time"].map(time_text)
    return keys.astype(object).where(keys.notna() & (keys != ""), None).reset_index(drop=True).pipe(pd.DataFrame)


def time_text(value: float | None) -> str:
    """Elapsed days as R prints them: without a point where whole."""
    if value is None or value != value:
        return ""
    return str(int(value)) if value == int(value) else repr(float(value))


def scenario_list(outcomes: Iterable[Outcome]) -> list[dict]:
    """Each outcome as each of its scenarios sees it, the primary one first."""
    return [
        {"scenario": name, "outcome": seen.model_dump(mode="json")}
        for outcome in outcomes
        for name, seen in scenarios(outcome)
    ]


def definitions() -> dict[str, object]:
    """Clinical definitions and tables of ``resources/reference`` by file stem, as plain data."""
    found: dict[str, object] = {
        name.split(".")[0]: load(reference.REFERENCE / name).data
        for name in DEFINITIONS
        if (reference.REFERENCE / name).exists()
    }
    found.update({name.split(".")[0]: reference.rows(name) for name in TABLES if (reference.REFERENCE / name).exists()})
    return found


def to_json(value: object) -> str:
    """JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def to_csv(frame: pd.DataFrame) -> str:
    """CSV with every text quoted; a missing value is empty, quoted or not."""
    import csv

    return frame.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC, na_rep="")
