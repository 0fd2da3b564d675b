"""Description of measured values, of which some may lie outside the range of quantification."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from trialpipe.analyse.formats import NOT_ESTIMABLE, Bounded, Undefined, Value, data_decimals
from trialpipe.analyse.rows import Manner, Roles, behind
from trialpipe.stats import describe

PLAIN = "Percentiles by SAS definition 5"
METHOD = f"{PLAIN}, values outside the range of quantification in order below or above it"
TURNBULL = (
    "Percentiles by Turnbull's estimate, values outside the range of quantification as censored; with at least half "
    "of the values below, each as below the bound that holds whatever these values are"
)
_QUANTILES = {"median": 0.5, "q1": 0.25, "q3": 0.75}


class Sample(NamedTuple):
    """Numbers of one parameter: ``exact`` values, and the bounds of those below and above."""

    exact: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @property
    def n(self) -> int:
        return len(self.exact) + len(self.below) + len(self.above)

    @property
    def censored(self) -> bool:
        return len(self.below) + len(self.above) > 0

    @property
    def ordered(self) -> bool:
        """Whether every bound lies outside the detected values, so that all values can be ranked."""
        if not len(self.exact):
            return not (len(self.below) and len(self.above)) or self.below.max() <= self.above.min()
        low = not len(self.below) or self.below.max() <= self.exact.min()
        return low and (not len(self.above) or self.above.min() >= self.exact.max())


def sample(frame: pd.DataFrame) -> Sample:
    """Values of BDS rows of one parameter, one row per patient."""
    return Sample(
        frame.loc[frame["CENS"] == "none", "AVAL"].dropna().to_numpy(dtype=float),
        frame.loc[frame["CENS"] == "left", "LLOQ"].to_numpy(dtype=float),
        frame.loc[frame["CENS"] == "right", "ULOQ"].to_numpy(dtype=float),
    )


def roles(frame: pd.DataFrame, dataset: str) -> Roles:
    """Rows behind a description: all, and those below and above the range of quantification."""
    return {
        "n": behind(dataset, frame),
        "below": behind(dataset, frame[frame["CENS"] == "left"]),
        "above": behind(dataset, frame[frame["CENS"] == "right"]),
    }


def stats(values: Sample, geometric: bool = False) -> tuple[dict[str, Value], str, str | None]:
    """(statistics, method, note). Mean and standard deviation exist only without a value outside the range."""
    found: dict[str, Value] = {"n": values.n, "n_below": len(values.below), "n_above": len(values.above)}
    found["percent_below"] = 100 * len(values.below) / values.n if values.n else math.nan
    moments = describe.describe(values.exact)
    if values.censored:
        gone = Undefined(NOT_ESTIMABLE, "values outside the range of quantification")
        found |= {"mean": gone, "sd": gone}
    else:
        found |= {"mean": moments["mean"], "sd": moments["sd"]}
    if geometric:
        mean, cv = describe.geometric(values.exact) if not values.censored else (math.nan, math.nan)
        found |= {"geometric_mean": mean, "geometric_cv": cv}
    found |= {name: _quantile(values, p) for name, p in _QUANTILES.items()}
    found |= {"min": _minimum(values), "max": _maximum(values)}
    note = None if values.n else "no value"
    if values.n and any(isinstance(v, float) and math.isnan(v) for v in found.values()):
        note = "values outside the range of quantification" if values.censored else "one value only, or not positive"
    if not values.ordered:
        return found, TURNBULL, note
    return found, METHOD if values.censored else PLAIN, note


def manner(parameter: pd.DataFrame, method: str, note: str | None) -> Manner:
    """Decimals and unit of a parameter, over all its rows so that every group is printed alike."""
    units = sorted({unit for unit in parameter["AVALU"] if isinstance(unit, str)})
    exact = parameter[(parameter["CENS"] == "none") & parameter["AVAL"].notna()]
    decimals = data_decimals(_as_recorded(exact)["AVAL"])
    return Manner(method=method, unit=units[0] if len(units) == 1 else None, note=note, data_decimals=decimals)


def _quantile(values: Sample, p: float) -> Value:
    if not values.n:
        return math.nan
    # at least half below: the smallest limit that half of the values are known to lie under, or the median of all upper
    # bounds where that says more (limits differ by dilution)
    if p == 0.5 and 2 * len(values.below) >= values.n:
        upper = _uppers(values)
        limits = [limit for limit in np.sort(values.below) if 2 * (upper <= limit).sum() >= values.n]
        return Bounded(min(float(limits[0]), _percentile(upper, 0.5)), "<")
    # quartiles beside such a median are bounds too: an estimate could stand below the bound of the median
    return _ranked(values, p) if values.ordered or 2 * len(values.below) >= values.n else _turnbull(values, p)


def _uppers(values: Sample) -> np.ndarray:
    """The greatest number each value can be."""
    return np.concatenate([values.below, values.exact, np.full(len(values.above), math.inf)])


def _percentile(values: np.ndarray, p: float) -> float:
    """``describe.quantile`` of numbers of which some are infinite (one sign only)."""
    rank = describe.quantile(np.arange(1, len(values) + 1, dtype=float), p)
    ordered = np.sort(values)
    return float((ordered[math.floor(rank) - 1] + ordered[math.ceil(rank) - 1]) / 2)


def _ranked(values: Sample, p: float) -> Value:
    """Quantile among ranked values, or the bound that is sure whatever those outside the range are.

    The mean of a value below its limit and one above another has no bound: no value.
    """
    low = _percentile(np.concatenate([np.full(len(values.below), -math.inf), values.exact, values.above]), p)
    high = _percentile(_uppers(values), p)
    if math.isinf(low) and math.isinf(high):
        return Undefined(NOT_ESTIMABLE, "between a value below its limit and one above another")
    if math.isinf(high):
        return Bounded(low, ">")
    return Bounded(high, "<") if low < high else low


def _turnbull(values: Sample, p: float) -> Value:
    """Quantile of the estimate where limits of quantification lie among the values."""
    from trialpipe.stats.turnbull import turnbull

    left = np.concatenate([values.exact, np.full(len(values.below), -math.inf), values.above])
    right = np.concatenate([values.exact, values.below, np.full(len(values.above), math.inf)])
    low, high = turnbull(left, right).quantile(p)
    if math.isinf(low):
        # what is sure whatever the values below are can say more than the estimate's interval
        return Bounded(min(high, _percentile(_uppers(values), p)), "<")
    if math.isinf(high):
        return Bounded(low, ">")
    return float(low) if low == high else Undefined(NOT_ESTIMABLE, f"between {low:g} and {high:g}")


def _minimum(values: Sample) -> Value:
    detected = [*values.exact, *values.above]
    if len(values.below) and (not detected or values.below.min() <= min(detected)):
        return Bounded(float(values.below.min()), "<")
    if not len(values.exact):
        return Bounded(float(values.above.min()), ">") if len(values.above) else math.nan
    return float(values.exact.min())


def _maximum(values: Sample) -> Value:
    detected = [*values.exact, *values.below]
    if len(values.above) and (not detected or values.above.max() >= max(detected)):
        return Bounded(float(values.above.max()), ">")
    if not len(values.exact):
        return Bounded(float(values.below.max()), "<") if len(values.below) else math.nan
    return float(values.exact.max())


def _as_recorded(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows whose value was not converted from another unit (a product has decimals of its own); all if none is left."""
    if "flags" not in frame.columns:
        return frame
    converted = (isinstance(flags, (list, tuple, np.ndarray)) and "UNIT_CONVERTED" in flags for flags in frame["flags"])
    kept = frame.loc[~np.fromiter(converted, bool, len(frame))]
    return kept if len(kept) else frame
