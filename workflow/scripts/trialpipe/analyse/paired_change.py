"""Change between two visits in patients with both, with values outside the range of quantification as intervals."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from trialpipe.analyse import sample
from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.visits import analysed, parameters
from trialpipe.config.analyses import PairedChange

METHOD = (
    "Wilcoxon signed-rank test, ties kept as zeros (Pratt), exact; pairs that cannot be told apart are ties, the size "
    "of a change is the least {scale} between the two intervals; exploratory"
)


class Reading(NamedTuple):
    """A value as the interval it is known to lie in."""

    low: float
    high: float
    exact: bool


def run(analysis: PairedChange, context: Context) -> list[dict[str, Any]]:
    """One cell per parameter, visit and group: pairs, signs, median change of detected pairs, exploratory p-value."""
    found: list[dict[str, Any]] = []
    for parameter in parameters(context, analysis.parameters):
        for visit in analysis.visit:
            for group in context.groups:
                found += _cell(analysis, visit, context, parameter, group)
    return found


def _cell(analysis: PairedChange, visit: str, context: Context, parameter: str, group: Group) -> list[dict[str, Any]]:
    from trialpipe.stats.describe import quantile
    from trialpipe.stats.ranks import signed_rank

    data = context.of(group)
    before, after = (
        analysed(data, parameter, label).drop_duplicates("USUBJID").set_index("USUBJID")
        for label in (analysis.base_visit, visit)
    )
    patients = [usubjid for usubjid in before.index if usubjid in after.index]
    # concentrations start at 0; a score of differences has no least value
    measured = data.loc[data["PARAMCD"] == parameter, ["AVAL", "LLOQ", "ULOQ"]]
    floor = -math.inf if bool((measured < 0).to_numpy().any()) else 0.0
    base, late = _readings(before.loc[patients], floor), _readings(after.loc[patients], floor)
    ratio = (
        analysis.ratio
        and floor == 0
        and all(reading.high > 0 and (reading.low > 0 or not reading.exact) for reading in [*base, *late])
    )
    gaps = np.array([gap(a, b, ratio) for a, b in zip(base, late, strict=True)], float)
    exact = [(a.low, b.low) for a, b in zip(base, late, strict=True) if a.exact and b.exact]
    changes = np.array([b - a for a, b in exact], float)
    _, p, used = signed_rank(gaps)
    stats: dict[str, Value] = {
        "n": len(patients),
        "n_up": int((gaps > 0).sum()),
        "n_down": int((gaps < 0).sum()),
        "n_tie": int((gaps == 0).sum()),
        "median_change": quantile(changes, 0.5)
        if len(changes)
        else Undefined(NOT_ESTIMABLE, "no pair with both values in the range of quantification"),
        "p": p if used else Undefined(NOT_ESTIMABLE, "no pair that can be told apart"),
    }
    if ratio and exact:
        stats["median_ratio"] = quantile(np.array([b / a for a, b in exact], float), 0.5)
    note = (
        None if len(changes) == len(patients) else f"median change of {len(changes)} pair(s) with both values in range"
    )
    scale = "ratio (on the log scale)" if ratio else "difference"
    manner = sample.manner(context.data[context.data["PARAMCD"] == parameter], METHOD.format(scale=scale), note)
    both = [before.loc[patients], after.loc[patients]]
    chosen = {
        "n": after.loc[patients],
        "base": before.loc[patients],
        "up": both[1][gaps > 0],
        "down": both[1][gaps < 0],
        "tie": both[1][gaps == 0],
    }
    return context.cell(
        stats,
        {role: context.behind(frame) for role, frame in chosen.items()},
        manner._replace(alternative="two-sided", null_value=0.0),
        group=group.label,
        parameter=parameter,
        variable="CHG",
        visit=visit,
        base_visit=analysis.base_visit,
    )


def _readings(frame: pd.DataFrame, floor: float) -> list[Reading]:
    columns = (frame["AVAL"], frame["CENS"], frame["LLOQ"], frame["ULOQ"])
    return [reading(*row, floor) for row in zip(*columns, strict=True)]


def reading(value: float, censored: str, lloq: float, uloq: float, floor: float = 0.0) -> Reading:
    """Interval of a value: from ``floor`` to below the lower limit, above the upper one, or exact."""
    if censored == "left":
        return Reading(floor, float(lloq), False)
    if censored == "right":
        return Reading(float(uloq), math.inf, False)
    return Reading(float(value), float(value), True)


def gap(base: Reading, late: Reading, ratio: bool) -> float:
    """Signed least change from ``base`` to ``late``; 0 where the intervals touch or overlap.

    An interval ends before its limit of quantification, so that <5 and 5 differ in sign but by no known size: the
    smallest positive number stands for it.
    """
    if late.low >= base.high and not (base.exact and late.exact and late.low == base.high):
        apart, sign = (base.high, late.low), 1.0
    elif base.low >= late.high and not (base.exact and late.exact and base.low == late.high):
        apart, sign = (late.high, base.low), -1.0
    else:
        return 0.0
    size = math.log2(apart[1] / apart[0]) if ratio else apart[1] - apart[0]
    # 12 digits: 38.1 - 37.2 and 37.8 - 36.9 are one size, and tie in ranks
    return sign * max(float(f"{size:.12g}"), math.ulp(0.0))
