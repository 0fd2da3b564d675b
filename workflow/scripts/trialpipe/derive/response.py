"""ADRS: response per visit under each named rule-set.

A visit is assessed if an item of the rule-set was measured in its window; the day of the assessment is that of the
latest such item. Each item counts with the value its window gives it, if that is at most ``max_age`` days older than
the assessment, else with the last value of those days that is after the first dose. A visit without assessment is
``dead`` if the patient died by the end of its window, ``conditioned`` if ``carried_after`` began by then (the last
determined assessment is carried), ``not_reached`` if the window ends after the cut-off, else ``not_evaluable``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import FindingsDataset, ResponseDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol, VisitSet
from trialpipe.derive import days, rules, support, windows
from trialpipe.derive.errors import config_error
from trialpipe.derive.milestones import DEATH, cutoff_day
from trialpipe.derive.rules import Facts, Measured, RuleSet, Truth
from trialpipe.derive.subjects import Moment, Subject, subjects
from trialpipe.derive.windows import Place, Point
from trialpipe.io.contracts import ADRS

OVERALL = "OVRLRESP"
ASSESSED, NOT_EVALUABLE, CONDITIONED, DEAD, NOT_REACHED = (
    "assessed",
    "not_evaluable",
    "conditioned",
    "dead",
    "not_reached",
)
_WORDS = {True: "true", False: "false", None: "unknown"}
Values = dict[str, dict[Point, Measured]]


class Line(NamedTuple):
    """One row of ADRS without what all rows of a visit share."""

    code: str
    label: str
    text: str
    aval: float | None = None
    note: str | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assessment:
    status: str
    day: int | None
    lines: tuple[Line, ...]
    carried: bool = False


@dataclass(frozen=True)
class _Spec:
    """What the assessment of any patient needs."""

    protocol: Protocol
    visits: VisitSet
    max_age: int
    carried_after: str | None
    cutoff: int


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADRS: per patient with the trial's origin, rule-set and visit: OVRLRESP, a row per level, a row per item.

    A level's row tells whether that level *or a better one* is met. Raises DataError for an unknown rule-set or a
    parameter that two inputs declare.
    """
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, ResponseDataset)
    document = reference.get(rules.TABLE)
    known = rules.rule_sets(document if isinstance(document, Mapping) else None)
    sets = [_named(known, name, _declared(spec, protocol)) for name in spec.rule_sets]
    cutoff = cutoff_day(protocol)
    shared = _Spec(protocol, windows.visit_set(protocol, spec.visits), spec.max_age, spec.carried_after, cutoff)
    values, baselines = _measured(derived[name] for name in spec.inputs)
    given = support.courses((clean[name] for name in spec.domains), cutoff) if spec.domains else None
    rows: list[dict[str, object]] = []
    for subject in subjects(derived["adsl"], protocol):
        if subject.moment(protocol.time.origin) is None:
            continue
        medication = support.free_of(None if given is None else given.get(subject.usubjid, []))
        base = baselines.get(subject.usubjid, {})
        own = values.get(subject.usubjid, {})
        for rule_set in sets:
            for place, found in assess(subject, rule_set, own, base, medication, shared):
                rows += _rows(dataset, subject, rule_set, place, found, protocol)
    return days.frame(rows, ADRS)


def _declared(spec: ResponseDataset, protocol: Protocol) -> set[str]:
    """Parameters of the inputs, each declared once."""
    codes: dict[str, str] = {}
    for entry in protocol.datasets:
        if entry.id in spec.inputs and isinstance(entry, FindingsDataset):
            for parameter in entry.parameters:
                if parameter.code in codes:
                    message = f"is a parameter of {codes[parameter.code]} and of {entry.id}"
                    raise config_error(f"datasets[{spec.id}].inputs", parameter.code, message, "give one another code")
                codes[parameter.code] = entry.id
    return set(codes)


def _named(known: Mapping[str, RuleSet], name: str, declared: set[str]) -> RuleSet:
    if name not in known:
        raise config_error("rule_sets", name, f"is not in {rules.TABLE}", f"use one of {', '.join(known)}")
    return rules.collected(known[name], declared)


