"""Intercurrent events found in the data: patients with each while at risk of the outcome, beside its strategy."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import Context
from trialpipe.config.analyses import IntercurrentEvents


def run(analysis: IntercurrentEvents, context: Context) -> list[dict[str, Any]]:
    """n / patients of the group per event in the protocol's order, with its strategy as ``term``.

    An event that is declared and never found has n 0. A row stands for every event that the dataset holds for the
    outcome: those with a declared strategy and those that are part of the endpoint.
    """
    data = context.data[context.data["OUTCOME"] == context.outcome.id]
    strategies = dict(zip(data["ICE"], data["STRATEGY"], strict=True))
    found: list[dict[str, Any]] = []
    for group in context.groups:
        frame = context.of(group, data)
        for event in context.protocol.intercurrent_events:
            # without a patient the declaration itself says what would be printed
            strategy = strategies.get(event.id) or context.outcome.estimand.intercurrent.get(event.id)
            if strategy is None:
                continue
            mine = frame[frame["ICE"] == event.id]
            unknown = int(mine["OCCURFL"].isna().sum())
            note = f"{unknown} patient(s) not at risk of the outcome" if unknown else None
            hits = context.behind(mine[mine["OCCURFL"] == "Y"])
            found += context.proportion(hits, group, note=note, category=event.id, term=strategy)
    return found
