"""Time-to-event rows as the arrays that ``stats`` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialpipe.analyse.context import MISSING, Context, Group, text
from trialpipe.config.datasets import InfectionsDataset, ReactivationDataset
from trialpipe.config.icu import NosocomialDataset, StayDataset
from trialpipe.config.outcomes import StateAtHorizon, TimeToEvent
from trialpipe.io.errors import DataError

EVENT, CENSORED, COMPETING = 0, 1, 2


@dataclass(frozen=True)
class Times:
    """``frame``: rows with a time; ``missing``: rows without. Arrays are in the order of ``frame``.

    ``cause``: 0 censored, 1 event of interest, 2 and up competing events in declared order.
    """

    frame: pd.DataFrame
    missing: pd.DataFrame
    time: np.ndarray
    cause: np.ndarray
    entry: np.ndarray

    @property
    def event(self) -> np.ndarray:
        """1 event of interest, 0 otherwise."""
        return (self.cause == 1).astype(int)

    @property
    def truncated(self) -> bool:
        """Whether a patient came at risk after the origin."""
        return bool((self.entry > 0).any())


def times(frame: pd.DataFrame) -> Times:
    """Arrays of rows of ADTTE, ADINF, ADSTAY or ADNOSO. Raises DataError if a patient has several rows."""
    if frame["USUBJID"].duplicated().any():
        several = sorted(set(frame["PARAMCD"]))
        cure = "add where: {PARAMCD: ..} to the analysis"
        raise DataError(item="PARAMCD", value=", ".join(several), message="several rows of one patient", cure=cure)
    known = frame[frame["AVAL"].notna()]
    code = known["CNSR"].to_numpy(dtype=int)
    cause = np.where(code == EVENT, 1, np.where(code == CENSORED, 0, code))
    entry = known["ENTRY"].fillna(0.0).to_numpy(dtype=float)
    return Times(known, frame[frame["AVAL"].isna()], known["AVAL"].to_numpy(dtype=float), cause, entry)


def at_risk(seen: Times, time: float) -> np.ndarray:
    """Which patients are at risk just before ``time``: still followed, and come under observation before it."""
    return (seen.time >= time) & ((seen.entry < time) | (seen.entry <= 0))


def why_missing(seen: Times) -> str | None:
    """Why patients have no time, in the words of the dataset; None if all have one."""
    if seen.missing.empty:
        return None
    said = sorted({text for text in seen.missing.get("NOTE", ()) if isinstance(text, str)})
    return f"{len(seen.missing)} patient(s) without a time left out" + (f": {'; '.join(said)}" if said else "")


@dataclass(frozen=True)
class Grouped:
    """Patients with a time of all levels together, with the place of their level; levels without any are left out."""

    times: Times
    code: np.ndarray
    labels: tuple[str, ...]
    left_out: tuple[str, ...]


def grouped(context: Context, levels: Sequence[Group]) -> Grouped:
    """The rows of ``levels`` for a comparison of groups; patients without a level are not in it."""
    levels = [level for level in levels if level.label != MISSING]
    all_times = times(context.data)
    place = {u: i for i, level in enumerate(levels) for u in level.subjects["USUBJID"]}
    keep = all_times.frame["USUBJID"].isin(list(place)).to_numpy()
    chosen = times(all_times.frame[keep])
    found = chosen.frame["USUBJID"].map(place).to_numpy(dtype=int)
    used = sorted(set(found.tolist()))
    code = np.array([used.index(i) for i in found], dtype=int)
    labels = tuple(levels[i].label for i in used)
    return Grouped(chosen, code, labels, tuple(v.label for i, v in enumerate(levels) if i not in used))


def strata(context: Context, frame: pd.DataFrame, variables: Sequence[str]) -> tuple[np.ndarray | None, np.ndarray]:
    """(stratum of each row as a code or None, rows whose patient has every stratum variable)."""
    if not variables:
        return None, np.ones(len(frame), bool)
    values = context.subjects.set_index("USUBJID").loc[list(frame["USUBJID"]), list(variables)]
    keys = [tuple(text(value) for value in row) for row in values.to_numpy(dtype=object)]
    known = np.array([None not in key for key in keys], bool)
    order = {key: i for i, key in enumerate(sorted({k for k, ok in zip(keys, known, strict=True) if ok}))}
    return np.array([order.get(key, -1) for key in keys], int), known


def causes(context: Context) -> dict[str, int]:
    """Cause code of every milestone that ends the time, event of interest first.

    A composite of several milestones is one event, named by all of them joined with ``+``.
    """
    spec = next((d for d in context.protocol.datasets if d.id == context.dataset), None)
    if isinstance(spec, StayDataset):
        return {spec.discharge: 1, spec.death: COMPETING}
    if isinstance(spec, (ReactivationDataset, InfectionsDataset, NosocomialDataset)):
        event = "reactivation" if isinstance(spec, ReactivationDataset) else "infection"
        return {event: 1, **{milestone: COMPETING + place for place, milestone in enumerate(spec.competing)}}
    endpoint = context.outcome.endpoint
    if isinstance(endpoint, StateAtHorizon):
        terminal = {endpoint.terminal: COMPETING} if endpoint.terminal else {}
        return {endpoint.death: 1, **terminal}
    assert isinstance(endpoint, TimeToEvent)
    return {
        "+".join(endpoint.event): 1,
        **{milestone: COMPETING + place for place, milestone in enumerate(endpoint.competing)},
    }
