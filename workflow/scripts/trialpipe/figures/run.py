"""Figures of a trial: each analysis kind that has a drawing gives one SVG and the rows it shows."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd

DRAWINGS = {
    "kaplan_meier": "trialpipe.figures.survival",
    "cumulative_incidence": "trialpipe.figures.incidence",
    "response_by_visit": "trialpipe.figures.response",
    "describe_by_visit": "trialpipe.figures.by_visit",
    "flow": "trialpipe.figures.flow",
    "simon_two_stage": "trialpipe.figures.two_stage",
}


class Figure(NamedTuple):
    """``name`` is ``<outcome>.<analysis>``; ``data`` the result rows shown; ``save`` writes the SVG to a path."""

    name: str
    data: pd.DataFrame
    save: Any


def draw(results: pd.DataFrame, protocol: Protocol, outcomes: tuple[Outcome, ...]) -> Iterator[Figure]:
    """Every figure of a trial, in the order of outcomes.yaml. Only the primary scenario is drawn."""
    primary = results[results["scenario"] == "primary"]
    for outcome in outcomes:
        for analysis in outcome.analyses:
            if analysis.kind not in DRAWINGS:
                continue
            name = f"{analysis.kind}.{analysis.id}" if analysis.id else analysis.kind
            rows = primary[(primary["outcome"] == outcome.id) & primary["analysis"].isin([name, f"{name}~curve"])]
            rows = rows.sort_values("order", kind="stable")
            figure = importlib.import_module(DRAWINGS[analysis.kind]).draw(rows, outcome, analysis, protocol)
            if figure is not None:
                shown, save = figure
                yield Figure(f"{outcome.id}.{name}", shown, save)
