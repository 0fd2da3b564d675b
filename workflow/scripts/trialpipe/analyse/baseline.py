"""Characteristics at baseline: ADSL variables and baseline values of findings datasets, by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse import sample
from trialpipe.analyse.context import Context, Group, level_order, text
from trialpipe.analyse.formats import Value
from trialpipe.analyse.rows import behind
from trialpipe.config.analyses import Baseline, BaselineItem

MISSING = "Missing"
_COUNTED = ("n", "missing", "mean", "sd", "median", "q1", "q3", "min", "max")


def run(analysis: Baseline, context: Context) -> list[dict[str, Any]]:
    """Numbers: n, missing, mean, SD, median, quartiles, range. Factors: n / patients per level, missing apart."""
    found: list[dict[str, Any]] = []
    for item in analysis.items:
        frame, name = _values(analysis, context, item)
        for group in context.groups:
            found += _item(context, group, item, frame, name)
    return found


def _values(analysis: Baseline, context: Context, item: BaselineItem) -> tuple[pd.DataFrame, str]:
    """(one row per patient that has a value, as a BDS frame; name of the item)."""
    if item.variable is not None:
        return _adsl(context, item.variable), item.variable
    assert item.dataset is not None
    assert item.parameter is not None
    rows = context.frame(item.dataset)
    rows = rows[rows["PARAMCD"] == item.parameter]
    if analysis.visit is not None:
        rows = rows[(rows["AVISIT"] == analysis.visit) & (rows["ANL01FL"] == "Y")]
    else:
        rows = rows[rows["ABLFL"] == "Y"]
    rows = rows[rows["AVAL"].notna() | rows["AVALC"].notna() | (rows["CENS"] != "none")]
    return rows.drop_duplicates("USUBJID"), item.parameter


def _adsl(context: Context, variable: str) -> pd.DataFrame:
    column = context.subjects[variable]
    number = pd.api.types.is_numeric_dtype(column)
    units = {v.name: v.unit for v in context.protocol.subject_variables}
    units |= {v.name: v.unit for v in context.protocol.formulas}
    frame = pd.DataFrame(
        {
            "row_id": context.subjects["row_id"],
            "USUBJID": context.subjects["USUBJID"],
            "AVAL": column.astype("float64") if number else np.nan,
            "AVALC": [None if number else text(value) for value in column],
            "AVALU": units.get(variable),
            "CENS": "none",
            "LLOQ": np.nan,
            "ULOQ": np.nan,
        }
    )
    return frame[column.notna()]


def _item(context: Context, group: Group, item: BaselineItem, frame: pd.DataFrame, name: str) -> list[dict[str, Any]]:
    mine = context.of(group, frame)
    dataset = item.dataset or "adsl"
    place: dict[str, Any] = {"parameter": name} if item.parameter else {"variable": name}
    if frame["AVAL"].isna().all() and (frame["CENS"] == "none").all() and frame["AVALC"].notna().any():
        return _factor(context, group, frame, mine, dataset, place, item)
    values = sample.sample(mine)
    described, method, note = sample.stats(values)
    roles = dict(sample.roles(mine, dataset))
    absent = group.subjects[~group.subjects["USUBJID"].isin(set(mine["USUBJID"]))]
    roles["missing"] = behind("adsl", absent)
    stats: dict[str, Value] = {**described, "missing": len(absent)}
    shown = [*_COUNTED, *(["n_below", "n_above"] if sample.sample(frame).censored else [])]
    ordered = {name: stats[name] for name in shown}
    return context.cell(ordered, roles, sample.manner(frame, method, note), dataset=dataset, group=group.label, **place)


def _factor(
    context: Context,
    group: Group,
    frame: pd.DataFrame,
    mine: pd.DataFrame,
    dataset: str,
    place: dict[str, Any],
    item: BaselineItem,
) -> list[dict[str, Any]]:
    """Levels among patients with a value; a line for the others if any patient of the population has none."""
    found: list[dict[str, Any]] = []
    seen = [value for value in frame["AVALC"] if isinstance(value, str)]
    levels = level_order(item.variable, context.protocol, seen) if item.variable else sorted(set(seen))
    for level in levels:
        hits = behind(dataset, mine[mine["AVALC"] == level])
        found += context.proportion(hits, group, behind(dataset, mine), dataset=dataset, category=level, **place)
    if len(frame) < len(context.subjects):
        absent = group.subjects[~group.subjects["USUBJID"].isin(set(mine["USUBJID"]))]
        found += context.proportion(behind("adsl", absent), group, dataset="adsl", category=MISSING, **place)
    return found
