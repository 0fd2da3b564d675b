"""Result rows: identity, canonical text and the records behind each number."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from trialpipe.analyse import formats
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.io.contracts import RESULTS, ROWSETS

DENOMINATOR = "denominator"
_ANALYSIS_VARIABLES = ("AVAL", "CHG")


class Behind(NamedTuple):
    """Records behind a number: the ``row_id`` values of rows of one dataset."""

    dataset: str
    keys: tuple[str, ...]


def behind(dataset: str, frame: pd.DataFrame) -> Behind:
    """The rows of a frame of a dataset."""
    return Behind(dataset, tuple(frame["row_id"]))


Roles = Mapping[str, Behind]
Triple = tuple[str, str, str]


def rowset_id(triples: Iterable[Triple]) -> str:
    """Content id of a set of (dataset, row_key, role): first 16 hex digits of the sha256 of its sorted lines."""
    text = "\n".join("\t".join(triple) for triple in sorted(set(triples)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


NOTHING = rowset_id(())
"""Row set of a number with no record behind it (an empty analysis set, a method that is not implemented)."""


class Store:
    """Row sets by content id, each once, and the cell ids that are taken."""

    def __init__(self) -> None:
        self.sets: dict[str, tuple[Triple, ...]] = {}
        self._memory: dict[tuple[tuple[str, Behind], ...], str] = {}
        self._cells: dict[str, dict[tuple[object, ...], str]] = {}

    def rowset(self, roles: Roles) -> str:
        """Content id of the rows of ``roles``, stored at the first call."""
        key = tuple(sorted(roles.items()))
        if key not in self._memory:
            triples = {(rows.dataset, row, role) for role, rows in roles.items() for row in rows.keys}
            found = rowset_id(triples)
            self.sets.setdefault(found, tuple(sorted(triples)))
            self._memory[key] = found
        return self._memory[key]

    def cell_id(self, wanted: str, identity: tuple[object, ...]) -> str:
        """``wanted``, with a number for every further identity whose text gives the same slug (< 5 and > 5)."""
        taken = self._cells.setdefault(wanted, {})
        if identity not in taken:
            taken[identity] = wanted if not taken else f"{wanted}+{len(taken) + 1}"
        return taken[identity]

    def frame(self) -> pd.DataFrame:
        """All row sets under the contract ROWSETS."""
        found = [(name, *triple) for name, triples in sorted(self.sets.items()) for triple in triples]
        return pd.DataFrame(found, columns=[c.name for c in ROWSETS.columns], dtype="object")


class Place(NamedTuple):
    """Where a cell stands: the columns of the analysis table that identify it."""

    trial: str
    outcome: str
    analysis: str
    scenario: str
    population: str
    group: str = "Overall"
    comparator: str | None = None
    stratum: str | None = None
    term: str | None = None
    parameter: str | None = None
    variable: str | None = None
    category: str | None = None
    visit: str | None = None
    base_visit: str | None = None
    time: float | None = None

    def slug(self) -> str:
        """Identity without the statistic. An ADSL variable or a display stands where a parameter would."""
        named = self.variable if self.variable not in _ANALYSIS_VARIABLES else None
        parts = [
            self.outcome,
            self.analysis,
            self.scenario,
            self.population,
            self.group,
            f"vs-{self.comparator}" if self.comparator else None,
            self.stratum,
            self.term,
            self.parameter or named,
            self.category,
            self.visit,
            f"from-{self.base_visit}" if self.base_visit else None,
            None if self.time is None else f"t{self.time:g}",
        ]
        return "/".join(slug(part) for part in parts if part)


def slug(text: str) -> str:
    """``text`` in ``[a-z0-9.+-]``: accents dropped, anything else a hyphen."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9.+]+", "-", plain).strip("-") or "x"


class Manner(NamedTuple):
    """How the numbers of a cell were found, and in which decimals and unit they are printed."""

    method: str | None = None
    conf_level: float | None = None
    alternative: str | None = None
    null_value: float | None = None
    df: float | None = None
    unit: str | None = None
    note: str | None = None
    data_decimals: int = 0


