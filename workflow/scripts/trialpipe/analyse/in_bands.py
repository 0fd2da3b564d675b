"""Patients whose value at a visit lies in a band, where that can be determined."""

from __future__ import annotations

import math
from typing import Any

from trialpipe.analyse.context import Context, Group, keep
from trialpipe.analyse.rows import DENOMINATOR, Manner
from trialpipe.analyse.visits import analysed
from trialpipe.config.analyses import Band, InBands


def run(analysis: InBands, context: Context) -> list[dict[str, Any]]:
    """n / determined per band and group with exact limits; the category is the band's id."""
    found: list[dict[str, Any]] = []
    for band in analysis.bands:
        for group in context.groups:
            found += _cell(analysis, context, band, group)
    return found


def _cell(analysis: InBands, context: Context, band: Band, group: Group) -> list[dict[str, Any]]:
    frame = analysed(context.of(group), analysis.parameter, analysis.visit)
    columns = (frame["AVAL"], frame["CENS"], frame["LLOQ"], frame["ULOQ"])
    verdicts = [inside(*value, band) for value in zip(*columns, strict=True)]
    hits, known = keep(frame, (v is True for v in verdicts)), keep(frame, (v is not None for v in verdicts))
    unknown = keep(frame, (v is None for v in verdicts))
    shown = context.proportion(
        context.behind(hits),
        group,
        context.behind(known),
        analysis.conf_level,
        f"{len(unknown)} patient(s) undetermined: the limit of quantification lies within the band"
        if len(unknown)
        else None,
        parameter=analysis.parameter,
        variable="AVAL",
        category=band.id,
        visit=analysis.visit,
    )
    rest = context.cell(
        {"undetermined": len(unknown)},
        {"undetermined": context.behind(unknown), DENOMINATOR: context.behind(frame)},
        Manner(),
        group=group.label,
        parameter=analysis.parameter,
        variable="AVAL",
        category=band.id,
        visit=analysis.visit,
    )
    return shown + rest


def inside(value: float, censored: str, lloq: float, uloq: float, band: Band) -> bool | None:
    """Whether a value lies in the band; None if a censored one may or may not. Values are not negative."""
    low = -math.inf if band.low is None else band.low
    high = math.inf if band.high is None else band.high
    if censored == "left":
        if lloq <= low:
            return False
        return True if low <= 0 and lloq <= high else None
    if censored == "right":
        if uloq >= high:
            return False
        return True if uloq >= low and high == math.inf else None
    return bool(low <= value <= high)
