"""Responders by visit: one bar per level and visit with its exact interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trialpipe.config.analyses import ResponseByVisit
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.figures.theme import colours, save_svg
from trialpipe.figures.theme import theme as house

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, outcome: Outcome, analysis: ResponseByVisit, protocol: Protocol) -> tuple | None:
    """Points with intervals per level (those that have an interval) and visit; None for a single visit."""
    shown = rows[rows["statistic"].isin(["percent", "lower", "upper"]) & rows["value"].notna()]
    with_interval = set(shown.loc[shown["statistic"] == "lower", "category"])
    shown = shown[shown["category"].isin(with_interval)]
    if shown["visit"].nunique() < 2:
        return None
    return shown, lambda path: save_svg(_plot(shown, analysis), path, 2.9)


def _plot(shown: pd.DataFrame, analysis: ResponseByVisit) -> Any:
    import pandas as pd
    from plotnine import (
        aes,
        geom_pointrange,
        ggplot,
        labs,
        position_dodge,
        scale_color_manual,
        scale_y_continuous,
    )

    wide = shown.pivot_table(index=["visit", "category"], columns="statistic", values="value", sort=False).reset_index()
    levels = list(dict.fromkeys(wide["category"]))
    visits = [v for v in analysis.visits if v in set(wide["visit"])]
    wide = wide.assign(
        visit=pd.Categorical(wide["visit"], categories=visits),
        category=pd.Categorical(wide["category"], categories=levels),
    )
    return (
        ggplot(wide, aes("visit", "percent", ymin="lower", ymax="upper", color="category"))
        + geom_pointrange(position=position_dodge(width=0.4), size=0.6)
        + scale_color_manual(values=dict(zip(levels, colours(len(levels)), strict=True)))
        + scale_y_continuous(limits=(0, 100), breaks=[0, 25, 50, 75, 100])
        + labs(x="Visit", y="Patients (%)")
        + house()
    )
