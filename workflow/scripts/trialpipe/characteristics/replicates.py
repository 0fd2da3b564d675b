"""Replicates of a trial's scenarios as rows: a job's share of them."""

from __future__ import annotations

import pandas as pd

from trialpipe.characteristics.contract import FIELDS
from trialpipe.characteristics.trial import Examined, analysed, draw, generator


def replicates(case: Examined, first: int, last: int, pool: pd.DataFrame | None = None) -> pd.DataFrame:
    """Rows of the contract REPLICATES for the replicates ``first`` to ``last`` - 1 of every scenario."""
    rows: list[dict[str, object]] = []
    for scenario in case.spec.scenarios:
        for number in range(first, last):
            rng = generator(case.spec.seed, scenario.id, number)
            found = analysed(case, draw(case, scenario, rng, pool))
            rows += [
                {"scenario": scenario.id, "replicate": number, "analysis": analysis} | vars(reading)
                for analysis, reading in found
            ]
    return pd.DataFrame(rows, columns=list(FIELDS)).astype({"replicate": "Int64"})
