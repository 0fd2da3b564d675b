"""Cochran-Mantel-Haenszel tests: an answer with ordered or plain categories against groups, within strata."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse.context import MISSING, OVERALL, Context
from trialpipe.analyse.formats import Value
from trialpipe.analyse.pairs import pairs
from trialpipe.analyse.rows import Manner
from trialpipe.analyse.times import strata
from trialpipe.analyse.visits import analysed
from trialpipe.config.analyses_models import Cmh
from trialpipe.io.errors import DataError
from trialpipe.stats.cmh import cmh
from trialpipe.stats.tables import mantel_haenszel

NOTHING_VARIES = "no test: nothing varies within a stratum"


def run(analysis: Cmh, context: Context) -> list[dict[str, Any]]:
    """n per level and category, the three tests, and for two categories the common odds ratio of each pair of levels.

    Patients without a result or a stratum are left out and counted in the note. Raises DataError for a result that is
    no category, and as ``pairs`` does.
    """
    levels = [level for level in context.levels if level.label != MISSING]
    rows = analysed(context.data, analysis.parameter, analysis.visit)
    rows = rows[rows["AVALC"].notna()]
    other = sorted(set(rows["AVALC"]) - set(analysis.categories))
    if other:
        item = f"outcome {context.outcome.id} {context.name}.categories"
        raise DataError("outcomes.yaml", None, item, ", ".join(other), "is a result and no category", "declare it")
    place = {u: i for i, level in enumerate(levels) for u in level.subjects["USUBJID"]}
    rows = rows[rows["USUBJID"].isin(set(place))]
    block, known = strata(context, rows, analysis.strata)
    rows = rows[known]
    code = np.zeros(len(rows), int) if block is None else block[known]
    row = rows["USUBJID"].map(place).to_numpy(dtype=int)
    column = rows["AVALC"].map({name: i for i, name in enumerate(analysis.categories)}).to_numpy(dtype=int)
    counts = np.zeros((max(int(code.max(initial=0)) + 1, 1), max(len(levels), 2), len(analysis.categories)))
    np.add.at(counts, (code, row, column), 1)
    common: dict[str, Any] = {"parameter": analysis.parameter, "visit": analysis.visit, "variable": "AVALC"}
    left = len(context.subjects) - len(rows)
    manner = Manner(note=f"{left} patient(s) without a result or a stratum left out" if left else None)
    found: list[dict[str, Any]] = []
    for i, level in enumerate(levels):
        for j, category in enumerate(analysis.categories):
            hits = context.behind(rows[(row == i) & (column == j)])
            whole = context.behind(rows[row == i])
            found += context.proportion(hits, level, whole, category=category, manner=manner, **common)
    found += _tests(analysis, context, counts, rows, manner, common)
    if len(analysis.categories) == 2:
        for group, against in pairs(context, analysis.reference):
            both = [[level.label for level in levels].index(label) for label in (group.label, against.label)]
            used = rows[np.isin(row, both)]
            found += _odds(analysis, context, counts[:, both], used, manner, common, group.label, against.label)
    return found


def _within(analysis: Cmh, context: Context) -> str:
    return f", within {' and '.join(map(context.label, analysis.strata))}" if analysis.strata else ""


def _tests(
    analysis: Cmh, context: Context, counts: np.ndarray, rows: pd.DataFrame, manner: Manner, common: dict[str, Any]
) -> list[dict[str, Any]]:
    tests = cmh(counts, analysis.scores)
    named = {
        "General association": tests.general,
        "Row mean scores differ": tests.means,
        "Non-zero correlation": tests.correlation,
    }
    found: list[dict[str, Any]] = []
    for term, (chi, df, p) in named.items():
        scores = "" if term == "General association" else f", {analysis.scores} scores"
        note = "; ".join(part for part in (NOTHING_VARIES if math.isnan(p) else "", manner.note or "") if part) or None
        method = f"Cochran-Mantel-Haenszel test{scores}{_within(analysis, context)}"
        shown = manner._replace(method=method, alternative="two-sided", df=float(df), note=note)
        stats: dict[str, Value] = {"chi_square": chi, "p": p}
        found += context.cell(stats, {"n": context.behind(rows)}, shown, group=OVERALL, term=term, **common)
    return found


def _odds(
    analysis: Cmh,
    context: Context,
    counts: np.ndarray,
    rows: pd.DataFrame,
    manner: Manner,
    common: dict[str, Any],
    group: str,
    against: str,
) -> list[dict[str, Any]]:
    """Common odds ratio of the first category, group over comparator, with the test of the two levels alone."""
    test = mantel_haenszel(counts, conf_level=analysis.conf_level)
    stats: dict[str, Value] = {
        "odds_ratio": test.odds_ratio,
        "lower": test.lower,
        "upper": test.upper,
        "chi_square": test.statistic,
        "p": test.p,
    }
    if math.isinf(test.odds_ratio):
        stats["odds_ratio"] = math.nan
    why = "no finite odds ratio" if not math.isfinite(test.odds_ratio) else ""
    note = "; ".join(part for part in (why, NOTHING_VARIES if math.isnan(test.p) else "", manner.note or "") if part)
    shown = manner._replace(
        method=(
            "Mantel-Haenszel odds ratio, Robins-Breslow-Greenland interval, Cochran-Mantel-Haenszel test"
            f"{_within(analysis, context)}"
        ),
        conf_level=analysis.conf_level,
        alternative="two-sided",
        null_value=1.0,
        df=1.0,
        note=note or None,
    )
    category = analysis.categories[0]
    roles = {"n": context.behind(rows)}
    return context.cell(stats, roles, shown, group=group, comparator=against, category=category, **common)
