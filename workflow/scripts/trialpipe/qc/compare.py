"""The results of this workflow beside those of the second derivation: verdicts, by result and by record."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import pandas as pd

from trialpipe.io import reference
from trialpipe.qc.export import KEYS, time_text

SAME, DIFFERENT, NO_VALUE, NOT_COVERED = "same", "different", "no value", "not covered"
THIRD = "third way: "
"""Begins the verdict of a result that agrees with one that no package of R gives; the way follows."""
_PUNCTUATION = re.compile(r"[^a-z0-9.+<>=]+")
RECORD_TOLERANCE = 1e-9
"""Relative; values of records pass through text with 17 digits."""


class Tolerance(NamedTuple):
    kind: str
    analysis: str
    statistic: str
    absolute: float
    relative: float

    def fits(self, kind: str, analysis: str, statistic: str) -> bool:
        """Empty fields fit everything; an analysis fits with and without its id."""
        wanted = ((self.kind, kind), (self.analysis, analysis), (self.statistic, statistic))
        return all(not own or own == value for own, value in wanted)


def tolerances() -> list[Tolerance]:
    """Lines of ``resources/reference/qc_tolerances.csv``."""
    return [
        Tolerance(row["kind"], row["analysis"], row["statistic"], float(row["absolute"]), float(row["relative"]))
        for row in reference.rows("qc_tolerances.csv")
    ]


class ThirdWay(NamedTuple):
    analysis: str
    statistic: str
    method: str
    way: str

    def fits(self, analysis: str, statistic: str, method: str) -> bool:
        """Empty fields fit everything; a method fits by its first words."""
        return (
            self.analysis == analysis
            and (not self.statistic or self.statistic == statistic)
            and method.startswith(self.method)
        )


def third_ways() -> list[ThirdWay]:
    """Lines of ``resources/reference/qc_third_way.csv``."""
    return [
        ThirdWay(row["analysis"], row["statistic"], row["method"], row["way"])
        for row in reference.rows("qc_third_way.csv")
    ]


def confirmed(verdict: str) -> bool:
    """Whether a verdict says that both derivations agree on a value."""
    return verdict == SAME or verdict.startswith(THIRD)


def compare_results(results: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Contract ``QC``: one row per result of either side.

    ``results``: contract ``analysis``. ``theirs``: text table of the columns ``KEYS``, ``value`` and ``text``: a result
    in words, or what is printed beside a number (``<``, ``>``, or ``=`` of a measured one); empty where it says nothing
    of it. A value on one side only is ``different``; a result for which the second derivation has no row is ``not
    covered``; one that agrees is ``same``, or ``third way: <name>`` where R has no function for it (``third_ways``).
    Raises ValueError if the second derivation gives a key twice.
    """
    other = {_key(row): (_number(row["value"]), _text(row.get("text"))) for row in theirs.to_dict("records")}
    if len(other) != len(theirs):
        twice = theirs[theirs.duplicated(list(KEYS))].iloc[0]
        raise ValueError(f"the second derivation gives a result twice: {twice.to_dict()}")
    kinds = {row["statistic"]: row["kind"] for row in reference.rows("statistics.csv")}
    table, ways = tolerances(), third_ways()
    rows = []
    for row in results.to_dict("records"):
        key = _key(row)
        covered = key in other
        value, text = other.pop(key, (math.nan, ""))
        found = _verdict(row, value, covered, _tolerance(table, kinds, row))
        if text:
            found |= _words(found, _said(row), text)
        if found["verdict"] == SAME:
            found["verdict"] = _agreed(ways, row)
        rows.append(found)
    for key, (value, text) in other.items():
        if text or not math.isnan(value):
            rows.append(_theirs_alone(dict(zip(KEYS, key, strict=True)), value))
    return pd.DataFrame(rows)


def _tolerance(table: list[Tolerance], kinds: dict[str, str], row: dict) -> tuple[float, float]:
    kind = kinds.get(row["statistic"], "estimate")
    found = next((t for t in table if t.fits(kind, _kind(row), row["statistic"])), None)
    return (found.absolute, found.relative) if found else (0.0, 0.0)


def _agreed(ways: list[ThirdWay], row: dict) -> str:
    method = _text(row["method"])
    found = next((w for w in ways if w.fits(_kind(row), row["statistic"], method)), None)
    return f"{THIRD}{found.way}" if found else SAME


def _kind(row: dict) -> str:
    return str(row["analysis"]).split(".")[0].split("~")[0]


