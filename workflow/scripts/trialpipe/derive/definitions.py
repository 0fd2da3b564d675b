"""Diagnostic criteria and scores, read from ``resources/reference/criteria.yaml``, where their form is described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from trialpipe.config.yaml_strict import load
from trialpipe.derive import rules
from trialpipe.io.errors import DataError
from trialpipe.io.reference import REFERENCE

TABLE = "criteria.yaml"
MET, ASSESSED, DIAGNOSIS, AS_ASSESSED, PROBABILITY = "NMET", "NASS", "DIAG", "DIAGA", "PROB"
Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Band:
    """Points that count if the rule holds; the last band of an item has no rule."""

    points: float
    rule: Rule | None


@dataclass(frozen=True)
class Item:
    """A criterion (``met``) or an item of a score (``bands``)."""

    code: str
    label: str
    met: Rule | None
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class Diagnosis:
    least: int
    alone: Rule | None


@dataclass(frozen=True)
class Total:
    """``nodes``: (total, percent), ascending."""

    code: str
    label: str
    cutoffs: tuple[int, ...]
    nodes: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Definition:
    """Codes of items are without prefix; exactly one of ``diagnosis`` and ``total`` is given."""

    id: str
    prefix: str
    version: str
    title: str
    items: tuple[Item, ...]
    diagnosis: Diagnosis | None
    total: Total | None

    def code(self, own: str) -> str:
        """PARAMCD of one of the definition's rows."""
        return f"{self.prefix}{own}"

    @property
    def rules(self) -> list[Rule]:
        """Every rule of the definition."""
        found = [item.met for item in self.items] + [band.rule for item in self.items for band in item.bands]
        found.append(self.diagnosis.alone if self.diagnosis else None)
        return [rule for rule in found if rule is not None]

    @property
    def parameters(self) -> dict[str, str]:
        """PARAMCD to ``text`` (Y or N) or ``number``, in the order of rows."""
        found = {self.code(item.code): "text" if item.met is not None else "number" for item in self.items}
        if self.diagnosis is not None:
            found |= {self.code(own): "number" for own in (MET, ASSESSED)}
            found |= {self.code(own): "text" for own in (DIAGNOSIS, AS_ASSESSED)}
        if self.total is not None:
            found |= {self.code(own): "number" for own in (self.total.code, PROBABILITY)}
            found |= {self.code(f"GE{cutoff}"): "text" for cutoff in self.total.cutoffs}
        return found


def definitions(document: Mapping[str, Any] | None = None) -> dict[str, Definition]:
    """Definitions by id, from the reference table or a document of its form. Raises DataError for a malformed rule."""
    data = load(REFERENCE / TABLE, TABLE).data if document is None else document
    entries = {entry["id"]: entry for entry in data["definitions"]}
    found = {name: _definition(entry, entries) for name, entry in entries.items()}
    for definition in found.values():
        for rule in definition.rules:
            try:
                rules.comparisons(rule)
            except DataError as error:
                raise DataError(TABLE, None, definition.id, error.value, error.message, error.cure) from None
    return found


def named(names: tuple[str, ...], known: Mapping[str, Definition], item: str) -> list[Definition]:
    """Definitions a dataset asks for, in its order. Raises DataError for an unknown one, with the nearest."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, list(known), n=1, cutoff=0.0)
            message, cure = f"is not in {TABLE}", f"the nearest is {near[0]}; there are {', '.join(known)}"
            raise DataError("protocol.yaml", None, item, name, message, cure)
    return [known[name] for name in names]


def _definition(entry: Mapping[str, Any], entries: Mapping[str, Any]) -> Definition:
    base = entries[entry["based_on"]] if "based_on" in entry else {}
    whole = {**base, **entry}
    own = {item["code"]: item for item in entry.get("items", ())}
    given = [own.get(item["code"], item) for item in base.get("items", entry["items"])]
    return Definition(
        whole["id"],
        whole["prefix"],
        whole["version"],
        whole["title"],
        tuple(_item(item) for item in given),
        _diagnosis(whole.get("diagnosis")),
        _total(whole.get("total")),
    )


def _item(entry: Mapping[str, Any]) -> Item:
    bands = tuple(Band(float(band["points"]), band.get("rule")) for band in entry.get("points", ()))
    return Item(entry["code"], entry["label"], entry.get("met"), bands)


def _diagnosis(entry: Mapping[str, Any] | None) -> Diagnosis | None:
    return None if entry is None else Diagnosis(int(entry["least"]), entry.get("or"))


def _total(entry: Mapping[str, Any] | None) -> Total | None:
    if entry is None:
        return None
    nodes = tuple((float(node["total"]), float(node["percent"])) for node in entry["probability"])
    return Total(entry["code"], entry["label"], tuple(int(c) for c in entry["cutoffs"]), nodes)
