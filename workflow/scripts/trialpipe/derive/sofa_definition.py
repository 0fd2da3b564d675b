"""The organ failure score as data: ``resources/reference/sofa.yaml``, where the form is described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trialpipe.config.yaml_strict import load
from trialpipe.derive import rules
from trialpipe.derive.definitions import Band, Rule
from trialpipe.derive.errors import config_error
from trialpipe.derive.rules import Facts, Measured
from trialpipe.io.reference import REFERENCE

TABLE = "sofa.yaml"
Values = Mapping[str, Measured]


@dataclass(frozen=True)
class Unit:
    """A value in this unit times ``factor`` is a value of ``parameter``."""

    parameter: str
    factor: float


@dataclass(frozen=True)
class Measure:
    """What a trial delivers: a number in one of ``units``, or a text of parameter ``text``."""

    code: str
    units: Mapping[str, Unit]
    text: str | None


@dataclass(frozen=True)
class Ratio:
    parameter: str
    numerator: str
    denominator: str
    flag: str


@dataclass(frozen=True)
class Unless:
    """``measures`` do not count where ``flag`` is ``value``; ``instead`` is the measure to use."""

    flag: str
    value: str
    measures: tuple[str, ...]
    instead: str


@dataclass(frozen=True)
class Rates:
    codes: tuple[str, ...]
    noted: tuple[str, ...]
    units: Mapping[str, float]
    per_weight: Mapping[str, float]
    salts: Mapping[str, float]
    salted: tuple[str, ...]
    weight: str
    min_minutes: int


@dataclass(frozen=True)
class Component:
    """One organ. ``zero_on_ward``: 0 after live discharge from intensive care, else the last of ``carried``."""

    code: str
    label: str
    observed_by: tuple[str, ...]
    bands: tuple[Band, ...]
    zero_on_ward: bool
    carried: tuple[str, ...]


@dataclass(frozen=True)
class Total:
    """``missing``: points of a missing component, None: no total, ``observed``: no total unless all are observed."""

    code: str
    label: str
    missing: float | str | None
    dead: float | None


@dataclass(frozen=True)
class Score:
    id: str
    version: str
    measures: Mapping[str, Measure]
    ratio: Ratio
    unless: Unless
    rates: Rates
    switches: Mapping[str, str]
    components: tuple[Component, ...]
    totals: tuple[Total, ...]
    within_hours: int
    last_hours: int
    baseline: float


def scores(document: Mapping[str, Any] | None = None) -> dict[str, Score]:
    """Scores by id, from the reference table or a document of its form. Raises DataError for a malformed rule."""
    data = load(REFERENCE / TABLE, TABLE).data if document is None else document
    return {entry["id"]: _score(entry) for entry in data["definitions"]}


def named(name: str, document: Mapping[str, Any] | None, item: str) -> Score:
    """The score ``name``. Raises DataError if the table has none."""
    known = scores(document)
    if name not in known:
        raise config_error(item, name, f"is not in {TABLE}", f"use one of {', '.join(known)}")
    return known[name]


def points(component: Component, values: Values) -> float | None:
    """Points of one observation; None if it tells nothing about the organ.

    The first band whose rule holds counts; what the observation does not hold makes no rule hold. Without a band above
    the last one, it is an observation only if it holds a parameter of ``observed_by``.
    """
    facts = Facts(values, {}, lambda terms, length, day: None)
    for band in component.bands:
        if band.rule is not None and rules.truth(band.rule, facts) is True:
            return band.points
    observed = any(name in values for name in component.observed_by)
    return component.bands[-1].points if observed else None


def parameters(component: Component) -> set[str]:
    """Every parameter an organ's score reads."""
    found = set(component.observed_by)
    for band in component.bands:
        if band.rule is not None:
            found |= {node["parameter"] for node in rules.comparisons(band.rule)}
    return found


def _score(entry: Mapping[str, Any]) -> Score:
    fill = entry["fill"]
    return Score(
        entry["id"],
        entry["version"],
        {item["code"]: _measure(item) for item in entry["measures"]},
        Ratio(*(entry["ratio"][key] for key in ("parameter", "numerator", "denominator", "with"))),
        _unless(entry["unless"]),
        _rates(entry["rates"]),
        dict(entry["switches"]),
        tuple(_component(item) for item in entry["components"]),
        tuple(_total(item) for item in entry["totals"]),
        int(fill["within_hours"]),
        int(fill["last_hours"]),
        float(fill["baseline"]),
    )


def _measure(entry: Mapping[str, Any]) -> Measure:
    units = {
        unit: Unit(given["parameter"], float(given.get("factor", 1))) for unit, given in entry.get("units", {}).items()
    }
    return Measure(entry["code"], units, entry.get("texts"))


def _unless(entry: Mapping[str, Any]) -> Unless:
    return Unless(entry["flag"], entry["value"], tuple(entry["measures"]), entry["instead"])


def _rates(entry: Mapping[str, Any]) -> Rates:
    def numbers(name: str) -> dict[str, float]:
        return {key: float(value) for key, value in entry[name].items()}

    return Rates(
        tuple(entry["codes"]),
        tuple(entry["noted"]),
        numbers("units"),
        numbers("per_weight"),
        numbers("salts"),
        tuple(entry["salted"]),
        entry["weight"],
        int(entry["min_minutes"]),
    )


def _component(entry: Mapping[str, Any]) -> Component:
    bands = tuple(Band(float(band["points"]), _checked(band.get("rule"))) for band in entry["bands"])
    observed = tuple(entry["observed_by"])
    carried = tuple(entry.get("carried", observed))
    return Component(entry["code"], entry["label"], observed, bands, entry["ward"] == "zero", carried)


def _checked(rule: Rule | None) -> Rule | None:
    if rule is not None:
        rules.comparisons(rule)
    return rule


def _total(entry: Mapping[str, Any]) -> Total:
    given = entry.get("missing")
    missing = None if given is None else given if given == "observed" else float(given)
    dead = entry.get("dead")
    return Total(entry["code"], entry["label"], missing, None if dead is None else float(dead))
