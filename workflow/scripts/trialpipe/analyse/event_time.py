"""Time to the event in the patients who have it: conditional on the event."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import Context
from trialpipe.analyse.formats import Value, data_decimals
from trialpipe.analyse.rows import Manner
from trialpipe.analyse.times import EVENT, times
from trialpipe.config.analyses import EventTime
from trialpipe.stats.describe import describe

CATEGORY = "patients with the event"
_METHOD = "Percentiles by SAS definition 5, patients with the event only (conditional)"
_NOTE = "conditional on the event: no estimate of the time to the event in all patients"


def run(analysis: EventTime, context: Context) -> list[dict[str, Any]]:
    """n with the event, median, quartiles and range of AVAL per group; nulls with a note if nobody has it.

    Raises DataError if a patient has several rows (``where`` must choose one parameter).
    """
    found: list[dict[str, Any]] = []
    rows = times(context.data).frame
    decimals = data_decimals(rows["AVAL"])
    for group in context.groups:
        frame = context.of(group, rows)
        frame = frame[frame["CNSR"] == EVENT]
        values = describe(frame["AVAL"].to_numpy(dtype=float))
        stats: dict[str, Value] = {"n": len(frame)}
        stats |= {name: values[name] for name in ("median", "q1", "q3", "min", "max")}
        note = _NOTE if len(frame) else "no patient with the event"
        manner = Manner(_METHOD, unit="d", note=note, data_decimals=decimals)
        found += context.cell(stats, {"n": context.behind(frame)}, manner, group=group.label, category=CATEGORY)
    return found
