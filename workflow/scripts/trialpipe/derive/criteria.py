"""Diagnostic criteria and scores at one visit: a row per item and total, with the least and greatest possible value.

A criterion is Y, N or null; a diagnosis is Y if enough criteria are met, N if the unassessed ones cannot make it, else
null. A score is null if an item is undetermined; its range then runs over every band the item may still be in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import CriteriaDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import at_visit, days, rules, windows
from trialpipe.derive.definitions import (
    AS_ASSESSED,
    ASSESSED,
    DIAGNOSIS,
    MET,
    PROBABILITY,
    TABLE,
    Band,
    Definition,
    Diagnosis,
    Item,
    Total,
    definitions,
    named,
)
from trialpipe.derive.rules import Measured, Truth
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.io.contracts import BDS, Column, Contract

CONTRACT: Contract = BDS.with_columns(
    Column("DEFID", "text", "Definition in resources/reference/criteria.yaml", nullable=False),
    Column("AVALLO", "float", "Least possible value"),
    Column("AVALHI", "float", "Greatest possible value"),
    Column("NOTE", "text", "Why undetermined"),
)
_YES_NO = {True: "Y", False: "N", None: None}
_PERCENT = "%"
Known = Mapping[str, tuple[str, tuple[str, ...]]]


class Line(NamedTuple):
    """One row without what all rows of a patient share. ``value`` null: undetermined, between ``low`` and ``high``."""

    code: str
    label: str
    low: float
    high: float
    value: float | None
    text: str | None
    note: str | None = None
    sources: tuple[Measured, ...] = ()
    extra: tuple[tuple[str, object], ...] = ()


class Percent(NamedTuple):
    """A probability read from a table: ``value``, or the percentage it is ``left`` (below) or ``right`` (above) of."""

    value: float
    side: str = "none"

    @property
    def bounds(self) -> tuple[float, float]:
        if self.side == "none":
            return self.value, self.value
        return (0.0, self.value) if self.side == "left" else (self.value, 100.0)


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """Rows of CONTRACT per patient of ADSL and definition.

    A parameter that no input declares leaves its items undetermined (NOTE ``not collected``). Raises DataError for an
    unknown definition or visit, and for a parameter that two inputs declare.
    """
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, CriteriaDataset)
    document = reference.get(TABLE)
    every = definitions(document if isinstance(document, Mapping) else None)
    chosen = named(spec.definitions, every, f"datasets[{dataset}].definitions")
    known = at_visit.declared(spec, protocol, derived["adsl"], every)
    for definition in chosen:
        for rule in definition.rules:
            at_visit.check(rule, f"datasets[{dataset}].inputs", known, absent=True)
    people = {subject.usubjid: subject for subject in subjects(derived["adsl"], protocol)}
    rows: list[dict[str, object]] = []
    for (usubjid, row_id), now in at_visit.values(spec, derived["adsl"], derived).items():
        for definition in chosen:
            for line in lines(definition, now, known):
                rows.append(_row(spec, definition, line, people[usubjid], row_id, protocol))
    return days.frame(rows, CONTRACT)


def lines(definition: Definition, now: Mapping[str, Measured], known: Known) -> list[Line]:
    """Rows of one patient under a definition: items in table order, then totals."""
    items = [_item(definition, item, now, known) for item in definition.items]
    if definition.diagnosis is not None:
        return items + _diagnosis(definition, definition.diagnosis, items, now)
    assert definition.total is not None
    return items + _total(definition, definition.total, items)


def criterion_truth(definition: Definition, code: str, now: Mapping[str, Measured]) -> Truth:
    """Whether a criterion is met by values by parameter."""
    item = next(item for item in definition.items if item.code == code)
    assert item.met is not None
    return rules.truth(item.met, at_visit.facts(now))


def possible_points(bands: Sequence[Band], now: Mapping[str, Measured]) -> tuple[float, ...]:
    """Points of every band an item may be in, from top to bottom; one if it is determined."""
    found: list[float] = []
    for band in bands:
        held = True if band.rule is None else rules.truth(band.rule, at_visit.facts(now))
        if held is not False:
            found.append(band.points)
        if held is True:
            break
    return tuple(found)


def diagnosed(criteria: Sequence[Truth], least: int, alone: Truth) -> Truth:
    """True if ``alone`` or at least ``least`` criteria hold, False if neither can, else unknown."""
    return rules.any_of([alone, rules.at_least(least, criteria)])


def diagnosed_as_assessed(criteria: Sequence[Truth], least: int, alone: Truth) -> bool:
    """The two-valued reading: what was not assessed counts as not met."""
    return alone is True or sum(truth is True for truth in criteria) >= least


def probability(total: float, nodes: Sequence[tuple[float, float]]) -> Percent:
    """Percentage of a total: the table at its nodes, linear on the logit between them, open beyond its ends."""
    if total < nodes[0][0]:
        return Percent(nodes[0][1], "left")
    if total > nodes[-1][0]:
        return Percent(nodes[-1][1], "right")
    for (left, low), (right, high) in zip(nodes, nodes[1:], strict=False):
        if total in (left, right):
            return Percent(low if total == left else high)
        if left < total < right:
            share = (total - left) / (right - left)
            return Percent(100 / (1 + exp(-((1 - share) * _logit(low) + share * _logit(high)))))
    return Percent(nodes[0][1])


def _logit(percent: float) -> float:
    return log(percent / (100 - percent))


def _item(definition: Definition, item: Item, now: Mapping[str, Measured], known: Known) -> Line:
    parts = [item.met] if item.met is not None else [band.rule for band in item.bands if band.rule is not None]
    sources = at_visit.used(parts, now)
    code = definition.code(item.code)
    if item.met is not None:
        return _three_valued(code, item.label, criterion_truth(definition, item.code, now), sources, parts, now, known)
    points = possible_points(item.bands, now)
    low, high = min(points), max(points)
    note = None if low == high else at_visit.unknown(parts, now, known)
    return _number(code, item.label, low, high, note, sources)


def _three_valued(
    code: str,
    label: str,
    truth: Truth,
    sources: tuple[Measured, ...],
    parts: Sequence = (),
    now: Mapping[str, Measured] | None = None,
    known: Known | None = None,
    note: str | None = None,
) -> Line:
    if truth is None and note is None:
        note = at_visit.unknown(parts, now or {}, known or {})
    value = None if truth is None else float(truth)
    return Line(code, label, value or 0.0, 1.0 if value is None else value, value, _YES_NO[truth], note, sources)


def _number(code: str, label: str, low: float, high: float, note: str | None, sources: tuple[Measured, ...]) -> Line:
    value = low if low == high else None
    return Line(code, label, low, high, value, None if value is None else f"{value:g}", note, sources)


def _all(items: Sequence[Line]) -> tuple[Measured, ...]:
    return tuple(dict.fromkeys(source for item in items for source in item.sources))


def _truths(items: Sequence[Line]) -> list[Truth]:
    return [None if item.value is None else item.value == 1 for item in items]


def _diagnosis(
    definition: Definition, rule: Diagnosis, items: Sequence[Line], now: Mapping[str, Measured]
) -> list[Line]:
    truths, sources = _truths(items), _all(items)
    met, assessed = sum(t is True for t in truths), sum(t is not None for t in truths)
    open_, total = len(items) - assessed, len(items)
    alone: Truth = None if rule.alone is None else rules.truth(rule.alone, at_visit.facts(now))
    alone = False if rule.alone is None else alone
    whole = tuple(dict.fromkeys((*sources, *(at_visit.used([rule.alone], now) if rule.alone else ()))))
    why = f"{met} met, {open_} not assessed" + (", molecular diagnosis unknown" if alone is None else "")
    truth = diagnosed(truths, rule.least, alone)
    note = why if truth is None else "molecular diagnosis" if alone is True else None
    either = "" if rule.alone is None else "molecular diagnosis or "
    words = f"{definition.title}: {either}at least {rule.least} of {total}"
    counted = f"{definition.title}: criteria"
    as_assessed = diagnosed_as_assessed(truths, rule.least, alone)
    return [
        Line(definition.code(MET), f"{counted} met", met, met + open_, met, str(met), None, sources),
        _number(definition.code(ASSESSED), f"{counted} assessed", assessed, assessed, None, sources),
        _three_valued(definition.code(DIAGNOSIS), words, truth, whole, note=note),
        _three_valued(definition.code(AS_ASSESSED), f"{words}, not assessed counted as not met", as_assessed, whole),
    ]


def _total(definition: Definition, total: Total, items: Sequence[Line]) -> list[Line]:
    low, high = sum(item.low for item in items), sum(item.high for item in items)
    open_ = [item.code for item in items if item.value is None]
    note = f"undetermined: {', '.join(open_)}" if open_ else None
    sources = _all(items)
    found = [_number(definition.code(total.code), total.label, low, high, note, sources)]
    found.append(_probability(definition.code(PROBABILITY), total, low, high, note, sources))
    for cutoff in total.cutoffs:
        truth = True if low >= cutoff else False if high < cutoff else None
        label = f"{total.label} at least {cutoff}"
        found.append(_three_valued(definition.code(f"GE{cutoff}"), label, truth, sources, note=note))
    return [line if line.value is None else line._replace(note=None) for line in found]


def _probability(
    code: str, total: Total, low: float, high: float, note: str | None, sources: tuple[Measured, ...]
) -> Line:
    least, greatest = probability(low, total.nodes), probability(high, total.nodes)
    label = f"{total.label}, probability of the syndrome"
    bounds = (least.bounds[0], greatest.bounds[1])
    unit = ("AVALU", _PERCENT)
    if least != greatest:
        return Line(code, label, *bounds, None, None, note, sources, (unit,))
    if least.side == "none":
        return Line(code, label, *bounds, least.value, f"{round(least.value, 1):g}", None, sources, (unit,))
    limit, sign = ("LLOQ", "<") if least.side == "left" else ("ULOQ", ">")
    extra = (unit, ("CENS", least.side), (limit, least.value))
    return Line(code, label, *bounds, None, f"{sign}{least.value:g}", None, sources, extra)


def _row(
    spec: CriteriaDataset, definition: Definition, line: Line, subject: Subject, row_id: str, protocol: Protocol
) -> dict[str, object]:
    day, zero = at_visit.latest(line.sources), windows.origin_day(subject, protocol)
    return {
        "row_id": f"{spec.id}:{subject.usubjid}/{definition.id}/{line.code}",
        "USUBJID": subject.usubjid,
        "PARAMCD": line.code,
        "PARAM": line.label,
        "AVAL": None if line.value is None else float(line.value),
        "AVALC": line.text,
        "CENS": "none",
        "ADT": days.date(day),
        "ATIME": None if day is None or zero is None else float(day - zero),
        "AVISIT": spec.visit,
        "ANL01FL": "Y",
        "flags": [],
        "from": list(dict.fromkeys(source.row_id for source in line.sources)) or [row_id],
        "DEFID": definition.id,
        "AVALLO": float(line.low),
        "AVALHI": float(line.high),
        "NOTE": line.note,
        **dict(line.extra),
    }
