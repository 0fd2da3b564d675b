"""Patient flow: the patients of each box, a subset of its parent's."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trialpipe.analyse.context import Context, matching
from trialpipe.analyse.rows import behind
from trialpipe.config.analyses import Box, Flow
from trialpipe.config.protocol import Protocol

LAST_ALIVE = "last_alive"


def run(analysis: Flow, context: Context) -> list[dict[str, Any]]:
    """n per box and group; the category is the box's id."""
    found: list[dict[str, Any]] = []
    for group in context.groups:
        inside: dict[str, pd.DataFrame] = {}
        for box in analysis.boxes:
            above = inside[box.parent] if box.parent else group.subjects
            inside[box.id] = members(above, box, context.protocol)
            roles = {"n": behind("adsl", inside[box.id])}
            found += context.cell({"n": len(inside[box.id])}, roles, dataset="adsl", group=group.label, category=box.id)
    return found


def members(above: pd.DataFrame, box: Box, protocol: Protocol) -> pd.DataFrame:
    """Patients of the parent box that belong in ``box``. KeyError for an unknown milestone."""
    kept = matching(above, box.where)
    for milestone in box.require:
        kept = kept[_last_day(kept, milestone, protocol).notna()]
        for later in box.before:
            kept = kept[_is_before(kept, milestone, later, protocol)]
    for milestone in box.absent:
        kept = kept[_last_day(kept, milestone, protocol).isna()]
    return kept


def _is_before(frame: pd.DataFrame, milestone: str, other: str, protocol: Protocol) -> pd.Series:
    """Certainly on an earlier day, or earlier by clock time on the same one, or the other did not happen."""
    last, first = _last_day(frame, milestone, protocol), _first_day(frame, other, protocol)
    times = [_clock(frame, name, protocol) for name in (milestone, other)]
    earlier = pd.Series(
        [a is not None and b is not None and a < b for a, b in zip(*times, strict=True)],
        index=frame.index,
        dtype=bool,
    )
    happened = _last_day(frame, other, protocol).notna()
    return ~happened | (last < first) | ((last == first) & earlier)


def _variable(milestone: str, protocol: Protocol) -> str:
    if milestone == LAST_ALIVE:
        return protocol.last_alive.variable
    return {m.id: m.variable for m in protocol.milestones}[milestone]


def _last_day(frame: pd.DataFrame, milestone: str, protocol: Protocol) -> pd.Series:
    return _bound(frame, milestone, "HI", protocol)


def _first_day(frame: pd.DataFrame, milestone: str, protocol: Protocol) -> pd.Series:
    return _bound(frame, milestone, "LO", protocol)


def _bound(frame: pd.DataFrame, milestone: str, which: str, protocol: Protocol) -> pd.Series:
    name = _variable(milestone, protocol)
    return pd.to_datetime(frame[f"{name}_{which}" if f"{name}_{which}" in frame.columns else name])


def _clock(frame: pd.DataFrame, milestone: str, protocol: Protocol) -> list[str | None]:
    name = f"{_variable(milestone, protocol)}_TM"
    if name not in frame.columns:
        return [None] * len(frame)
    return [value if isinstance(value, str) else None for value in frame[name]]