def _verdict(row: dict, theirs: float, covered: bool, tolerance: tuple[float, float]) -> dict:
    ours = _number(row["value"])
    allowed = tolerance[0] + tolerance[1] * abs(theirs) if not math.isnan(theirs) else math.nan
    if not covered:
        verdict = NO_VALUE if math.isnan(ours) else NOT_COVERED
    elif math.isnan(ours) and math.isnan(theirs):
        verdict = NO_VALUE
    elif ours == theirs or abs(ours - theirs) <= allowed:  # equal infinities have no difference
        verdict = SAME
    else:
        verdict = DIFFERENT
    note = row["note"] if math.isnan(ours) else None
    return _row(row["result_id"], row, ours, theirs, allowed, verdict, note)


def _words(found: dict, ours: str, theirs: str) -> dict:
    """Verdict with words: those of both sides must be the same, beside numbers that are."""
    if ours != theirs:
        return {"verdict": DIFFERENT, "note": f"{ours or 'nothing'!r} here, {theirs!r} in the second derivation"}
    # a result in words alone
    return {"verdict": SAME} if found["verdict"] == NO_VALUE else {}


def _said(row: dict) -> str:
    """Words of a result, or what is printed beside its number."""
    if math.isnan(_number(row["value"])):
        return _text(row["value_text"])
    return _text(row["qualifier"]) or "="


def _theirs_alone(key: dict, value: float) -> dict:
    name = "theirs:" + "/".join(str(part) for part in key.values() if part)
    return _row(name, key, math.nan, value, math.nan, DIFFERENT, "only the second derivation has this result")


def _row(name: str, row: dict, ours: float, theirs: float, allowed: float, verdict: str, note: str | None) -> dict:
    labels = {key: row[key] for key in ("outcome", "analysis", "scenario", "statistic")}
    numbers = {"ours": ours, "theirs": theirs, "difference": ours - theirs, "tolerance": allowed}
    return {"result_id": name, **labels, **numbers, "verdict": verdict, "note": note}


def _key(row: dict) -> tuple[str, ...]:
    """Names without capitals and punctuation; the signs that tell <12 from >=12 stay."""
    values = (time_text(row[name]) if isinstance(row[name], float) else row[name] for name in KEYS)
    return tuple(_PUNCTUATION.sub("-", _text(value).lower()).strip("-") for value in values)


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _number(value: object) -> float:
    text = _text(value)
    return float(text) if text else math.nan


def compare_records(dataset: str, ours: pd.DataFrame, theirs: pd.DataFrame, key: tuple[str, ...]) -> pd.DataFrame:
    """Contract ``RECORDS``: the variables that both tables have, record by record.

    ``theirs``: text table; ``key``: columns that name a record in both. A record that one side lacks is one row with
    the variable ``*``. Records of ours for which the second derivation has no value of the leading keys are left out
    by the caller.
    """
    shared = [name for name in theirs.columns if name in ours.columns and name not in key]
    own = _by_key(ours, key, shared)
    other = _by_key(theirs, key, shared)
    rows = []
    for record in sorted(set(own) | set(other)):
        mine, yours = own.get(record), other.get(record)
        if mine is None or yours is None:
            sides = (None if mine is None else "record", None if yours is None else "record")
            rows.append((dataset, record, "*", *sides, DIFFERENT))
            continue
        for name in shared:
            same = _equal(mine[name], yours[name])
            rows.append((dataset, record, name, mine[name], yours[name], SAME if same else DIFFERENT))
    return pd.DataFrame(rows, columns=["dataset", "record", "variable", "ours", "theirs", "verdict"])


def _by_key(frame: pd.DataFrame, key: tuple[str, ...], shared: list[str]) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    for row in frame.to_dict("records"):
        name = "/".join(_cell(row[column]) or "" for column in key)
        if name in found:
            raise ValueError(f"record {name} stands twice")
        found[name] = {column: _cell(row[column]) for column in shared}
    return found


def _cell(value: object) -> str | None:
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d") if value == value.normalize() else value.strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(value, float):
        return time_text(value)
    return str(value) or None


def _equal(ours: str | None, theirs: str | None) -> bool:
    if ours == theirs:
        return True
    try:
        return math.isclose(float(ours or ""), float(theirs or ""), rel_tol=RECORD_TOLERANCE, abs_tol=RECORD_TOLERANCE)
    except ValueError:
        return False
