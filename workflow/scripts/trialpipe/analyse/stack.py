"""All results of a trial in one table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from trialpipe.config.outcomes import Outcome
from trialpipe.io import store
from trialpipe.io.contracts import RESULTS, ROWSETS


def stack(frames: Sequence[pd.DataFrame], outcomes: tuple[Outcome, ...]) -> pd.DataFrame:
    """Results of all groups in the order of ``outcomes``, ``order`` counted anew from 1.

    Rows of an outcome that two groups have follow each other in the order of ``frames``.
    Raises ValueError if two rows have one result_id or a row belongs to no outcome.
    """
    filled = [frame.assign(_frame=place) for place, frame in enumerate(frames) if len(frame)]
    if not filled:
        return store.empty(RESULTS)
    joined = pd.concat(filled, ignore_index=True)
    place = {outcome.id: position for position, outcome in enumerate(outcomes)}
    unknown = sorted(set(joined["outcome"]) - set(place))
    if unknown:
        raise ValueError(f"results of an outcome that is not declared: {unknown[0]}")
    double = joined.loc[joined.duplicated("result_id"), "result_id"]
    if len(double):
        raise ValueError(f"two results have the id {double.iloc[0]}")
    ordered = joined.assign(_outcome=joined["outcome"].map(place)).sort_values(["_outcome", "_frame", "order"])
    ordered = ordered.drop(columns=["_outcome", "_frame"]).reset_index(drop=True)
    return ordered.assign(order=pd.Series(range(1, len(ordered) + 1), dtype="Int64"))


def stack_rowsets(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Row sets of all groups, each set once."""
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return store.empty(ROWSETS)
    return pd.concat(filled, ignore_index=True).drop_duplicates(ignore_index=True)
