"""Exposures that begin during follow-up: switch times from ADSL, counting-process rows, landmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.times import times
from trialpipe.config.analyses_survival import Landmark, TimeDependent
from trialpipe.stats.cox import split_at


class Pieces(NamedTuple):
    """Intervals (entry, time] at risk; ``row`` is the place of the patient, ``exposed`` (intervals, exposures)."""

    row: np.ndarray
    entry: np.ndarray
    time: np.ndarray
    event: np.ndarray
    exposed: np.ndarray


def switch_days(context: Context, frame: pd.DataFrame, milestone: str) -> np.ndarray:
    """Elapsed days from STARTDT to a milestone per row of ``frame``, nan if it did not happen.

    A partial date counts as its last possible day: nobody is exposed before the exposure is certain.
    """
    name = next(m.variable for m in context.protocol.milestones if m.id == milestone)
    people = context.subjects.set_index("USUBJID").loc[list(frame["USUBJID"])]
    column = f"{name}_HI" if f"{name}_HI" in people.columns else name
    elapsed = pd.to_datetime(people[column]).to_numpy() - pd.to_datetime(frame["STARTDT"]).to_numpy()
    return elapsed / np.timedelta64(1, "D")


def at_landmark(context: Context, landmark: Landmark | None) -> Context:
    """The context of patients at risk after the landmark, in two groups: exposed by then, and not (Anderson 1983)."""
    if landmark is None:
        return context
    seen = times(context.data)
    kept = seen.frame[seen.time > landmark.at]
    reached = switch_days(context, kept, landmark.exposure) <= landmark.at
    people = context.subjects[context.subjects["USUBJID"].isin(set(kept["USUBJID"]))]
    exposed = people["USUBJID"].isin(set(kept["USUBJID"][reached]))
    levels = (Group(landmark.label, people[exposed]), Group(landmark.other, people[~exposed]))
    return replace(context, subjects=people, data=kept, levels=levels)


def counting_process(
    time: np.ndarray,
    event: np.ndarray,
    entry: np.ndarray,
    switches: Sequence[np.ndarray],
    exposures: Sequence[TimeDependent],
) -> Pieces:
    """Follow-up cut where an exposure begins. Patients without time at risk have no interval."""
    at_risk = np.nonzero(time > entry)[0]
    pieces = Pieces(at_risk, entry[at_risk], time[at_risk], event[at_risk], np.zeros((len(at_risk), 0)))
    for switch, exposure in zip(switches, exposures, strict=True):
        start = pieces.entry
        index, begin, end, events, exposed = split_at(
            pieces.time - start, pieces.event, switch[pieces.row] - start, exposure.switches
        )
        pieces = Pieces(
            pieces.row[index],
            begin + start[index],
            end + start[index],
            events,
            np.column_stack([pieces.exposed[index], exposed]),
        )
    return pieces
