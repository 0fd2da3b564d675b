"""One concentration-time profile made ready for non-compartmental analysis.

Times count from the dose, in any unit; concentrations below the limit of quantification (BLQ) are 0, missing ones nan.
Rules for BLQ values and for the value at the time of dosing follow the conventions of Gabrielsson and Weiner,
Pharmacokinetic and Pharmacodynamic Data Analysis, chapter 2, with the defaults of the program PKNCA (see `Blq`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Rule = Literal["keep", "drop"] | float
Start = Literal["required", "zero", "minimum", "predose", "c0"]
C0_METHODS = ("c0", "logslope", "c1")


@dataclass(frozen=True)
class Blq:
    """What stands for a BLQ value: ``keep`` (0), ``drop`` (left out) or a number, e.g. half the limit.

    ``first`` holds up to the first quantified value, ``middle`` between quantified values, ``last`` after the last
    one; where nothing is quantified, ``first`` holds throughout. ``before_tmax`` and ``after_tmax``, given together,
    replace the three. ``consecutive``: that many BLQ values in a row after Tmax end the profile; later values, also
    quantified ones, are left out (2 is usual). The defaults keep, drop, keep are those of PKNCA.
    """

    first: Rule = "keep"
    middle: Rule = "drop"
    last: Rule = "keep"
    before_tmax: Rule | None = None
    after_tmax: Rule | None = None
    consecutive: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for rules that do not fit together."""
        if (self.before_tmax is None) != (self.after_tmax is None):
            raise ValueError("before_tmax and after_tmax are given together or not at all")
        if self.consecutive is not None and self.consecutive < 1:
            raise ValueError("consecutive must be at least 1")
        for rule in (self.first, self.middle, self.last, self.before_tmax, self.after_tmax):
            if isinstance(rule, str) and rule not in ("keep", "drop"):
                raise ValueError("a rule for values below the limit is keep, drop or a number")
            if isinstance(rule, (int, float)) and not (math.isfinite(rule) and rule >= 0):
                raise ValueError("a number that stands for a value below the limit must be >= 0")


@dataclass(frozen=True)
class Profile:
    """Times in order with concentrations: ``time``, ``conc`` after the rules for BLQ values, ``raw_*`` before them."""

    time: np.ndarray
    conc: np.ndarray
    raw_time: np.ndarray
    raw_conc: np.ndarray

    @property
    def empty(self) -> bool:
        """Whether nothing is left to integrate."""
        return len(self.time) == 0

    @property
    def all_below(self) -> bool:
        """Whether there are values and none is quantified."""
        return len(self.raw_conc) > 0 and not (self.raw_conc > 0).any()

    def last(self) -> int | None:
        """Index in ``time`` of the last value above 0; None without one."""
        above = np.flatnonzero(self.conc > 0)
        return int(above[-1]) if len(above) else None


