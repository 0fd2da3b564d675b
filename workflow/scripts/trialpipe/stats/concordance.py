"""Concordance of a prognostic score with times to events."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.inputs import codes, entries, labels, merge_close, times


@dataclass(frozen=True)
class Concordance:
    """Pairs whose order is known: ``value`` is the share in which who fails first has the higher score, ties half.

    ``concordant``, ``discordant``, ``tied`` (scores equal): numbers of pairs. nan without a pair.
    """

    value: float
    concordant: int
    discordant: int
    tied: int


def concordance(
    score: np.ndarray,
    time: np.ndarray,
    event: np.ndarray,
    entry: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> Concordance:
    """Harrell's C (Harrell, Lee and Mark 1996 Stat Med 15:361), pairs within a stratum.

    Each event is compared with those still at risk after it: observed longer, or censored at the same time, and under
    observation before it. Events at one time are no pair. Scores closer than rounding error are equal. time >= 0;
    event 0/1. Raises ValueError on invalid input.
    """
    time = times(time)
    event = codes(event, len(time), "event", 1)
    risk = np.asarray(score, float)
    if risk.shape != time.shape or not np.isfinite(risk).all():
        raise ValueError("a score is missing or infinite")
    start = entries(entry, time)
    _, block = labels(strata, len(time), "stratum")
    time, start = merge_close(time, start)
    near = 1e-10 * max(1.0, float(np.abs(risk).max(initial=0.0)))
    counts = np.zeros(3, int)
    for i in np.flatnonzero(event == 1):
        later = (time > time[i]) | ((time == time[i]) & (event == 0))
        others = risk[(block == block[i]) & later & (start < time[i])]
        gap = risk[i] - others
        counts += ((gap > near).sum(), (gap < -near).sum(), (np.abs(gap) <= near).sum())
    agree, differ, tied = (int(v) for v in counts)
    pairs = agree + differ + tied
    return Concordance((agree + tied / 2) / pairs if pairs else math.nan, agree, differ, tied)
