"""Cumulative incidence curves per cause (and group) with numbers at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from trialpipe.config.analyses_survival import CumulativeIncidence
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.figures import curves
from trialpipe.figures.theme import colours, save_svg
from trialpipe.figures.theme import theme as house

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, outcome: Outcome, analysis: CumulativeIncidence, protocol: Protocol) -> tuple | None:
    """Curves per group and cause; the Overall curves only when there is no group."""
    shown = rows[rows["analysis"].str.endswith("~curve")]
    named = shown[shown["group"] != "Overall"]
    shown = named if len(named) else shown
    if shown.empty:
        return None
    groups = list(dict.fromkeys(shown["group"]))
    label = curves.time_label(outcome, protocol)

    height = 4.0 + curves.ROW / 72 * len(groups)
    ticks = curves.breaks(float(shown["time"].max()))

    def save(path: Any) -> None:
        from plotnine import theme

        named = {m.id: m.label for m in protocol.milestones} | {e.id: e.label for e in protocol.derived_events}
        named |= dict(getattr(outcome.endpoint, "labels", {}))
        words = shown["category"].map(lambda code: named.get(code, str(code).capitalize()), na_action="ignore")
        plot = _plot(shown.assign(category=words), groups, ticks, label) + theme(**curves.margins(groups, height))
        save_svg(plot, path, height, curves.risk_table(curves.at_risk(shown, ticks), groups))

    return shown, save


def _plot(shown: pd.DataFrame, groups: list[str], ticks: list[float], label: str) -> Any:
    import pandas as pd
    from plotnine import (
        aes,
        geom_step,
        ggplot,
        labs,
        scale_color_manual,
        scale_linetype_manual,
        scale_x_continuous,
        scale_y_continuous,
        theme,
    )

    by = ["group", "category"]
    curve = curves.steps(shown.assign(category=shown["category"].fillna("")), "cif", 0.0, by)
    causes = list(dict.fromkeys(curve["category"]))
    lines = causes if len(groups) == 1 else groups
    curve["line"] = pd.Categorical(curve["category" if len(groups) == 1 else "group"], categories=lines)
    curve["cause"] = pd.Categorical(curve["category"], categories=causes)
    limits = (0.0, float(curve["time"].max()))
    kinds = ["solid", "dashed", "dotted", "dashdot"]
    # one legend tells the lines apart by colour; a second one is needed where colours are groups and dashes causes
    dashes: Literal["legend"] | None = "legend" if len(groups) > 1 and len(causes) > 1 else None
    return (
        ggplot(curve, aes("time", "cif", color="line", linetype="cause", group="group + '/' + category"))
        + geom_step(size=0.9)
        + scale_color_manual(values=dict(zip(lines, colours(len(lines)), strict=True)))
        + scale_linetype_manual(
            values=dict(zip(causes, [kinds[i % 4] for i in range(len(causes))], strict=True)), guide=dashes
        )
        + scale_x_continuous(breaks=ticks, labels=[curves.day(t) for t in ticks], limits=limits, expand=(0.02, 0))
        + scale_y_continuous(limits=(0, 1), breaks=[0, 0.25, 0.5, 0.75, 1], expand=(0.01, 0))
        + labs(x=label, y="Cumulative incidence")
        + house()
        + theme(legend_position="top" if len(lines) > 1 else "none")
    )
