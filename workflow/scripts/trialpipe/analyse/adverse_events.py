"""Adverse events in a window: overview, by system organ class and term, worst grade, rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from trialpipe.analyse import at_risk
from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import Value
from trialpipe.analyse.pairs import pairs
from trialpipe.analyse.rows import DENOMINATOR, Manner
from trialpipe.config.analyses import AdverseEvents
from trialpipe.config.datasets import AdverseEventsDataset, AEWindow

NOT_CODED = "Not coded"
GRADES = ("1", "2", "3", "4", "5")
SEVERITIES = ("MILD", "MODERATE", "SEVERE")
_NOT_RELATED = ("NOT RELATED", "UNRELATED", "UNLIKELY RELATED", "N", "NO")

Chosen = Callable[[pd.DataFrame], pd.Series]


class Line(NamedTuple):
    """A line of the overview: its words and which events it counts."""

    label: str
    chosen: Chosen


def _serious(ae: pd.DataFrame) -> pd.Series:
    return ae["AESER"] == "Y"


def _related(ae: pd.DataFrame) -> pd.Series:
    return ae["AEREL"].notna() & ~ae["AEREL"].isin(_NOT_RELATED)


LINES: dict[str, Line] = {
    "any": Line("Any adverse event", lambda ae: pd.Series(True, index=ae.index)),
    "serious": Line("Serious", _serious),
    "grade_3": Line("Grade 3 or higher", lambda ae: ae["AETOXGR"].isin(GRADES[2:])),
    "severe": Line("Severe", lambda ae: ae["AESEV"] == "SEVERE"),
    "related": Line("Related", _related),
    "serious_related": Line("Serious and related", lambda ae: _serious(ae) & _related(ae)),
    "fatal": Line("Fatal", lambda ae: (ae["AEOUT"] == "FATAL") | (ae["AETOXGR"] == "5")),
    "grade_missing": Line("Grade missing", lambda ae: ae["AETOXGR"].isna()),
    "severity_missing": Line("Severity missing", lambda ae: ae["AESEV"].isna()),
    "causality_missing": Line("Causality missing", lambda ae: ae["AEREL"].isna()),
}
"""Which events each line of the overview counts. A missing attribute is a line of its own, never a no."""

RATED = ("any", "serious", "grade_3", "related")
TESTS = {"fisher": "Fisher's exact test", "chi_square": "Pearson's chi-square test"}


def run(analysis: AdverseEvents, context: Context) -> list[dict[str, Any]]:
    """Rows of every display that is asked for; ``variable`` is the display."""
    window = _window(analysis, context)
    events = context.data[context.data[window.variable] == "Y"]
    found: list[dict[str, Any]] = []
    for display in analysis.displays:
        for group in context.groups:
            found += DISPLAYS[display](analysis, context, group, events, window)
        if analysis.compare_with is not None and display in COMPARED:
            for group, against in pairs(context, analysis.compare_with):
                for mine, place in COMPARED[display](analysis, events):
                    found += _compared(analysis, context, (group, against), mine, variable=display, **place)
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


def _compared(
    analysis: AdverseEvents, context: Context, pair: tuple[Group, Group], events: pd.DataFrame, **place: Any
) -> list[dict[str, Any]]:
    """Test that the share of patients with one of ``events`` is the same in two groups."""
    from trialpipe.stats.tables import fisher_p
    from trialpipe.stats.two_proportions import pearson_test

    mine = [context.of(group, events) for group in pair]
    hits = [rows["USUBJID"].nunique() for rows in mine]
    totals = [len(group.subjects) for group in pair]
    method, note = TESTS[analysis.test], None
    stats: dict[str, Value] = {"p": float("nan")}
    if not all(totals):
        note = "a group without patients"
    elif not any(hits):
        note = "no event in either group"
    elif analysis.test == "fisher":
        stats = {"p": fisher_p(hits[0], totals[0] - hits[0], hits[1], totals[1] - hits[1])}
    else:
        chi, p = pearson_test(hits[0], totals[0], hits[1], totals[1])
        stats = {"chi_square": chi, "p": p}
        note = "no test: all patients alike" if math.isnan(p) else None
    manner = Manner(method, alternative="two-sided", df=None if analysis.test == "fisher" else 1.0, note=note)
    both = pd.concat(mine)
    people = pd.concat([group.subjects for group in pair])
    roles = {"n": context.patients(both["USUBJID"]), "event": context.behind(both)}
    roles[DENOMINATOR] = context.patients(people["USUBJID"])
    return context.cell(stats, roles, manner, group=pair[0].label, comparator=pair[1].label, **place)


def _overview(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for mine, place in _overview_lines(analysis, events):
        found += _line(context, group, context.of(group, mine), variable="overview", **place)
    return found


def _overview_lines(analysis: AdverseEvents, events: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, dict[str, Any]]]:
    """(events, place) of each line, all groups together."""
    for name in analysis.lines:
        yield events[LINES[name].chosen(events).astype(bool)], {"category": LINES[name].label}


def _soc_pt(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    """Classes, and terms in each, by patients in the whole population, then by name; the same order in each group."""
    found: list[dict[str, Any]] = []
    for mine, place in _classes(analysis, events):
        found += _line(context, group, context.of(group, mine), variable="soc_pt", **place)
    return found


def _classes(analysis: AdverseEvents, events: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, dict[str, Any]]]:
    """(events, place) of each class and of its terms, all groups together."""
    coded = events.assign(AEBODSYS=events["AEBODSYS"].fillna(NOT_CODED), AEDECOD=events["AEDECOD"].fillna(NOT_CODED))
    for soc in _by_patients(coded, "AEBODSYS"):
        of_class = coded[coded["AEBODSYS"] == soc]
        yield of_class, {"parameter": soc}
        for term in _by_patients(of_class, "AEDECOD"):
            yield of_class[of_class["AEDECOD"] == term], {"parameter": soc, "category": term}


def _by_patients(events: pd.DataFrame, column: str) -> list[str]:
    counts = events.groupby(column, sort=True)["USUBJID"].nunique()
    return sorted(counts.index, key=lambda name: (-int(counts[name]), name))


def _worst_grade(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    """Patients by their highest known grade; those whose events have none are a line, those without events another."""
    return _worst(context, group, events, "worst_grade", "AETOXGR", {grade: f"Grade {grade}" for grade in GRADES})


def _worst_severity(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    """As by grade; a severity in other words than SEVERITIES counts as missing."""
    words = {severity: severity.capitalize() for severity in SEVERITIES}
    return _worst(context, group, events, "worst_severity", "AESEV", words)


def _worst(
    context: Context, group: Group, events: pd.DataFrame, display: str, column: str, scale: dict[str, str]
) -> list[dict[str, Any]]:
    """``scale``: values of ``column`` from mildest to worst, with their words."""
    mine = context.of(group, events)
    rank = mine[column].map({value: place for place, value in enumerate(scale)})
    known = mine[rank.notna()]
    worst = rank[rank.notna()].groupby(known["USUBJID"]).max()
    found: list[dict[str, Any]] = []
    for place, (value, words) in enumerate(scale.items()):
        patients = set(worst[worst == place].index)
        rows = known[known["USUBJID"].isin(patients) & (known[column] == value)]
        found += _line(context, group, rows, variable=display, category=words)
    ungraded = mine[~mine["USUBJID"].isin(set(worst.index))]
    missing = "Grade missing" if display == "worst_grade" else "Severity missing"
    found += _line(context, group, ungraded, variable=display, category=missing)
    without = group.subjects[~group.subjects["USUBJID"].isin(set(mine["USUBJID"]))]
    return found + context.proportion(
        context.patients(without["USUBJID"]), group, variable=display, category="No adverse event"
    )


def _rates(
    analysis: AdverseEvents, context: Context, group: Group, events: pd.DataFrame, window: AEWindow
) -> list[dict[str, Any]]:
    """Patients with a first event per 100 patient-months at risk, with Garwood's exact limits."""
    from trialpipe.stats.rates import poisson_rate

    spans = at_risk.spans(group.subjects, window, context.protocol)
    mine = context.of(group, events)
    found: list[dict[str, Any]] = []
    for name in RATED:
        if name not in analysis.lines:
            continue
        category = LINES[name].label
        first = at_risk.first_events(mine[LINES[name].chosen(mine).astype(bool)])
        months, notes = at_risk.months(spans, first)
        with_event = first[first["USUBJID"].isin(set(spans["USUBJID"]))]
        # events of a day that is the last at risk, too, have no time to be divided by
        undefined = (float("nan"),) * 3
        rate, lower, upper = poisson_rate(len(with_event), months, analysis.conf_level) if months else undefined
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
    "worst_severity": _worst_severity,
    "rates": _rates,
}
COMPARED: dict[str, Callable[..., Iterator[tuple[pd.DataFrame, dict[str, Any]]]]] = {
    "overview": _overview_lines,
    "soc_pt": _classes,
}
"""Displays whose lines are compared between groups."""
