"""Captions: what the numbers of a table or figure are, with interval and test as their result rows say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import takewhile
from typing import Any

Row = dict[str, Any]

TABLES = {
    "adverse_events": "Patients with at least one event, n/N (%), and number of events",
    "adverse_events/worst_grade": "Patients by worst grade, n/N (%)",
    "adverse_events/worst_severity": "Patients by worst severity, n/N (%)",
    "adverse_events/rates": "Patients with a first event per 100 patient-months at risk",
    "ancova": "Adjusted means and their differences ({method})",
    "baseline": "Median [Q1, Q3], range (number of patients), or n/N (%)",
    "baseline/factors": "Patients, n/N (%)",
    "baseline/mean": "Mean (SD) above median, range (number of patients), or n/N (%)",
    "categories_by_visit": "Patients by result, n/N (%) of those with a result",
    "cmh": "Patients by result, n/N (%), and Cochran-Mantel-Haenszel tests",
    "cox": "Hazard ratios ({method})",
    "cumulative_incidence": "Cumulative incidence (Aalen-Johansen) up to each day",
    "describe_by_visit": "Number of patients, mean (SD), median, quartiles and range by visit",
    "describe_by_visit/CHG": "Changes from baseline: patients, mean (SD), median, quartiles and range by visit",
    "deviations": "Patients by eligibility criterion, n/N (%)",
    "difference_at_time": "{method} at fixed days",
    "difference_in_proportions": "Patients with success, n/N (%), and difference of proportions",
    "event_time": "Days to the event in patients who had it: median, quartiles and range",
    "fine_gray": "Subdistribution hazard ratios ({method})",
    "first_events": "Patients by the event that came first, n/N (%)",
    "flow": "Number of patients",
    "in_bands": "Patients with a value in the band, n/N (%)",
    "infections": "Patients with a first viral infection, n/N (%)",
    "intercurrent_events": "Patients with the intercurrent event while at risk of the outcome, n/N (%)",
    "kaplan_meier": "Kaplan-Meier estimates: probability without event at each day; quantiles and means in days",
    "length_of_stay": "Patients, n/N (%); median, quartiles and range in days",
    "logrank": "Observed and expected events",
    "mixed_model": "Means of a linear mixed model by visit, their changes and differences (hypothetical)",
    "nosocomial": "Patients with an infection, n/N (%), and episodes",
    "nosocomial/rate": "Patients with a first infection per 1000 patient-days at risk",
    "paired_change": "Pairs of values that rose, fell or cannot be told apart, and median change",
    "planned": "Registered and not computed",
    "populations": "Patients, n/N",
    "proportion": "Patients by state, n/N (%)",
    "responder_time": "Visit day of response in responders: median, quartiles and range",
    "response_by_visit": "Patients by response, n/N (%)",
    "response_incidence": "Cumulative incidence of response up to each visit (Aalen-Johansen)",
    "response_turnbull": "Probability of response between two visits and of no response until then",
    "sparse_area": "Area under the curve of mean values",
    "state_occupation": "Moves between states, and probability of being in each state at each day (Aalen-Johansen)",
    "simon_two_stage/design": "Bounds, expected numbers and exact error rates",
    "simon_two_stage/observed": "Successes among patients treated, n/N (%), and what they lead to",
    "simon_two_stage/estimates": "Estimates of the success probability in per cent",
    "simon_two_stage/unplanned": "Fewest successes that reject, and conditional error",
    "simon_two_stage/alternatives": "Bounds, expected numbers and exact error rates",
    "simon_two_stage/characteristics": "Exact probabilities and expected numbers",
}
"""Analysis kind, or kind/display, to what its table holds; ``{method}`` is the first clause of the rows' method."""

FIGURES = {
    "cumulative_incidence": "Cumulative incidence of {event}, competing events counted (Aalen-Johansen); "
    "below: numbers at risk",
    "describe_by_visit": "Points: median; bars: quartiles (Q1 to Q3)",
    "flow": "Number of patients in each box",
    "kaplan_meier": "Kaplan-Meier estimate; ticks: censored patients; below: numbers at risk",
    "response_by_visit": "Points: patients with the response, in per cent",
    "simon_two_stage": "Left: successes by patients treated, against the bounds; right: exact chances of the design",
}
"""Analysis kind to what its figure shows."""

MARKS = {"kaplan_meier": "band", "response_by_visit": "bars"}
"""How a figure draws its intervals; a kind that is not here draws none."""

NO_ROWS = sha256(b"").hexdigest()[:16]
"""Identity of an empty row set."""

SIDES = {"two-sided": "two-sided ", "greater": "one-sided ", "less": "one-sided "}
CLAUSE = re.compile(r"[,;:] (?![^(]*\))|(?<=interval) and ")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
INTERVAL = re.compile(r"^(?:p-value and )?interval of | intervals?\b")
NAMES = (
    "Kaplan-Meier",
    "Wald",
    "Gray's",
    "Wilcoxon",
    "Koyama",
    "Fleming-Harrington",
    "Fisher's",
    "Pearson's",
    "Kruskal-Wallis",
    "Clopper-Pearson",
    "Brookmeyer-Crowley",
)
LONG_ASIDE = re.compile(r" \([^)]{24,}\)")


