"""States at the horizon and the success proportion with its exact interval, and a test where one is declared."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import PRIMARY, Context, Group
from trialpipe.analyse.formats import Value, text_of
from trialpipe.analyse.rows import Manner
from trialpipe.config.analyses import ProportionAnalysis
from trialpipe.config.outcomes import SofaResponse, StateAtHorizon

STATES = ("reached", "alive", "dead", "lost")
SCORE_STATES = ("no_decrease", "dead", "missing")
"""Beside ``success``, which has its row already."""
UNKNOWN = ("lost", "missing")
"""States without a known outcome."""


def run(analysis: ProportionAnalysis, context: Context) -> list[dict[str, Any]]:
    """Per group: the success proportion, then the states that add up to the group."""
    found: list[dict[str, Any]] = []
    for group in context.groups:
        found += _success(analysis, context, group) + _states(analysis, context, group)
    return found


def _success(analysis: ProportionAnalysis, context: Context, group: Group) -> list[dict[str, Any]]:
    """Successes among the patients that count (AVAL not null)."""
    data = context.of(group)
    counted = data[data["AVAL"].notna()]
    hits = context.behind(counted[counted["AVAL"] == 1])
    left_out = len(group.subjects) - len(counted)
    note = f"{left_out} patient(s) not counted (undetermined, or left out in this scenario)" if left_out else None
    extra: dict[str, Value] = {}
    manner = Manner()
    if analysis.null_value is not None:
        from trialpipe.stats.binomial import exact_test

        extra["p"] = exact_test(len(hits.keys), len(counted), analysis.null_value, analysis.alternative)
        level = (1 - analysis.conf_level) / (1 if analysis.alternative == "two-sided" else 2)
        sided = "two-sided" if analysis.alternative == "two-sided" else "one-sided"
        method = f"Clopper-Pearson interval; exact binomial test, {sided} level {level:.4g} matches the interval"
        manner = Manner(method=method, alternative=analysis.alternative, null_value=analysis.null_value)
    return context.proportion(
        hits,
        group,
        context.patients(counted["USUBJID"]),
        analysis.conf_level,
        note,
        extra,
        manner,
        category="success",
    )


def _states(analysis: ProportionAnalysis, context: Context, group: Group) -> list[dict[str, Any]]:
    """Every state among all patients of the group; patients without a state are undetermined."""
    data = context.of(group)
    rest = data[data["AVALC"].isna()]
    absent = group.subjects[~group.subjects["USUBJID"].isin(set(data["USUBJID"]))]
    unknown = len(rest) + len(absent) + int(data["AVALC"].isin(UNKNOWN).sum())
    found: list[dict[str, Any]] = []
    for state in _words(context):
        hits = context.behind(data[data["AVALC"] == state])
        note = _imputation(analysis, context, unknown, len(group.subjects)) if state in UNKNOWN else None
        found += context.proportion(hits, group, note=note, category=state)
    if len(rest) or len(absent):
        notes = sorted({str(note) for note in rest["NOTE"].dropna()})
        found += context.proportion(
            context.patients([*rest["USUBJID"], *absent["USUBJID"]]),
            group,
            note="; ".join(notes) or "no state derived",
            category="undetermined",
        )
    return found


def _imputation(analysis: ProportionAnalysis, context: Context, unknown: int, total: int) -> str | None:
    """Whether multiple imputation is called for, by the share of unknown outcomes of the primary scenario."""
    if analysis.imputation_from is None or context.scenario != PRIMARY or not total:
        return None
    limit, share = f"{100 * analysis.imputation_from:g} %", text_of("percent", 100 * unknown / total, 0, 0)
    counted = f"the outcome of {unknown} of {total} patients ({share} %) is not known"
    if unknown < analysis.imputation_from * total:
        return f"{counted}, less than {limit}: no multiple imputation"
    return f"{counted}, {limit} or more: multiple imputation is called for and was not done"


def _words(context: Context) -> tuple[str, ...]:
    """States of the endpoint in the order of rows."""
    endpoint = context.outcome.endpoint
    if isinstance(endpoint, SofaResponse):
        return SCORE_STATES
    assert isinstance(endpoint, StateAtHorizon)
    return STATES if endpoint.terminal is not None else STATES[1:]
