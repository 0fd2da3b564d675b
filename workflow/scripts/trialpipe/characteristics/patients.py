"""ADSL of patients that were drawn and never recorded: dated milestones, strata, arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from trialpipe.config.protocol import Protocol

EPOCH = pd.Timestamp("1970-01-01")


@dataclass(frozen=True)
class Drawn:
    """Patients as drawn. Days count from 1970-01-01; None: it did not happen.

    ``moments``: milestone id to a day per patient; ``last_alive``: a day per patient; ``columns``: further columns of
    ADSL; ``tables``: derived datasets that the endpoint is made from.
    """

    n: int
    moments: Mapping[str, Sequence[int | None]]
    last_alive: Sequence[int]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def numbers(protocol: Protocol, n: int) -> list[str]:
    """USUBJID of ``n`` patients, in the order in which they are drawn."""
    return [f"{protocol.trial}/{index + 1:05d}" for index in range(n)]


def day(text: str) -> int:
    """Days from 1970-01-01 of an ISO date."""
    return (pd.Timestamp(text) - EPOCH).days


def dates(days: Sequence[int | None]) -> pd.Series:
    """Day numbers as dates; NaT for None."""
    known = [np.datetime64("NaT") if number is None else np.datetime64(int(number), "D") for number in days]
    return pd.Series(np.array(known, dtype="datetime64[D]").astype("datetime64[ns]"))


def adsl(protocol: Protocol, drawn: Drawn) -> pd.DataFrame:
    """ADSL with exact dates; every patient is in every population, and in the first arm unless ``columns`` say more."""
    names = numbers(protocol, drawn.n)
    frame: dict[str, object] = {
        "row_id": [f"adsl:{name}" for name in names],
        "USUBJID": names,
        "SUBJID": [name.rpartition("/")[2] for name in names],
        "ARMCD": [protocol.arms[0].id] * drawn.n,
        "ARM": [protocol.arms[0].label] * drawn.n,
        "from": [[] for _ in names],
    }
    frame |= {population.variable: ["Y"] * drawn.n for population in protocol.populations}
    for milestone in protocol.milestones:
        if milestone.id in drawn.moments:
            stamps = dates(drawn.moments[milestone.id])
            frame |= {f"{milestone.variable}{end}": stamps for end in ("", "_LO", "_HI")}
    frame[protocol.last_alive.variable] = dates(drawn.last_alive)
    return pd.DataFrame({**frame, **drawn.columns})