def table_caption(kind: str, rows: Iterable[Row], populations: Mapping[str, str], by: str | None = None) -> str:
    """Caption of the table of ``rows``, all of one analysis and display.

    ``populations``: id to label; ``by``: label of the variable that makes the groups.
    """
    rows = list(rows)
    display = rows[0]["variable"] if rows else None
    if kind.startswith("baseline") and not any(row["statistic"] == "median" for row in rows):
        kind = "baseline/factors"
    what = TABLES.get(f"{kind}/{display}") or TABLES.get(kind) or kind.replace("_", " ").capitalize()
    first = next((CLAUSE.split(row["method"])[0] for row in rows if row["method"]), "")
    what = what.replace("{method}", first)
    said = [f"{what}, by {_small(by)}" if by and len({row["group"] for row in rows}) > 1 else what]
    return _sentence([*said, *intervals(rows), *tests(rows)], rows, populations)


def figure_caption(
    kind: str,
    rows: Iterable[Row],
    populations: Mapping[str, str],
    words: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """Caption of the figure that shows ``rows``; an interval is named only where the figure draws it.

    ``words``: labels of codes by (dimension, code), as tables have them.
    """
    rows = list(rows)
    events = dict.fromkeys(str(row["category"]) for row in rows if row["category"] is not None)
    named = [_small((words or {}).get(("category", event), event)) for event in events]
    what = FIGURES[kind].replace(
        "{event}", " and ".join(filter(None, [", ".join(named[:-1]), *named[-1:]])) or "events"
    )
    drawn = [f"{MARKS[kind]}: {text}" for text in intervals(rows)] if kind in MARKS else []
    return _sentence([what, *drawn], rows, populations)


def intervals(rows: Iterable[Row]) -> list[str]:
    """``95 % CI (log-log)``: level and method of the intervals among the rows, a text per level.

    Where several methods give intervals, each is named: ``95 % CI (Kaplan-Meier: log-log; restricted mean: normal)``.
    """
    found: dict[float, list[str]] = {}
    for row in rows:
        if row["statistic"] == "lower" and row["conf_level"] is not None:
            methods = found.setdefault(row["conf_level"], [])
            if row["method"] not in methods:
                methods.append(row["method"])
    return [f"{100 * level:g} % CI ({_kinds(methods)})" for level, methods in found.items()]


def tests(rows: Iterable[Row]) -> list[str]:
    """``two-sided p: Gray's test``: side and names of the tests among the rows, a text per side."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["statistic"] == "p":
            names = found.setdefault(f"{SIDES.get(row['alternative'], '')}p", [])
            name = _test(row["method"] or "")
            if name and name not in names:
                names.append(name)
    return [f"{side}: {', '.join(names)}" if names else side for side, names in found.items()]


def _kinds(methods: list[str]) -> str:
    """Kinds of interval in the words of the methods."""
    named = []
    for method in methods:
        clauses = CLAUSE.split(LONG_ASIDE.sub("", method or ""))
        of = next((clause for clause in clauses if "interval" in clause), "")
        kind = INTERVAL.sub("", of).strip().replace(" (", ", ").replace(")", "") or "normal"
        kind = f"exact, {kind}" if kind.startswith("Clopper-Pearson") else kind
        known = len(methods) == 1 or of == clauses[0] or kind.startswith(NAMES)
        named.append(kind if known else f"{_small(clauses[0])}: {kind}")
    return "; ".join(dict.fromkeys(named))


def _test(method: str) -> str:
    """The test that a method names."""
    clauses = CLAUSE.split(LONG_ASIDE.sub("", method))
    for place, clause in enumerate(clauses, start=1):
        if re.search(r"\btest\b|^p-value", clause):
            # names of further strata
            more = takewhile(VARIABLE.fullmatch, clauses[place:])
            return ", ".join([_small(INTERVAL.sub("", clause.split(" that ")[0]).strip()), *more])
    return "Wald test" if "Wald" in method else ""


def _sentence(said: list[str], rows: list[Row], populations: Mapping[str, str]) -> str:
    # a row without rows behind it (a design's error rate) is of no population
    of = [row["population"] for row in rows if row["rowset"] != NO_ROWS]
    sets = list(dict.fromkeys(populations.get(name, name) for name in of))
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}. {'; '.join(sets)}." if sets else f"{text[0].upper()}{text[1:]}."


def _small(text: str) -> str:
    """A phrase inside a sentence: a capital becomes small, unless a name begins with it."""
    return text if text.split(" ")[0] in NAMES or not text[1:2].islower() else text[0].lower() + text[1:]
