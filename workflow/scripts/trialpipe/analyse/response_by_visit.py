"""Responders per visit under one rule-set; not evaluable and dead count as non-response."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.rows import Behind
from trialpipe.config.analyses import ResponseByVisit

OVERALL_RESPONSE = "OVRLRESP"
NON_RESPONSE = {"NR": "No response", "NE": "Not evaluable", "DEAD": "Dead"}
CARRIED = "Carried from before conditioning"
OTHER = "Other level"
NOT_ATTAINABLE = "Not attainable from baseline"
NOT_REACHED = "not_reached"


def run(analysis: ResponseByVisit, context: Context) -> list[dict[str, Any]]:
    """Per visit and group: assessed, each level exactly, levels or better, then non-responders by reason."""
    data = context.data[context.data["RULESET"] == analysis.rule_set]
    found: list[dict[str, Any]] = []
    for visit in analysis.visits:
        for group in context.groups:
            frame = context.of(group, data[data["AVISIT"] == visit])
            found += _visit(analysis, context, visit, group, frame)
    return found


def _visit(
    analysis: ResponseByVisit, context: Context, visit: str, group: Group, frame: pd.DataFrame
) -> list[dict[str, Any]]:
    overall = frame[frame["PARAMCD"] == OVERALL_RESPONSE]
    waiting = overall[overall["STATUS"] == NOT_REACHED]
    counted = group.subjects[~group.subjects["USUBJID"].isin(set(waiting["USUBJID"]))]
    due = overall[overall["STATUS"] != NOT_REACHED]
    people = context.patients(counted["USUBJID"])
    note = f"{len(waiting)} patient(s) left out: visit after the data cut-off" if len(waiting) else None

    def line(category: str, rows: Behind, interval: bool = False) -> list[dict[str, Any]]:
        level = analysis.conf_level if interval else None
        return context.proportion(
            rows, group, people, level, note, parameter=analysis.rule_set, category=category, visit=visit
        )

    found: list[dict[str, Any]] = []
    for place, level in enumerate(analysis.levels):
        found += line(level, context.behind(due[due["AVALC"] == level]), True)
        if place:
            better = analysis.levels[: place + 1]
            found += line("+".join(better), context.behind(due[due["AVALC"].isin(better)]), True)
    other = due[~due["AVALC"].isin([*analysis.levels, *NON_RESPONSE])]
    if len(other):
        found += line(OTHER, context.behind(other))
    for code, label in NON_RESPONSE.items():
        found += line(label, context.behind(due[due["AVALC"] == code]))
    absent = counted[~counted["USUBJID"].isin(set(due["USUBJID"]))]
    if len(absent):
        found += line("No visit derived", context.patients(absent["USUBJID"]))
    found += line("Assessed", context.behind(due[due["STATUS"] == "assessed"]))
    found += line(CARRIED, context.behind(due[due["CARRIED"] == "Y"]))
    for level in analysis.levels:
        barred = frame[(frame["PARAMCD"] == level) & frame["NOTE"].fillna("").str.contains("not attainable")]
        if len(barred):
            found += line(f"{level}: {NOT_ATTAINABLE.lower()}", context.behind(barred))
    return found
