"""Toxicity grade of a laboratory result by a table of conditions, ``resources/reference/ctcae_lab.csv``.

The words of the table are explained at its head. Conditions are three-valued: one that needs a limit or baseline that
is missing, or a result beyond its limit of quantification that may lie on either side, is unknown. Numbers are compared
with 12 significant digits, so that 3 x 0.1 and 0.3 are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trialpipe.derive import rules
from trialpipe.derive.errors import config_error
from trialpipe.derive.rules import Range, Truth
from trialpipe.io import reference

TABLE = "ctcae_lab.csv"


@dataclass(frozen=True)
class Condition:
    """``subject`` compared with ``factor`` of ``of``, for results in ``unit``; the columns of the table."""

    unit: str
    grade: int
    baseline: str
    subject: str
    op: str
    factor: float
    of: str
    offset: float
    needs: str


@dataclass(frozen=True)
class Term:
    """A toxicity term; conditions from the highest grade down. Without ``units`` any unit is graded."""

    version: str
    name: str
    code: str
    direction: str
    units: tuple[str, ...]
    conditions: tuple[Condition, ...]

    @property
    def uses_baseline(self) -> bool:
        return any(c.of in ("BASE", "ULN_BASE") or c.subject == "PCHG" for c in self.conditions)


class Result(NamedTuple):
    """A result as graded; ``value`` where it may lie.

    ``abnormal``: the baseline is above its own upper limit; ``low``: below its own lower limit.
    """

    value: Range | None
    unit: str | None = None
    lln: float | None = None
    uln: float | None = None
    base: float | None = None
    pchg: float | None = None
    abnormal: bool = False
    low: bool = False


def terms(version: str, units: str = "SI", table: Sequence[Mapping[str, str]] | None = None) -> dict[str, Term]:
    """Terms of a version in SI or US conventional units, by name.

    Raises DataError if the table has no such version or system of units.
    """
    own: dict[str, list[Mapping[str, str]]] = {}
    given = reference.rows(TABLE) if table is None else table
    for row in given:
        if row["version"] == version and row["units"] in (units, "any"):
            own.setdefault(row["term"], []).append(row)
    if not own:
        known = ", ".join(dict.fromkeys(row["version"] for row in given))
        raise config_error("version", version, f"is not in {TABLE}", f"use one of {known}")
    systems = dict.fromkeys(row["units"] for row in given if row["units"] != "any")
    if units not in systems:
        raise config_error("units", units, f"is not in {TABLE}", f"use one of {', '.join(systems)}")
    return {name: _term(name, rows) for name, rows in own.items()}


def grade(term: Term, result: Result) -> tuple[int | None, str | None]:
    """(grade, None), or (None, why not): 0 if no condition can hold, null where a missing limit leaves it open."""
    if result.value is None:
        return None, "no result"
    unit = next((unit for unit in term.units if _folded(unit) == _folded(result.unit or "")), "")
    if term.units and not unit:
        return None, f"unit {result.unit or 'none'} is not {' or '.join(term.units)}"
    conditions = [condition for condition in term.conditions if condition.unit == unit]
    for level in sorted({condition.grade for condition in conditions}, reverse=True):
        own = [condition for condition in conditions if condition.grade == level]
        truth = rules.any_of([holds(condition, result) for condition in own])
        if truth is True:
            return level, None
        if truth is None:
            return None, _why(own, result)
    return 0, None


def holds(condition: Condition, result: Result) -> Truth:
    """Whether one condition holds."""
    if not _applies(condition, result):
        return False
    if condition.needs == "ULN" and result.uln is None:
        return None
    parts: list[Truth] = [_compared(condition, result)]
    if condition.needs == "BELOW_LLN":
        parts.append(_less(result.value, _point(result.lln)))
    if condition.needs == "ABOVE_ULN":
        parts.append(_less(_point(result.uln), result.value))
    truth = rules.all_of(parts)
    return None if truth and condition.needs == "CLINICAL" else truth


def measured(number: float | None, censored: str, low: float | None, high: float | None) -> Range | None:
    """Where a result may lie: a number, below its lower or above its upper limit of quantification."""
    if censored == "left":
        return None if low is None else Range(0.0, low, high_open=True)
    if censored == "right":
        return None if high is None else Range(high, float("inf"), low_open=True)
    return _point(number)


def _applies(condition: Condition, result: Result) -> bool:
    """Whether a condition counts for a patient with this baseline and these limits."""
    if condition.needs == "LIMIT" and _of(condition, result) is None:
        return False
    return {
        "any": True,
        "known": result.base is not None or result.pchg is not None,
        "normal": not result.abnormal,
        "abnormal": result.abnormal,
        "not_low": not result.low,
        "low": result.low,
    }[condition.baseline]


def _compared(condition: Condition, result: Result) -> Truth:
    subject = _point(result.pchg) if condition.subject == "PCHG" else result.value
    of = _of(condition, result)
    limit = None if of is None else _point(condition.factor * of + condition.offset)
    return {
        "lt": lambda: _less(subject, limit),
        "gt": lambda: _less(limit, subject),
        "le": lambda: rules.negate(_less(limit, subject)),
        "ge": lambda: rules.negate(_less(subject, limit)),
    }[condition.op]()


def _of(condition: Condition, result: Result) -> float | None:
    """The limit or baseline that a condition takes its factor of; 1 for a plain number."""
    higher = result.uln if result.uln is None or result.base is None else max(result.uln, result.base)
    known = {"VALUE": 1.0, "LLN": result.lln, "ULN": result.uln, "BASE": result.base, "ULN_BASE": higher}
    return known[condition.of]


def _folded(unit: str) -> str:
    """A unit as compared: letter case does not count, 10^9/L is 10*9/L and 1/uL is /uL."""
    folded = unit.lower().replace("^", "*")
    return folded[1:] if folded.startswith("1/") else folded


def _less(a: Range | None, b: Range | None) -> Truth:
    return None if a is None or b is None else rules.less(a, b)


def _point(number: float | None) -> Range | None:
    if number is None:
        return None
    exact = float(f"{number:.12g}")
    return Range(exact, exact)


def _why(conditions: Sequence[Condition], result: Result) -> str:
    """What the undetermined of some conditions are without: limits, baseline, or clinical facts."""
    unknown = [condition for condition in conditions if holds(condition, result) is None]
    words = {"LLN": "lower limit of normal", "ULN": "upper limit of normal", "BASE": "baseline"}
    base = result.pchg if result.base is None else result.base
    known = {"LLN": result.lln, "ULN": result.uln, "BASE": base}
    names = {"BELOW_LLN": "LLN", "ABOVE_ULN": "ULN", "ULN_BASE": "ULN"}
    asked = {names.get(word, word) for c in unknown for word in (c.of, c.needs)}
    asked |= {"BASE" for c in unknown if c.subject == "PCHG"}
    absent = [words[name] for name in words if name in asked and known[name] is None]
    if absent:
        return f"no {' and no '.join(absent)}"
    if any(c.needs == "CLINICAL" and _compared(c, result) for c in unknown):
        return "graded by clinical facts, not by the result"
    return "beyond the limit of quantification"


def _term(name: str, rows: Sequence[Mapping[str, str]]) -> Term:
    first = rows[0]
    units = tuple(unit for unit in dict.fromkeys(row["unit"] for row in rows) if unit)
    conditions = tuple(
        Condition(
            row["unit"],
            int(row["grade"]),
            row["baseline"],
            row["subject"],
            row["op"],
            float(row["factor"]),
            row["of"],
            float(row["offset"] or 0),
            row["needs"],
        )
        for row in rows
    )
    return Term(first["version"], name, first["code"], first["direction"], units, conditions)
