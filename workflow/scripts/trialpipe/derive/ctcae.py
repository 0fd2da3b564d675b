"""Toxicity grade of a laboratory result by a table of conditions, ``resources/reference/ctcae_v5_lab.csv``.

Conditions are three-valued: one that needs a limit or baseline that is missing, or a result beyond its limit of
quantification that may lie on either side, is unknown. Numbers are compared with 12 significant digits, so that 3 x 0.1
and 0.3 are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trialpipe.derive import rules
from trialpipe.derive.errors import config_error
from trialpipe.derive.rules import Range, Truth
from trialpipe.io import reference

TABLE = "ctcae_v5_lab.csv"


@dataclass(frozen=True)
class Condition:
    """``subject`` compared with ``factor`` of ``of``; the columns of the table."""

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
    """A toxicity term; conditions from the highest grade down."""

    version: str
    name: str
    code: str
    direction: str
    unit: str
    conditions: tuple[Condition, ...]

    @property
    def uses_baseline(self) -> bool:
        return any(c.of == "BASE" or c.subject == "PCHG" for c in self.conditions)


class Result(NamedTuple):
    """A result as graded; ``value`` where it may lie. ``abnormal``: the baseline is above its own upper limit."""

    value: Range | None
    unit: str | None = None
    lln: float | None = None
    uln: float | None = None
    base: float | None = None
    pchg: float | None = None
    abnormal: bool = False


def terms(version: str, table: Sequence[Mapping[str, str]] | None = None) -> dict[str, Term]:
    """Terms of a version by name. Raises DataError if the table has no such version."""
    own: dict[str, list[Mapping[str, str]]] = {}
    given = reference.rows(TABLE) if table is None else table
    for row in given:
        if row["version"] == version:
            own.setdefault(row["term"], []).append(row)
    if not own:
        known = ", ".join(dict.fromkeys(row["version"] for row in given))
        raise config_error("version", version, f"is not in {TABLE}", f"use one of {known}")
    return {name: _term(name, rows) for name, rows in own.items()}


def grade(term: Term, result: Result) -> tuple[int | None, str | None]:
    """(grade, None), or (None, why not): 0 if no condition can hold, null where a missing limit leaves it open."""
    if result.value is None:
        return None, "no result"
    if term.unit and (result.unit or "").lower() != term.unit.lower():
        return None, f"unit {result.unit or 'none'} is not {term.unit}"
    for level in sorted({condition.grade for condition in term.conditions}, reverse=True):
        own = [condition for condition in term.conditions if condition.grade == level]
        truth = rules.any_of([holds(condition, result) for condition in own])
        if truth is True:
            return level, None
        if truth is None:
            return None, _why(own, result)
    return 0, None


def holds(condition: Condition, result: Result) -> Truth:
    """Whether one condition holds."""
    if condition.baseline == "known" and result.base is None and result.pchg is None:
        return False
    if condition.baseline in ("normal", "abnormal") and result.abnormal != (condition.baseline == "abnormal"):
        return False
    if condition.needs == "ULN" and result.uln is None:
        return None
    parts: list[Truth] = [_compared(condition, result)]
    if condition.needs == "BELOW_LLN":
        parts.append(_less(result.value, _point(result.lln)))
    return rules.all_of(parts)


def measured(number: float | None, censored: str, low: float | None, high: float | None) -> Range | None:
    """Where a result may lie: a number, below its lower or above its upper limit of quantification."""
    if censored == "left":
        return None if low is None else Range(0.0, low, high_open=True)
    if censored == "right":
        return None if high is None else Range(high, float("inf"), low_open=True)
    return _point(number)


def _compared(condition: Condition, result: Result) -> Truth:
    subject = _point(result.pchg) if condition.subject == "PCHG" else result.value
    factors = {"VALUE": 1.0, "LLN": result.lln, "ULN": result.uln, "BASE": result.base}
    of = factors[condition.of]
    limit = None if of is None else _point(condition.factor * of + condition.offset)
    return {
        "lt": lambda: _less(subject, limit),
        "gt": lambda: _less(limit, subject),
        "le": lambda: rules.negate(_less(limit, subject)),
        "ge": lambda: rules.negate(_less(subject, limit)),
    }[condition.op]()


def _less(a: Range | None, b: Range | None) -> Truth:
    return None if a is None or b is None else rules.less(a, b)


def _point(number: float | None) -> Range | None:
    if number is None:
        return None
    exact = float(f"{number:.12g}")
    return Range(exact, exact)


def _why(conditions: Sequence[Condition], result: Result) -> str:
    """The limits or baseline that conditions of undetermined grade are without."""
    words = {"LLN": "lower limit of normal", "ULN": "upper limit of normal", "BASE": "baseline"}
    known = {"LLN": result.lln, "ULN": result.uln, "BASE": result.base}
    asked = {name for c in conditions for name in (c.of, c.needs.removeprefix("BELOW_"))}
    absent = [words[name] for name in words if name in asked and known[name] is None]
    return f"no {' and no '.join(absent)}" if absent else "beyond the limit of quantification"


def _term(name: str, rows: Sequence[Mapping[str, str]]) -> Term:
    first = rows[0]
    conditions = tuple(
        Condition(
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
    return Term(first["version"], name, first["code"], first["direction"], first["unit"], conditions)
