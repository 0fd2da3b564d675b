"""Adverse events in a window: overview, by system organ class and term, worst grade, rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from trialpipe.analyse import at_risk
from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import Value
from trialpipe.analyse.rows import DENOMINATOR, Manner
from trialpipe.config.analyses import AdverseEvents
from trialpipe.config.datasets import AdverseEventsDataset, AEWindow

NOT_CODED = "Not coded"
GRADES = ("1", "2", "3", "4", "5")
_NOT_RELATED = ("NOT RELATED", "UNRELATED", "UNLIKELY RELATED", "N", "NO")

Chosen = Callable[[pd.DataFrame], pd.Series]
LINES: dict[str, Chosen] = {
    "Any adverse event": lambda ae: pd.Series(True, index=ae.index),
    "Serious": lambda ae: ae["AESER"] == "Y",
    "Grade 3 or higher": lambda ae: ae["AETOXGR"].isin(GRADES[2:]),
    "Related": lambda ae: ae["AEREL"].notna() & ~ae["AEREL"].isin(_NOT_RELATED),
    "Serious and related": lambda ae: LINES["Serious"](ae) & LINES["Related"](ae),
    "Fatal": lambda ae: (ae["AEOUT"] == "FATAL") | (ae["AETOXGR"] == "5"),
    "Grade missing": lambda ae: ae["AETOXGR"].isna(),
    "Causality missing": lambda ae: ae["AEREL"].isna(),
}
"""Lines of the overview: which events each counts. A missing attribute is a line of its own, never a no."""

RATED = ("Any adverse event", "Serious", "Grade 3 or higher", "Related")


def run(analysis: AdverseEvents, context: Context) -> list[dict[str, Any]]:
    """Rows of every display that is asked for; ``variable`` is the display."""
    window = _window(analysis, context)
    events = context.data[context.data[window.variable] == "Y"]
    found: list[dict[str, Any]] = []
    for display in analysis.displays:
        for group in context.groups:
            found += DISPLAYS[display](analysis, context, group, events, window)
    return found


def _window(analysis: AdverseEvents, context: Context) -> AEWindow:
    for entry in context.protocol.datasets:
        if isinstance(entry, AdverseEventsDataset) and entry.id == context.dataset:
            return next(window for window in entry.windows if window.id == analysis.window)
    raise KeyError(analysis.window)


def _line(context: Context, group: Group, mine: pd.DataFrame, **place: Any) -> list[dict[str, Any]]:
    """Patients with at least one of the events ``mine``, and the events."""
    people = context.people(group)
    patients = context.patients(mine["USUBJID"])
    total = len(people.keys)
    stats: dict[str, Value] = {
        "n": len(patients.keys),
        "denominator": total,
        "percent": 100 * len(patients.keys) / total if total else float("nan"),
        "events": len(mine),
    }
    roles = {"n": patients, "event": context.behind(mine), DENOMINATOR: people}
    note = None if total else "no patient in the denominator"
    return context.cell(stats, roles, Manner(note=note), group=group.label, **place)


def _overview(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    mine = context.of(group, events)
    found: list[dict[str, Any]] = []
    for category, chosen in LINES.items():
        found += _line(context, group, mine[chosen(mine).astype(bool)], variable="overview", category=category)
    return found


def _soc_pt(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    """Classes, and terms in each, by patients in the whole population, then by name; the same order in each group."""
    coded = events.assign(AEBODSYS=events["AEBODSYS"].fillna(NOT_CODED), AEDECOD=events["AEDECOD"].fillna(NOT_CODED))
    mine = context.of(group, coded)
    found: list[dict[str, Any]] = []
    for soc in _by_patients(coded, "AEBODSYS"):
        of_class, mine_of_class = coded[coded["AEBODSYS"] == soc], mine[mine["AEBODSYS"] == soc]
        found += _line(context, group, mine_of_class, parameter=soc, variable="soc_pt")
        for term in _by_patients(of_class, "AEDECOD"):
            rows = mine_of_class[mine_of_class["AEDECOD"] == term]
            found += _line(context, group, rows, parameter=soc, variable="soc_pt", category=term)
    return found


def _by_patients(events: pd.DataFrame, column: str) -> list[str]:
    counts = events.groupby(column, sort=True)["USUBJID"].nunique()
    return sorted(counts.index, key=lambda name: (-int(counts[name]), name))


def _worst_grade(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    """Patients by their highest known grade; those whose events have none are a line, those without events another."""
    mine = context.of(group, events)
    known = mine[mine["AETOXGR"].notna()]
    worst = known.groupby("USUBJID")["AETOXGR"].max()
    found: list[dict[str, Any]] = []
    for grade in GRADES:
        patients = set(worst[worst == grade].index)
        rows = known[known["USUBJID"].isin(patients) & (known["AETOXGR"] == grade)]
        found += _line(context, group, rows, variable="worst_grade", category=f"Grade {grade}")
    ungraded = mine[~mine["USUBJID"].isin(set(worst.index))]
    found += _line(context, group, ungraded, variable="worst_grade", category="Grade missing")
    without = group.subjects[~group.subjects["USUBJID"].isin(set(mine["USUBJID"]))]
    return found + context.proportion(
        context.patients(without["USUBJID"]), group, variable="worst_grade", category="No adverse event"
    )


def _rates(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    """Patients with a first event per 100 patient-months at risk, with Garwood's exact limits."""
    from trialpipe.stats.rates import poisson_rate

    spans = at_risk.spans(group.subjects, window, context.protocol)
    mine = context.of(group, events)
    found: list[dict[str, Any]] = []
    for category in RATED:
        first = at_risk.first_events(mine[LINES[category](mine).astype(bool)])
        months, notes = at_risk.months(spans, first)
        with_event = first[first["USUBJID"].isin(set(spans["USUBJID"]))]
        rate, lower, upper = poisson_rate(len(with_event), months, analysis.conf_level)
        stats: dict[str, Value] = {
            "n": len(with_event),
            "person_time": months,
            "rate": 100 * rate,
            "lower": 100 * lower,
            "upper": 100 * upper,
        }
        note = "; ".join(notes) or (None if months > 0 else "no time at risk")
        roles = {
            "n": context.patients(with_event["USUBJID"]),
            "event": context.behind(with_event),
            "at_risk": context.patients(spans["USUBJID"]),
        }
        manner = Manner(at_risk.METHOD, analysis.conf_level, note=note)
        found += context.cell(stats, roles, manner, group=group.label, variable="rates", category=category)
    return found


DISPLAYS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "overview": _overview,
    "soc_pt": _soc_pt,
    "worst_grade": _worst_grade,
    "rates": _rates,
}