def cell(
    place: Place,
    stats: Mapping[str, Value],
    roles: Roles,
    manner: Manner,
    dataset: str,
    assumed: bool,
    store: Store,
) -> list[dict[str, Any]]:
    """One row per statistic of a cell, without ``order``.

    A denominator's row set is the rows of that role, those of a count leave them out, all others take every row.
    A number that is nan becomes null, ``NE``, with the note. Raises KeyError for a statistic not on the list.
    """
    name = store.cell_id(place.slug(), tuple(place))
    estimate = formats.estimate_decimals(stats, manner.data_decimals)
    found = []
    for statistic, given in stats.items():
        value = _defined(given, manner.note)
        known = formats.statistics()[statistic]
        source = roles[DENOMINATOR].dataset if statistic == DENOMINATOR and DENOMINATOR in roles else dataset
        found.append(
            {
                "result_id": f"{name}/{slug(statistic)}",
                "cell_id": name,
                **place._asdict(),
                "dataset": source,
                "statistic": statistic,
                **_value(value),
                **_manner(known, manner),
                "formatted": formats.text_of(statistic, value, manner.data_decimals, estimate),
                "unit": _unit(known, stats, manner),
                "note": _note(value, manner.note),
                "assumed": assumed,
                "rowset": store.rowset(_roles_of(known, roles)),
            }
        )
    return found


def _defined(value: Value, note: str | None) -> Value:
    if isinstance(value, float) and math.isnan(value):
        return Undefined(NOT_ESTIMABLE, note or "not estimable")
    return value


def _value(value: Value) -> dict[str, Any]:
    if isinstance(value, Undefined):
        return {"value": None, "value_text": value.text, "qualifier": None}
    if isinstance(value, formats.Bounded):
        return {"value": float(value.value), "value_text": None, "qualifier": value.qualifier}
    return {"value": float(value), "value_text": None, "qualifier": None}


def _note(value: Value, note: str | None) -> str | None:
    if isinstance(value, Undefined) and value.note != note:
        return "; ".join(part for part in (value.note, note) if part)
    return note


def _manner(statistic: formats.Statistic, manner: Manner) -> dict[str, Any]:
    """Method of what a method found; level of a limit; sidedness and degrees of freedom of a test."""
    test = statistic.kind in ("test", "p")
    return {
        "method": manner.method if formats.describes_method(statistic.name) else None,
        "conf_level": manner.conf_level if statistic.kind == "limit" else None,
        "alternative": manner.alternative if statistic.kind == "p" else None,
        "null_value": manner.null_value if test else None,
        "df": manner.df if test else None,
    }


def _unit(statistic: formats.Statistic, stats: Mapping[str, Value], manner: Manner) -> str | None:
    """Unit of a statistic; limits and standard errors have that of the estimate they belong to."""
    if statistic.decimals.partition("+")[0] == "estimate":
        kinds = [formats.statistics()[name] for name in stats]
        statistic = next((known for known in kinds if known.kind in ("estimate", "percent")), statistic)
    return manner.unit if statistic.unit == "data" else statistic.unit or None


def _roles_of(statistic: formats.Statistic, roles: Roles) -> Roles:
    if statistic.name == DENOMINATOR and DENOMINATOR in roles:
        return {DENOMINATOR: roles[DENOMINATOR]}
    if statistic.kind == "count":
        counted = {role: rows for role, rows in roles.items() if role != DENOMINATOR}
        if any(rows.keys for rows in counted.values()):
            return counted
    return roles


def frame(found: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame under the contract RESULTS, ``order`` counting from 0."""
    dtypes = {"text": "object", "float": "float64", "int": "Int64", "bool": "boolean"}
    columns = {
        c.name: pd.Series([row.get(c.name) for row in found], dtype=dtypes[c.type])
        for c in RESULTS.columns
        if c.name != "order"
    }
    return pd.DataFrame({**columns, "order": pd.Series(range(len(found)), dtype="Int64")})[
        [c.name for c in RESULTS.columns]
    ]
