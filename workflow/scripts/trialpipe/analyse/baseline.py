"""Characteristics at baseline: ADSL variables and baseline values of findings datasets, by group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse import sample
from trialpipe.analyse.context import MISSING as UNGROUPED
from trialpipe.analyse.context import OVERALL, Context, Group, level_order, text
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.rows import Manner, behind
from trialpipe.config.analyses import Baseline, BaselineItem

MISSING = "Missing"
TESTS = {
    "anova": "One-way analysis of variance, F test",
    "kruskal_wallis": "Kruskal-Wallis test",
    "chi_square": "Pearson's chi-square test",
}
_COUNTED = ("n", "missing", "mean", "sd", "median", "q1", "q3", "min", "max")


def run(analysis: Baseline, context: Context) -> list[dict[str, Any]]:
    """Numbers: n, missing, mean, SD, median, quartiles, range. Factors: n / patients per level, missing apart."""
    found: list[dict[str, Any]] = []
    for item in analysis.items:
        frame, name = _values(analysis, context, item)
        for group in context.groups:
            found += _item(context, group, item, frame, name)
        found += _test(analysis, context, item, frame, name)
    return found


def _place(item: BaselineItem, name: str) -> dict[str, Any]:
    return {"parameter": name} if item.parameter else {"variable": name}


def _is_factor(frame: pd.DataFrame) -> bool:
    measured = frame["AVAL"].notna() | (frame["CENS"] != "none")
    return bool(not measured.any() and frame["AVALC"].notna().any())


def _test(
    analysis: Baseline, context: Context, item: BaselineItem, frame: pd.DataFrame, name: str
) -> list[dict[str, Any]]:
    """Test that the levels of ``by`` are alike (group Overall), patients without a value left out."""
    from trialpipe.stats.groups import anova, chi_square
    from trialpipe.stats.ranks import kruskal_wallis

    factor = _is_factor(frame)
    chosen = analysis.test_factors if factor else analysis.test_numbers
    if chosen is None:
        return []
    method = TESTS[chosen]
    groups = [context.of(level, frame) for level in context.levels if level.label != UNGROUPED]
    stats: dict[str, Value]
    if factor:
        levels = sorted({value for value in frame["AVALC"] if isinstance(value, str)})
        table = [[int((mine["AVALC"] == level).sum()) for mine in groups] for level in levels]
        chi = chi_square(np.array(table).reshape(len(levels), len(groups)))
        df, stats = float(chi.df), {"chi_square": chi.chi_square, "p": chi.p}
    elif (frame["CENS"] != "none").any():
        df, stats = 0.0, {"p": Undefined(NOT_ESTIMABLE, "values outside the range of quantification")}
    elif chosen == "anova":
        test = anova([mine["AVAL"].to_numpy(float) for mine in groups])
        df, stats = float(test.df), {"f": test.f, "df_residual": test.df_residual, "p": test.p}
    else:
        values = [mine["AVAL"].dropna().to_numpy(float) for mine in groups]
        statistic, degrees, p = kruskal_wallis([own for own in values if len(own)])
        df, stats = float(degrees), {"chi_square": statistic, "p": p}
    undefined = [value for value in stats.values() if isinstance(value, float) and not math.isfinite(value)]
    note = "fewer than two groups or levels, or no variation" if undefined else None
    stats = {n: math.nan if isinstance(v, float) and math.isinf(v) else v for n, v in stats.items()}
    dataset = item.dataset or "adsl"
    manner = Manner(method, alternative="two-sided", df=df, note=note)
    used = pd.concat(groups) if groups else frame
    place = _place(item, name)
    return context.cell(
        stats, {"n": behind(dataset, used)}, manner, dataset=dataset, group=OVERALL, term="Test", **place
    )


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
    place = _place(item, name)
    if _is_factor(frame):
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
