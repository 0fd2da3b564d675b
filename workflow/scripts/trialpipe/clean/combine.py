"""Stacks the queries or the row accounting of a trial's jobs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from trialpipe.io.contracts import QUERIES, Contract
from trialpipe.io.store import empty


def combine(frames: Sequence[pd.DataFrame], contract: Contract) -> pd.DataFrame:
    """All rows, sorted by the contract's key.

    A query found from several domains at the same cell (a date of a form that feeds two) is one query: its domains
    are listed, its cells united.
    """
    names = [column.name for column in contract.columns]
    filled = [frame[names] for frame in frames if len(frame)]
    if not filled:
        return empty(contract)
    stacked = pd.concat(filled, ignore_index=True)
    if contract.name == QUERIES.name:
        stacked = _united(stacked)
    return stacked.sort_values(list(contract.key), kind="stable", ignore_index=True)


def _united(queries: pd.DataFrame) -> pd.DataFrame:
    found: dict[str, dict] = {}
    for row in queries.to_dict("records"):
        known = found.setdefault(row["query_id"], {**row, "domain": set(), "origin": []})
        known["domain"] |= set((row["domain"] or "").split(", ")) - {""}
        known["origin"] += [cell for cell in row["origin"] if cell not in known["origin"]]
    rows = [{**row, "domain": ", ".join(sorted(row["domain"])) or None} for row in found.values()]
    return pd.DataFrame(rows, columns=list(queries.columns))