def _measured(frames: Iterable[pd.DataFrame]) -> tuple[dict[str, Values], dict[str, dict[str, Measured]]]:
    """Dated values by patient and parameter, each source record once, and the baseline values."""
    values: dict[str, Values] = {}
    baselines: dict[str, dict[str, Measured]] = {}
    for frame in frames:
        ordered = frame.sort_values("row_id", kind="stable")
        dated = days.days(ordered["ADT"])
        times = [None if pd.isna(t) else t.strftime("%H:%M") for t in pd.to_datetime(ordered["ADTM"])]
        number = {c: days.numbers(days.column(ordered, c)) for c in ("AVAL", "LLOQ", "ULOQ", "ANRHI")}
        for i, row in enumerate(ordered[["USUBJID", "PARAMCD", "row_id", "AVALC", "CENS", "ABLFL", "from"]].values):
            usubjid, code, row_id, text, censored, baseline, source = row
            day = dated[i]
            if day is None:
                continue
            below = number["LLOQ"][i] if censored == "left" else None
            above = number["ULOQ"][i] if censored == "right" else None
            measured = Measured(day, row_id, number["AVAL"][i], text, below, above, number["ANRHI"][i])
            # a record that stands for two visits has one source: the first row stands for it
            point = Point(day, times[i], "|".join(source))
            values.setdefault(usubjid, {}).setdefault(code, {}).setdefault(point, measured)
            if baseline == "Y":
                baselines.setdefault(usubjid, {})[code] = measured
    return values, baselines


def assess(
    subject: Subject,
    rule_set: RuleSet,
    values: Values,
    base: Mapping[str, Measured],
    medication: Callable[[Sequence[str], int, int], Truth],
    spec: _Spec,
) -> list[tuple[Place | str, Assessment]]:
    """Assessments of one patient in protocol order; a visit that cannot be dated is given by its label."""
    origin = subject.moment(spec.protocol.time.origin)
    visits = [v for v in spec.visits.visits if not v.baseline]
    if origin is None or not origin.exact:
        blank = Assessment(NOT_EVALUABLE, None, _blank(rule_set, "NE", "unknown", "date of the origin unknown"))
        return [(v.label, blank) for v in visits if v.anchor is None]
    own = {code: values.get(code, {}) for code in rules.parameters(rule_set)}
    chosen = _choose(subject, own, spec)
    result: list[tuple[Place | str, Assessment]] = []
    last: Assessment | None = None
    for place in windows.places(subject, spec.visits, spec.protocol):
        if place.visit.baseline:
            continue
        here = chosen.get(place.visit.label, {})
        if here:
            now, day = _current(here, own, origin, subject, place, spec)
            facts = Facts(now, base, medication)
            found = _assessed(rule_set, facts, day)
            last = found if found.status == ASSESSED and not place.anchored else last
        else:
            found = _unassessed(rule_set, subject, place, last, spec)
        result.append((place, found))
    return result


def _choose(subject: Subject, own: Values, spec: _Spec) -> dict[str, dict[str, Point]]:
    """The value each parameter has in each visit window: visit label -> parameter -> point."""
    dose = subject.moment(spec.protocol.time.origin)
    found: dict[str, dict[str, list[Point]]] = {}
    for code, points in own.items():
        ordered = sorted(points, key=windows.moment)
        for point, held in zip(ordered, windows.assign(ordered, subject, spec.visits, spec.protocol), strict=True):
            for place in held:
                found.setdefault(place.visit.label, {}).setdefault(code, []).append(point)
    start = spec.protocol.time.day_start
    return {
        place.visit.label: {
            code: windows.pick(points, place, dose, start) for code, points in found[place.visit.label].items()
        }
        for place in windows.places(subject, spec.visits, spec.protocol)
        if place.visit.label in found
    }


def _current(
    here: Mapping[str, Point], own: Values, origin: Moment, subject: Subject, place: Place, spec: _Spec
) -> tuple[dict[str, Measured], int]:
    """Values that count at a visit by parameter, none older than ``max_age``, and the day of the assessment."""
    day = max(point.day for point in here.values())
    limit = None if place.anchored else windows.stop(subject, spec.visits)
    now: dict[str, Measured] = {}
    for code, points in own.items():
        point = here.get(code)
        if point is None or day - point.day > spec.max_age:
            recent = [
                p
                for p in points
                if 0 <= day - p.day <= spec.max_age and not windows.before_dose(p, origin) and windows.before(p, limit)
            ]
            point = max(recent, key=windows.moment, default=None)
        if point is not None:
            now[code] = points[point]
    return now, day