def ordered(time: np.ndarray, conc: np.ndarray, below: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Times and concentrations in the order of time, without missing concentrations; those ``below`` are 0.

    Raises ValueError for different lengths, a missing or infinite time, a negative or infinite concentration, and
    two concentrations at one time.
    """
    t, c = np.array(time, float), np.array(conc, float)
    if t.ndim != 1 or t.shape != c.shape:
        raise ValueError("times and concentrations differ in length")
    if below is not None:
        mask = np.asarray(below, bool)
        if mask.shape != t.shape:
            raise ValueError("times and marks of values below the limit differ in length")
        c[mask] = 0.0
    if not np.isfinite(t).all():
        raise ValueError("a time is missing or infinite")
    t, c = t[~np.isnan(c)], c[~np.isnan(c)]
    if np.isinf(c).any():
        raise ValueError("a concentration is infinite")
    if (c < 0).any():
        raise ValueError("a concentration is negative")
    order = np.argsort(t, kind="stable")
    t, c = t[order], c[order]
    if (np.diff(t) == 0).any():
        raise ValueError("two concentrations at one time")
    return t, c


def window(time: np.ndarray, conc: np.ndarray, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """The values from ``start`` to ``end``, both included, with times counted from ``start``.

    Raises ValueError unless start < end.
    """
    if not start < end:
        raise ValueError("an interval ends after it starts")
    t, c = np.asarray(time, float), np.asarray(conc, float)
    inside = (t >= start) & (t <= end)
    return t[inside] - start, c[inside]


def tmax_of(time: np.ndarray, conc: np.ndarray, first: bool = True) -> float:
    """Time of the greatest concentration, the first (or last) of equal ones; nan where none is above 0."""
    if len(conc) == 0 or not (conc > 0).any():
        return math.nan
    places = np.flatnonzero(conc == conc.max())
    return float(time[places[0] if first else places[-1]])


def prepare(time: np.ndarray, conc: np.ndarray, blq: Blq | None = None, below: np.ndarray | None = None) -> Profile:
    """Profile after the rules for BLQ values. Arrays of equal length; BLQ is 0 or marked in ``below``.

    Raises ValueError as `ordered`.
    """
    rules = blq or Blq()
    t, c = ordered(time, conc, below)
    if rules.consecutive is not None:
        t, c = _without_tail(t, c, rules.consecutive)
    used, values = np.ones(len(t), bool), c.copy()
    for mask, rule in _masks(t, c, rules):
        if rule == "drop":
            used &= ~mask
        elif isinstance(rule, (int, float)):
            values[mask] = rule
    return Profile(t[used], values[used], t, c)


def _without_tail(t: np.ndarray, c: np.ndarray, run: int) -> tuple[np.ndarray, np.ndarray]:
    """What is up to the end of the first run of ``run`` BLQ values after Tmax."""
    peak, count = tmax_of(t, c), 0
    for i in range(len(t)):
        count = count + 1 if c[i] == 0 and t[i] > peak else 0
        if count == run:
            return t[: i + 1], c[: i + 1]
    return t, c


def _masks(t: np.ndarray, c: np.ndarray, rules: Blq) -> list[tuple[np.ndarray, Rule]]:
    zero = c == 0
    if not (c > 0).any():
        return [(zero, rules.first if rules.before_tmax is None else rules.before_tmax)]
    if rules.before_tmax is not None and rules.after_tmax is not None:
        peak = tmax_of(t, c)
        return [(zero & (t < peak), rules.before_tmax), (zero & (t >= peak), rules.after_tmax)]
    above = t[c > 0]
    return [
        (zero & (t < above[0]), rules.first),
        (zero & (t > above[0]) & (t < above[-1]), rules.middle),
        (zero & (t > above[-1]), rules.last),
    ]


def initial_concentration(
    time: np.ndarray, conc: np.ndarray, methods: tuple[str, ...] = C0_METHODS, dose_time: float = 0.0
) -> float:
    """C0 of an intravenous bolus: the first method that gives a value.

    ``c0``: the concentration measured at the dose, if above 0. ``logslope``: the line through the logs of the first
    two values after the dose, back to the dose; only if the second is above 0 and below the first. ``c1``: the first
    value after the dose. ``cmin``: the least value. ``set0``: 0. nan if none does; ValueError for another name.
    """
    t, c = ordered(time, conc)
    after = t > dose_time
    times, values = t[after], c[after]
    for method in methods:
        found = math.nan
        if method == "c0":
            at = c[(t == dose_time) & (c > 0)]
            found = float(at[0]) if len(at) else math.nan
        elif method == "logslope":
            if len(times) >= 2 and 0 < values[1] < values[0]:
                slope = math.log(values[1] / values[0]) / (times[1] - times[0])
                found = float(values[0] * math.exp(-slope * (times[0] - dose_time)))
        elif method == "c1":
            found = float(values[0]) if len(values) else math.nan
        elif method == "cmin":
            found = float(c.min()) if len(c) else math.nan
        elif method == "set0":
            found = 0.0
        else:
            raise ValueError("a method for C0 is c0, logslope, c1, cmin or set0")
        if not math.isnan(found):
            return found
    return math.nan


def with_start(profile: Profile, rule: Start, predose: float = math.nan, c0: float = math.nan) -> Profile:
    """The profile with a value at time 0, if it has none and the rule gives one.

    ``required``: nothing is added. ``zero``: 0 (first dose, not an intravenous bolus). ``minimum``: the least value
    of the interval (steady state). ``predose``: the last value before the dose. ``c0``: the back-extrapolated value,
    which also replaces what was measured at time 0. Values before time 0 must be left out first.
    """
    has = not profile.empty and profile.time[0] == 0
    if rule == "c0":
        value = c0
        keep = profile.time > 0
    else:
        least = float(profile.raw_conc.min()) if len(profile.raw_conc) else math.nan
        value = {"zero": 0.0, "minimum": least, "predose": predose}.get(rule, math.nan)
        keep = np.ones(len(profile.time), bool)
        if has:
            return profile
    if math.isnan(value):
        return profile
    return Profile(
        np.concatenate([[0.0], profile.time[keep]]),
        np.concatenate([[value], profile.conc[keep]]),
        profile.raw_time,
        profile.raw_conc,
    )
