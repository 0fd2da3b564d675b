"""Registered length of a stay, overall and by how it ended; patients still in, readmitted; days free of the stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse import sample
from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import Value, data_decimals
from trialpipe.analyse.rows import DENOMINATOR, Manner
from trialpipe.analyse.times import CENSORED, times
from trialpipe.config.analyses import LengthOfStay
from trialpipe.config.icu import StayDataset

ALL, DISCHARGED, DIED = "All", "Discharged alive", "Died"
FREE, NONE_FREE = "Days free of the stay to day {}", "Dead by day {}: no free day"
STILL_IN, NOT_FOLLOWED, READMITTED = "Still in on day {}", "Not followed to the end of the stay", "Readmitted"
LENGTH, FREE_DAYS = "length", "free"
_ENDED = {DISCHARGED: "discharged alive", DIED: "died"}
_NOTE = "ends at death too, so that early death shortens it"
_METHOD = "Percentiles by SAS definition 5; stays that had not ended as longer than observed"
_TURNBULL = "Percentiles by Turnbull's estimate, stays that had not ended as censored"
_FREE_METHOD = "Percentiles by SAS definition 5; 0 after a death by the last of the days"


def run(analysis: LengthOfStay, context: Context) -> list[dict[str, Any]]:
    """Per group: length in days from the origin to discharge or death of all patients with a time, then by how the
    stay ended; patients still in at the horizon, not followed, without a length, readmitted; days free of the stay.

    Raises DataError if a patient has several rows.
    """
    spec = next(d for d in context.protocol.datasets if d.id == context.dataset)
    assert isinstance(spec, StayDataset)
    known = times(context.data)
    decimals = data_decimals(known.frame["AVAL"])
    found: list[dict[str, Any]] = []
    for group in context.groups:
        found += _length(context, group, context.of(group, known.frame), spec, decimals)
        found += _free(context, group, spec)
    return found


def _length(
    context: Context, group: Group, frame: pd.DataFrame, spec: StayDataset, decimals: int
) -> list[dict[str, Any]]:
    found = _described(context, group, ALL, frame, decimals)
    for category, how in _ENDED.items():
        found += _described(context, group, category, frame[frame["ENDED"] == how], decimals)
    counted = {
        STILL_IN.format(spec.horizon): frame["ENDED"] == "still in",
        NOT_FOLLOWED: frame["ENDED"] == "not followed",
    }
    for category, chosen in counted.items():
        found += context.proportion(context.behind(frame[chosen]), group, variable=LENGTH, category=category)
    out = frame[frame["ENDED"] == _ENDED[DISCHARGED]]
    return found + context.proportion(
        context.behind(out[out["READMFL"] == "Y"]),
        group,
        context.patients(out["USUBJID"]),
        manner=Manner(note="the first stay counts"),
        variable=LENGTH,
        category=READMITTED,
    )


def _described(
    context: Context, group: Group, category: str, frame: pd.DataFrame, decimals: int
) -> list[dict[str, Any]]:
    """Patients among those of the group, and the distribution of their lengths."""
    people = context.people(group)
    ended = frame["CNSR"] != CENSORED
    length = frame["AVAL"].to_numpy(dtype=float)
    values = sample.Sample(length[ended.to_numpy(dtype=bool)], np.empty(0), length[(~ended).to_numpy(dtype=bool)])
    described, method, _ = sample.stats(values)
    absent = len(people.keys) - len(frame) if category == ALL else 0
    note = f"{_NOTE}; {absent} patient(s) without a length" if absent else _NOTE
    stats = _share(len(frame), len(people.keys)) | {k: described[k] for k in ("median", "q1", "q3", "min", "max")}
    manner = Manner(
        _TURNBULL if method == sample.TURNBULL else _METHOD,
        unit="d",
        note=note if len(frame) else "no patient",
        data_decimals=decimals,
    )
    roles = {"n": context.behind(frame), DENOMINATOR: people}
    return context.cell(stats, roles, manner, group=group.label, variable=LENGTH, category=category)


def _free(context: Context, group: Group, spec: StayDataset) -> list[dict[str, Any]]:
    people, data = context.people(group), context.of(group)
    known = data[data["FREEDY"].notna()]
    described, _, _ = sample.stats(sample.Sample(known["FREEDY"].to_numpy(dtype=float), np.empty(0), np.empty(0)))
    absent = len(people.keys) - len(known)
    stats = _share(len(known), len(people.keys)) | {k: described[k] for k in ("median", "q1", "q3", "min", "max")}
    note = f"{absent} patient(s) unknown" if absent else None
    manner = Manner(_FREE_METHOD, unit="d", note=note if len(known) else "no patient with known free days")
    roles = {"n": context.behind(known), DENOMINATOR: people}
    category = FREE.format(spec.free_to)
    found = context.cell(stats, roles, manner, group=group.label, variable=FREE_DAYS, category=category)
    dead = known[known["FREEDTH"] == "Y"]
    return found + context.proportion(
        context.behind(dead), group, variable=FREE_DAYS, category=NONE_FREE.format(spec.free_to)
    )


def _share(n: int, total: int) -> dict[str, Value]:
    return {"n": n, "denominator": total, "percent": 100 * n / total if total else float("nan")}