def _assessed(rule_set: RuleSet, facts: Facts, day: int) -> Assessment:
    own: list[Truth] = [rules.level_truth(rule_set, level, facts) for level in rule_set.levels]
    items = [_item_line(rule_set, code, facts) for code in rule_set.items]
    notes = [f"{line.code} {line.note}" for line in items if line.note is not None]
    sources = tuple(dict.fromkeys(source for line in items for source in line.sources))
    levels = []
    for place, level in enumerate(rule_set.levels):
        note = None
        if level.needs:
            possible, certain = rules.attainable(rule_set, level, facts)
            note = None if possible else f"not attainable: {certain} of {level.needs} items abnormal at baseline"
        text = _WORDS[rules.any_of(own[: place + 1])]
        levels.append(Line(level.code, f"{level.label} or better", text, None, note, sources))
    notes += [f"{line.code} {line.note}" for line in levels if line.note is not None]
    met = [level.code for level, truth in zip(rule_set.levels, own, strict=True) if truth is True]
    overall = met[0] if met else "NE" if None in own else "NR"
    head = Line(OVERALL, _overall(rule_set), overall, None, days.joined(notes), sources)
    status = NOT_EVALUABLE if overall == "NE" else ASSESSED
    return Assessment(status, day, (head, *levels, *items))


def _overall(rule_set: RuleSet) -> str:
    return f"Overall response, {rule_set.id} version {rule_set.version}"


def _item_line(rule_set: RuleSet, code: str, facts: Facts) -> Line:
    item = rule_set.items[code]
    value, base = facts.visit.get(item.parameter), facts.baseline.get(item.parameter)
    truth = rules.item_truth(rule_set, code, facts)
    note = None
    if truth is None:
        note = "missing" if value is None else "undetermined"
    sources = tuple(measured.row_id for measured in (value, base) if measured is not None)
    return Line(code, item.label, _WORDS[truth], value.number if value is not None else None, note, sources)


def _unassessed(rule_set: RuleSet, subject: Subject, place: Place, last: Assessment | None, spec: _Spec) -> Assessment:
    death = subject.moment(DEATH)
    if death is not None and _first_day(death) <= place.high:
        return Assessment(DEAD, None, _blank(rule_set, "DEAD", "false", "dead"))
    conditioning = subject.moment(spec.carried_after) if spec.carried_after and not place.anchored else None
    if conditioning is not None and _first_day(conditioning) <= place.high:
        if last is not None:
            return Assessment(CONDITIONED, last.day, last.lines, carried=True)
        note = f"no assessment before {spec.carried_after}"
        return Assessment(CONDITIONED, None, _blank(rule_set, "NE", "unknown", note))
    if place.high > spec.cutoff:
        return Assessment(NOT_REACHED, None, _blank(rule_set, "NE", "unknown", "visit after the data cut-off"))
    return Assessment(NOT_EVALUABLE, None, _blank(rule_set, "NE", "unknown", "no assessment in the window"))


def _first_day(moment: Moment) -> int:
    return moment.high if moment.low is None else moment.low


def _blank(rule_set: RuleSet, overall: str, level: str, note: str) -> tuple[Line, ...]:
    """Lines of a visit without values: items are unknown."""
    return (
        Line(OVERALL, _overall(rule_set), overall, None, note),
        *(Line(v.code, f"{v.label} or better", level, None, note) for v in rule_set.levels),
        *(Line(item.code, item.label, "unknown", None, note) for item in rule_set.items.values()),
    )


def _rows(
    dataset: str, subject: Subject, rule_set: RuleSet, place: Place | str, found: Assessment, protocol: Protocol
) -> Sequence[dict[str, object]]:
    visit = place if isinstance(place, str) else place.visit.label
    zero = windows.origin_day(subject, protocol)
    time = None if found.day is None or zero is None else float(found.day - zero)
    return [
        {
            "row_id": f"{dataset}:{subject.usubjid}/{rule_set.id}/{line.code}/{visit}",
            "USUBJID": subject.usubjid,
            "RULESET": rule_set.id,
            "PARAMCD": line.code,
            "PARAM": line.label,
            "AVISIT": visit,
            "AVALC": line.text,
            "AVAL": line.aval,
            "ADT": days.date(found.day),
            "ATIME": time,
            "CARRIED": "Y" if found.carried else None,
            "STATUS": found.status,
            "NOTE": line.note,
            "from": list(line.sources) or [subject.row_id],
        }
        for line in found.lines
    ]
