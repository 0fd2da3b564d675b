"""Time to response among responders: conditional on response."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse import response_times
from trialpipe.analyse.context import Context
from trialpipe.analyse.formats import Value, data_decimals
from trialpipe.analyse.rows import Manner
from trialpipe.config.analyses import ResponderTime
from trialpipe.stats.describe import describe

_NOTE = "conditional: among responders only, by target day of the first visit with response"


def run(analysis: ResponderTime, context: Context) -> list[dict[str, Any]]:
    """Median, quartiles and range of the target day of the visit of response, per group."""
    found: list[dict[str, Any]] = []
    rows = response_times.rows(context, analysis.rule_set, analysis.level)
    for group in context.groups:
        frame = context.of(group, rows)
        frame = frame[frame["CNSR"] == 0]
        values = describe(frame["TIME"].to_numpy(dtype=float))
        stats: dict[str, Value] = {"n": len(frame)}
        stats |= {name: values[name] for name in ("median", "q1", "q3", "min", "max")}
        note = _NOTE if len(frame) else f"no responder; {_NOTE}"
        decimals = data_decimals(rows["TIME"])
        manner = Manner("Percentiles by SAS definition 5", unit="d", note=note, data_decimals=decimals)
        found += context.cell(
            stats,
            {"n": context.behind(frame)},
            manner,
            group=group.label,
            parameter=f"{analysis.rule_set} {analysis.level}",
            category="responders",
        )
    return found
