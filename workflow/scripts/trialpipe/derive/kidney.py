"""Kidney function from serum creatinine, by the equations of ``resources/reference/gfr_equations.csv``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import lru_cache

from trialpipe.io import reference

TABLE = "gfr_equations.csv"
UMOL_PER_MG_DL = 88.4
"""umol/L of creatinine in 1 mg/dL (KDIGO 2012; molar mass 113.12 g/mol)."""

UNITS = {"mg/dL": "mg/dL", "mg/dl": "mg/dL", "umol/L": "umol/L", "µmol/L": "umol/L", "μmol/L": "umol/L"}


@dataclass(frozen=True)
class Filtration:
    """``value`` in ``unit``; None with the reason in ``note``."""

    value: float | None
    unit: str
    note: str | None = None


@lru_cache(maxsize=1)
def _table() -> tuple[Mapping[str, str], ...]:
    return tuple(reference.rows(TABLE))


def equations() -> tuple[str, ...]:
    """Names of the equations in the order of the table."""
    return tuple(dict.fromkeys(row["equation"] for row in _table()))


def filtration(
    equation: str,
    creatinine: float | None,
    creatinine_unit: str,
    age: float | None,
    sex: str | None,
    *,
    weight: float | None = None,
    height: float | None = None,
    black: bool = False,
) -> Filtration:
    """Filtration rate or clearance of one person.

    ``creatinine`` in mg/dL or umol/L, ``age`` in years, ``sex`` M or F, ``weight`` in kg, ``height`` in cm. ``black``:
    apply the factor of the equations that have one. None with a note for what is missing, not positive or beyond the
    ages of the equation. Raises ValueError for an unknown equation or unit.
    """
    own = [row for row in _table() if row["equation"] == equation]
    if not own:
        near = get_close_matches(equation, equations(), 1, 0.0)[0]
        raise ValueError(f"'{equation}' is no equation of {TABLE}; the nearest is {near}")
    if creatinine_unit not in UNITS:
        raise ValueError(f"'{creatinine_unit}' is no unit of creatinine: mg/dL or umol/L")
    unit = UNITS[creatinine_unit]
    exact = [row for row in own if row["creatinine_unit"] == unit]
    found = _row(exact or own, age, sex)
    if isinstance(found, str):
        return Filtration(None, own[0]["unit"], found)
    given = {"creatinine": creatinine, "height": height, "weight": weight}
    needed = ["creatinine", *(name for name in ("height", "weight") if found[f"{name}_power"])]
    for name in needed:
        value = given[name]
        if value is None or not math.isfinite(value) or value <= 0:
            return Filtration(None, found["unit"], f"no {name}")
    assert creatinine is not None
    assert age is not None
    measured = _converted(creatinine, unit, found["creatinine_unit"])
    return Filtration(_value(found, measured, age, weight, height, black), found["unit"])


def _row(rows: Sequence[Mapping[str, str]], age: float | None, sex: str | None) -> Mapping[str, str] | str:
    """The row that holds for a person, or why there is none."""
    if age is None or not math.isfinite(age) or age < 0:
        return "no age"
    fitting = [row for row in rows if _from(row) <= age < _to(row)]
    if not fitting:
        return "the equation does not hold for this age"
    found = [row for row in fitting if row["sex"] in ("any", sex)]
    return found[0] if found else "no sex"


def _from(row: Mapping[str, str]) -> float:
    return float(row["age_from"] or 0)


def _to(row: Mapping[str, str]) -> float:
    return float(row["age_to"] or math.inf)


def _converted(value: float, unit: str, wanted: str) -> float:
    if unit == wanted:
        return value
    return value / UMOL_PER_MG_DL if wanted == "mg/dL" else value * UMOL_PER_MG_DL


def _value(
    row: Mapping[str, str], creatinine: float, age: float, weight: float | None, height: float | None, black: bool
) -> float:
    def number(name: str, empty: float) -> float:
        return float(Fraction(row[name])) if row[name] else empty

    relative = creatinine / number("kappa", 1.0)
    value = (
        number("factor", 1.0) * min(relative, 1.0) ** number("below", 0.0) * max(relative, 1.0) ** number("above", 0.0)
    )
    if row["age_power"]:
        value *= age ** number("age_power", 0.0)
    value *= number("age_base", 1.0) ** (age - number("age_from_base", 0.0))
    if row["height_power"] and height is not None:
        value *= (height / 100) ** number("height_power", 0.0)
    if row["weight_power"] and weight is not None:
        value *= weight ** number("weight_power", 0.0)
    if row["age_line"]:
        value *= number("age_line", 0.0) - age
    return value * (number("black", 1.0) if black else 1.0)
