"""Grading systems of graft-versus-host disease, read from ``resources/reference/gvhd.yaml``, which tells their form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from trialpipe.config.yaml_strict import load
from trialpipe.derive import rules
from trialpipe.derive.definitions import Band, Rule
from trialpipe.io.errors import DataError
from trialpipe.io.reference import REFERENCE

TABLE = "gvhd.yaml"
MEASURES, INVESTIGATOR, BOTH = "measures", "investigator", "both"


@dataclass(frozen=True)
class Source:
    """One way to a stage: test ``value`` is it, else ``bands`` tell. Needs ``needs``, and ``when`` to hold."""

    by: str
    needs: tuple[str, ...]
    when: Rule | None
    value: str | None
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class Organ:
    code: str
    label: str
    greatest: int
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Event:
    code: str
    label: str
    rule: Rule


@dataclass(frozen=True)
class System:
    """``labels``: printed grade by points; ``maximum``: (code, label) of the greatest grade."""

    id: str
    code: str
    family: str
    version: str
    title: str
    organs: tuple[Organ, ...]
    grades: tuple[Band, ...]
    labels: Mapping[int, str]
    none_if: Rule | None
    some_if: Rule | None
    events: tuple[Event, ...]
    maximum: tuple[str, str]

    @property
    def parameters(self) -> dict[str, str]:
        """PARAMCD to label of every row the system makes, in order."""
        found = {organ.code: f"{organ.label}, {self.title}" for organ in self.organs}
        found[self.code] = self.title
        found |= {event.code: event.label for event in self.events}
        return found | dict([self.maximum])

    @property
    def read(self) -> set[str]:
        """Tests and variables that decide stages, grade and events."""
        given = [rule for rule in (self.none_if, self.some_if, *(event.rule for event in self.events)) if rule]
        names: set[str] = set()
        for source in (source for organ in self.organs for source in organ.sources):
            names |= {*source.needs, *([source.value] if source.value else [])}
            given += [rule for rule in (source.when, *(band.rule for band in source.bands)) if rule]
        names |= {node["parameter"] for rule in given for node in rules.comparisons(rule)}
        return names - {self.code}


@dataclass(frozen=True)
class Tables:
    """``tests`` by family; ``units``: parameter by test and unit; ``computed``: (code, numerator, denominator)."""

    tests: Mapping[str, tuple[str, ...]]
    units: Mapping[str, Mapping[str, str]]
    computed: tuple[tuple[str, str, str], ...]
    least: tuple[str, ...]
    systems: Mapping[str, System]

    def read(self, systems: Sequence[System]) -> set[str]:
        """Tests (as in the domain) and ADSL variables these systems read."""
        names = set().union(*(system.read for system in systems))
        names |= {part for code, *parts in self.computed if code in names for part in parts}
        return names | {test for test, units in self.units.items() if names & set(units.values())}


def tables(document: Mapping[str, Any] | None = None) -> Tables:
    """The reference table, or a document of its form. Raises DataError for a malformed rule."""
    data = load(REFERENCE / TABLE, TABLE).data if document is None else document
    systems = {entry["id"]: _system(entry) for entry in data["systems"]}
    return Tables(
        {family: tuple(tests) for family, tests in data["tests"].items()},
        data.get("units", {}),
        tuple((entry["code"], entry["divide"], entry["by"]) for entry in data.get("computed", ())),
        tuple(data.get("least", ())),
        systems,
    )


def named(names: tuple[str, ...], known: Mapping[str, System], item: str) -> list[System]:
    """Systems a dataset asks for, in its order. Raises DataError for an unknown one, with the nearest."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, list(known), n=1, cutoff=0.0)
            message, cure = f"is not in {TABLE}", f"the nearest is {near[0]}; there are {', '.join(known)}"
            raise DataError("protocol.yaml", None, item, name, message, cure)
    return [known[name] for name in names]


def _system(entry: Mapping[str, Any]) -> System:
    grades = _bands(entry["grades"])
    events = tuple(Event(event["code"], event["label"], event["rule"]) for event in entry["events"])
    for event in events:
        rules.comparisons(event.rule)
    return System(
        entry["id"],
        entry["code"],
        entry["family"],
        entry["version"],
        entry["title"],
        tuple(_organ(organ) for organ in entry["organs"]),
        grades,
        {int(band["points"]): band["label"] for band in entry["grades"]},
        entry.get("none_if"),
        entry.get("some_if"),
        events,
        (entry["maximum"]["code"], entry["maximum"]["label"]),
    )


def _organ(entry: Mapping[str, Any]) -> Organ:
    return Organ(
        entry["code"], entry["label"], int(entry["greatest"]), tuple(_source(source) for source in entry["sources"])
    )


def _source(entry: Mapping[str, Any]) -> Source:
    if entry["by"] not in (MEASURES, INVESTIGATOR, BOTH):
        raise DataError(TABLE, None, "by", entry["by"], "is no kind of source", "use measures, investigator or both")
    return Source(
        entry["by"], tuple(entry["needs"]), entry.get("when"), entry.get("value"), _bands(entry.get("points", ()))
    )


def _bands(entries: Sequence[Mapping[str, Any]]) -> tuple[Band, ...]:
    """Bands from top to bottom, each rule checked."""
    for entry in entries:
        if "rule" in entry:
            rules.comparisons(entry["rule"])
    return tuple(Band(float(entry["points"]), entry.get("rule")) for entry in entries)
