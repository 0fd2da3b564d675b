"""Rows of the response-time dataset for one rule-set and level."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trialpipe.analyse.context import Context
from trialpipe.config.datasets import ResponseDataset, ResponseTimeDataset

RESPONSE = "response"


def rows(context: Context, rule_set: str, level: str) -> pd.DataFrame:
    """One row per patient."""
    data = context.data
    return data[(data["RULESET"] == rule_set) & (data["LEVEL"] == level)]


def causes(context: Context) -> dict[str, int]:
    """Cause code of response and of every competing milestone."""
    found = {RESPONSE: 1}
    for entry in context.protocol.datasets:
        if isinstance(entry, ResponseTimeDataset) and entry.id == context.dataset:
            found |= {milestone: 2 + place for place, milestone in enumerate(entry.competing)}
    return found


def cause(frame: pd.DataFrame) -> np.ndarray:
    """0 censored, 1 response, 2 and up competing."""
    code = frame["CNSR"].to_numpy(dtype=int)
    return np.where(code == 0, 1, np.where(code == 1, 0, code))


def visit_times(context: Context) -> dict[str, float]:
    """Elapsed target day of every response visit that counts from the trial's origin, by label."""
    sources = [d.source for d in context.protocol.datasets if isinstance(d, ResponseTimeDataset)]
    sets = [d.visits for d in context.protocol.datasets if isinstance(d, ResponseDataset) and d.id in sources]
    first = context.protocol.time.first_day
    declared = {
        visit.label: float(visit.day - first)
        for visit_set in context.protocol.visit_sets
        if visit_set.id in sets
        for visit in visit_set.visits
        if visit.anchor is None and not visit.baseline
    }
    seen = context.data[context.data["AVISIT"].notna()]
    return declared or dict(sorted(zip(seen["AVISIT"], seen["TIME"], strict=True), key=lambda pair: pair[1]))
