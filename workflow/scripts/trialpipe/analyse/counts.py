"""Laws on counts: groups add up, and a count is the number of rows behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from trialpipe.analyse import formats
from trialpipe.analyse.context import OVERALL
from trialpipe.analyse.law import Check

_PLACE = (
    "outcome",
    "analysis",
    "scenario",
    "population",
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


def _counts(results: pd.DataFrame) -> pd.DataFrame:
    names = [name for name, known in formats.statistics().items() if known.kind == "count"]
    return results[results["statistic"].isin(names) & results["value"].notna()]


def added_up(results: pd.DataFrame) -> Iterator[Check]:
    """Counts of all groups of a cell against its count Overall, where both stand."""
    rows = _counts(results[results["comparator"].isna()])
    for _, found in rows.groupby(list(_PLACE), sort=True, dropna=False):
        whole = found[found["group"] == OVERALL]
        parts = found[found["group"] != OVERALL]
        if len(whole) == 1 and len(parts):
            expected, total = float(whole["value"].iloc[0]), float(parts["value"].sum())
            subject = f"{whole['outcome'].iloc[0]} {whole['analysis'].iloc[0]}"
            yield Check(
                subject, str(whole["result_id"].iloc[0]), f"{expected:g}", f"{total:g} in groups", expected == total
            )


def counted(results: pd.DataFrame, rowsets: pd.DataFrame) -> Iterator[Check]:
    """Counts against the rows of their role (``role`` in the closed list)."""
    size = rowsets.groupby(["rowset", "role"]).size().to_dict()
    roles = {name: known.role for name, known in formats.statistics().items() if known.role}
    rows = _counts(results)
    rows = rows[rows["statistic"].isin(list(roles))]
    columns = ("outcome", "analysis", "result_id", "statistic", "value", "rowset")
    for outcome, analysis, result, statistic, value, rowset in zip(*(rows[c] for c in columns), strict=True):
        found = size.get((rowset, roles[statistic]), 0)
        yield Check(f"{outcome} {analysis}", result, f"{value:g}", f"{found} rows", value == found)
