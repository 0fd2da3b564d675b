"""Patients as the event derivations see them: one dated moment per milestone, read from ADSL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from trialpipe.config.protocol import Protocol
from trialpipe.derive.days import column, days, texts

LAST_ALIVE = "last_alive"


class Moment(NamedTuple):
    """When a milestone happened. Day numbers; ``low`` is None if nothing bounds it below."""

    milestone: str
    low: int | None
    high: int
    time: str | None = None
    flag: str | None = None

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def earliest(self, floor: int) -> int:
        """First possible day that is not before ``floor`` (``high`` if all are)."""
        return min(self.high, floor if self.low is None else max(self.low, floor))


@dataclass(frozen=True)
class Subject:
    """A patient. ``rows`` and ``notes`` by id of an event of a derived dataset: the row it is from, what it says."""

    usubjid: str
    row_id: str
    moments: dict[str, Moment]
    flags: dict[str, bool]
    rows: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def moment(self, milestone: str) -> Moment | None:
        """The patient's moment of a milestone (or ``last_alive``); None if it did not happen."""
        return self.moments.get(milestone)

    def exact_day(self, milestone: str) -> int | None:
        """Day of a milestone with an exact date, else None."""
        found = self.moments.get(milestone)
        return found.high if found is not None and found.exact else None

    @property
    def last_alive(self) -> int | None:
        return self.exact_day(LAST_ALIVE)


def subjects(adsl: pd.DataFrame, protocol: Protocol) -> list[Subject]:
    """Every patient of ADSL in USUBJID order, with moments by milestone id and membership by population id."""
    ordered = adsl.sort_values("USUBJID", kind="stable")
    ids, row_ids = list(ordered["USUBJID"]), list(ordered["row_id"])
    moments: list[dict[str, Moment]] = [{} for _ in ids]
    for milestone in protocol.milestones:
        name = milestone.variable
        low, high = days(column(ordered, f"{name}_LO")), days(column(ordered, f"{name}_HI"))
        time, flag = texts(column(ordered, f"{name}_TM")), texts(column(ordered, f"{name}F"))
        for index, upper in enumerate(high):
            if upper is not None:
                moments[index][milestone.id] = Moment(milestone.id, low[index], upper, time[index], flag[index])
    for index, alive in enumerate(days(column(ordered, protocol.last_alive.variable))):
        if alive is not None:
            moments[index][LAST_ALIVE] = Moment(LAST_ALIVE, alive, alive)
    members = {p.id: texts(column(ordered, p.variable)) for p in protocol.populations}
    return [
        Subject(usubjid, row_ids[i], moments[i], {name: flags[i] == "Y" for name, flags in members.items()})
        for i, usubjid in enumerate(ids)
    ]


def milestone_label(protocol: Protocol, milestone: str) -> str:
    """Label of a milestone or derived event; ``last_alive`` has a fixed one."""
    if milestone == LAST_ALIVE:
        return "Last known alive"
    named = {e.id: e.label for e in protocol.intercurrent_events}
    named |= {m.id: m.label for m in protocol.milestones} | {e.id: e.label for e in protocol.derived_events}
    return named.get(milestone, milestone)
