"""Description of every parameter at every visit, with values outside the range of quantification as such."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse import sample
from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import Value
from trialpipe.analyse.rows import behind
from trialpipe.analyse.visits import alive, analysed, parameters, visit_of
from trialpipe.config.analyses import DescribeByVisit


def run(analysis: DescribeByVisit, context: Context) -> list[dict[str, Any]]:
    """One cell per parameter, visit and group."""
    found: list[dict[str, Any]] = []
    for parameter in parameters(context, analysis.parameters):
        for visit in analysis.visits:
            for group in context.groups:
                found += _cell(analysis, context, parameter, visit, group)
    return found


def _cell(
    analysis: DescribeByVisit, context: Context, parameter: str, visit: str, group: Group
) -> list[dict[str, Any]]:
    frame = analysed(context.of(group), parameter, visit)
    if analysis.change:
        frame = frame.assign(AVAL=frame["CHG"], CENS="none")
    frame = frame[frame["AVAL"].notna() | (frame["CENS"] != "none")]
    described, method, note = sample.stats(sample.sample(frame), analysis.geometric)
    roles = dict(sample.roles(frame, context.dataset))
    stats: dict[str, Value] = {}
    living = alive(context, group.subjects, visit_of(context, context.dataset, visit))
    if living is not None:
        stats["alive"] = len(living)
        roles["alive"] = behind("adsl", living)
    manner = sample.manner(context.data[context.data["PARAMCD"] == parameter], method, note)
    variable = "CHG" if analysis.change else "AVAL"
    return context.cell(
        stats | described, roles, manner, group=group.label, parameter=parameter, variable=variable, visit=visit
    )
