"""Kaplan-Meier curve with confidence band, censoring marks and numbers at risk (KMunicate layout)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trialpipe.config.analyses_survival import KaplanMeier
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.figures import curves
from trialpipe.figures.theme import colours, save_svg
from trialpipe.figures.theme import theme as house

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, outcome: Outcome, analysis: KaplanMeier, protocol: Protocol) -> tuple | None:
    """The curve per group; the Overall curve only when there is no other."""
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

        plot = _plot(shown, groups, ticks, label) + theme(**curves.margins(groups, height))
        save_svg(plot, path, height, curves.risk_table(curves.at_risk(shown, ticks), groups))

    return shown, save


def _plot(shown: pd.DataFrame, groups: list[str], ticks: list[float], label: str) -> Any:
    import pandas as pd
    from plotnine import (
        aes,
        geom_point,
        geom_ribbon,
        geom_step,
        ggplot,
        labs,
        scale_color_manual,
        scale_fill_manual,
        scale_x_continuous,
        scale_y_continuous,
        theme,
    )

    curve = curves.steps(shown, "survival", 1.0, ["group"])
    curve["group"] = pd.Categorical(curve["group"], categories=groups)
    censored = shown[(shown["statistic"] == "n_censor") & (shown["value"] > 0)][["group", "time"]].merge(
        curve, on=["group", "time"]
    )
    limits = (0.0, float(curve["time"].max()))
    palette = dict(zip(groups, colours(len(groups)), strict=True))
    return (
        ggplot(curve, aes("time", "survival", color="group", fill="group"))
        + geom_ribbon(
            aes(ymin="lower", ymax="upper"),
            data=curves.stairs(curve, "survival", ["group"]),
            alpha=0.12,
            color="none",
        )
        + geom_step(size=0.9)
        + geom_point(data=censored, shape="|", size=2.4)
        + scale_color_manual(values=palette)
        + scale_fill_manual(values=palette)
        + scale_x_continuous(breaks=ticks, labels=[curves.day(t) for t in ticks], limits=limits, expand=(0.02, 0))
        + scale_y_continuous(limits=(0, 1), breaks=[0, 0.25, 0.5, 0.75, 1], expand=(0.01, 0))
        + labs(x=label, y="Probability without event")
        + house()
        + theme(legend_position="top" if len(groups) > 1 else "none")
    )
