"""Difference between groups of the proportion of patients with AVAL 1, with an interval and a test that matches."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import Value
from trialpipe.analyse.pairs import pairs
from trialpipe.analyse.rows import DENOMINATOR, Manner
from trialpipe.config.analyses_survival import DifferenceInProportions
from trialpipe.io.errors import DataError
from trialpipe.stats.distributions import chi2_upper
from trialpipe.stats.two_proportions import difference_newcombe, difference_score, difference_wald, pearson_test

METHODS = {
    "miettinen-nurminen": "Miettinen-Nurminen interval; chi-square test with (N - 1)/N, which matches it",
    "mee": "Mee interval; Pearson chi-square test, which matches it",
    "newcombe": "Newcombe interval (method 10); Pearson chi-square test",
    "wald": "Wald interval; Pearson chi-square test",
}


def run(analysis: DifferenceInProportions, context: Context) -> list[dict[str, Any]]:
    """Per level the proportion with exact limits, then per pair the difference in percentage points and p.

    Patients without a value are left out and counted in the note. Raises DataError for several rows of one patient.
    """
    if context.data["USUBJID"].duplicated().any():
        cure = "add where: {PARAMCD: ..} to the analysis"
        item = f"outcome {context.outcome.id} {context.name}"
        raise DataError("outcomes.yaml", None, item, None, "several rows of one patient", cure)
    found: list[dict[str, Any]] = []
    for group in context.groups:
        rows = _counted(context, group)
        hits = context.behind(rows[rows["AVAL"] == 1])
        note = _left_out(len(group.subjects) - len(rows))
        found += context.proportion(hits, group, context.behind(rows), analysis.conf_level, note, category="success")
    for group, against in pairs(context, analysis.reference):
        found += _pair(analysis, context, group, against)
    return found


def _counted(context: Context, group: Group) -> pd.DataFrame:
    rows = context.of(group)
    return rows[rows["AVAL"].isin([0.0, 1.0])]


def _left_out(number: int) -> str | None:
    return f"{number} patient(s) without a value left out" if number else None


def _pair(analysis: DifferenceInProportions, context: Context, group: Group, against: Group) -> list[dict[str, Any]]:
    rows = [_counted(context, level) for level in (group, against)]
    counts = [int((frame["AVAL"] == 1).sum()) for frame in rows]
    x1, n1, x2, n2 = counts[0], len(rows[0]), counts[1], len(rows[1])
    lower, upper = _limits(analysis, x1, n1, x2, n2)
    chi, p = pearson_test(x1, n1, x2, n2)
    if analysis.method == "miettinen-nurminen" and not math.isnan(chi):
        chi *= (n1 + n2 - 1) / (n1 + n2)
        p = chi2_upper(chi, 1)
    gap = 100 * (x1 / n1 - x2 / n2) if n1 and n2 else math.nan
    stats: dict[str, Value] = {
        "risk_difference": gap,
        "lower": 100 * lower,
        "upper": 100 * upper,
        "chi_square": chi,
        "p": p,
    }
    left = sum(len(level.subjects) for level in (group, against)) - n1 - n2
    notes = [_left_out(left)] if left else []
    notes += ["a group without patients"] if math.isnan(gap) else []
    notes += ["no test: all patients alike"] if math.isnan(p) and not math.isnan(gap) else []
    manner = Manner(
        method=METHODS[analysis.method],
        conf_level=analysis.conf_level,
        alternative="two-sided",
        null_value=0.0,
        df=1.0,
        note="; ".join(note for note in notes if note) or None,
    )
    both = pd.concat(rows)
    roles = {"n": context.behind(both[both["AVAL"] == 1]), DENOMINATOR: context.behind(both)}
    return context.cell(stats, roles, manner, group=group.label, comparator=against.label, category="success")


def _limits(analysis: DifferenceInProportions, x1: int, n1: int, x2: int, n2: int) -> tuple[float, float]:
    if analysis.method == "newcombe":
        return difference_newcombe(x1, n1, x2, n2, analysis.conf_level)
    if analysis.method == "wald":
        return difference_wald(x1, n1, x2, n2, analysis.conf_level)
    return difference_score(x1, n1, x2, n2, analysis.conf_level, analysis.method)
