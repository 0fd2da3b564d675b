"""Median and quartiles by visit, one panel per parameter, one line per group; values below the limit stand at it."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

from trialpipe.config.analyses import DescribeByVisit
from trialpipe.config.datasets import ConcentrationsDataset, FindingsDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.figures.theme import COLOURS, colours, save_svg
from trialpipe.figures.theme import theme as house
from trialpipe.io.text import printed_unit

if TYPE_CHECKING:
    import pandas as pd

OVERALL = "Overall"
BY_VISIT = (FindingsDataset, ConcentrationsDataset)
PANEL_LETTERS = 30
VISIT_LETTERS = 14
"""Most letters in a line of a panel's title, and of a visit's name on the axis."""


def draw(rows: pd.DataFrame, outcome: Outcome, analysis: DescribeByVisit, protocol: Protocol) -> tuple | None:
    """Medians with quartiles; None for a single visit, which a table says better."""
    shown = rows[rows["statistic"].isin(["median", "q1", "q3"]) & rows["value"].notna()]
    groups = [group for group in dict.fromkeys(shown["group"]) if group != OVERALL]
    if groups:  # all patients together stand in the table
        shown = shown[shown["group"] != OVERALL]
    if shown["visit"].nunique() < 2:
        return None
    panels = shown["parameter"].nunique()
    height = 3.0 if panels == 1 else 2.0 * -(-panels // 3) + 0.6
    return shown, lambda path: save_svg(_plot(shown, outcome, analysis, protocol, panels), path, height)


def _plot(shown: pd.DataFrame, outcome: Outcome, analysis: DescribeByVisit, protocol: Protocol, panels: int) -> Any:
    import pandas as pd
    from plotnine import (
        aes,
        element_text,
        facet_wrap,
        geom_line,
        geom_pointrange,
        ggplot,
        labs,
        position_dodge,
        scale_color_manual,
        scale_shape_manual,
        scale_x_discrete,
        scale_y_log10,
        theme,
    )

    # a score has no unit, and a key without a value would be left out
    wide = (
        shown.assign(unit=shown["unit"].fillna(""))
        .pivot_table(index=["parameter", "unit", "visit", "group"], columns="statistic", values="value", sort=False)
        .reset_index()
    )
    wide = wide.reindex(columns=["parameter", "unit", "visit", "group", "median", "q1", "q3"])
    visits = [v for v in analysis.visits if v in set(wide["visit"])]
    bounded = shown[shown["qualifier"].notna() & (shown["statistic"] == "median")]
    key = ["parameter", "visit", "group"]
    outside = set(zip(*(bounded[name] for name in key), strict=True))
    wide["known"] = [
        "outside" if place in outside else "inside" for place in zip(*(wide[name] for name in key), strict=True)
    ]
    kept = [d for d in protocol.datasets if isinstance(d, BY_VISIT)]
    words = {p.code: p.label for d in kept for p in (*d.parameters, *getattr(d, "ratios", ()))}
    # the parameters of a score are labelled by its definition, which figures do not read
    scores = {d.id: d.label for d in protocol.datasets if d.kind == "sofa"}
    score = scores.get(analysis.dataset or outcome.endpoint.dataset) if panels == 1 else None
    instead = score or (analysis.title if panels == 1 else None)
    names = [words.get(code, instead or code) for code in wide["parameter"]]
    groups = list(dict.fromkeys(wide["group"]))
    palette = dict(zip(groups, colours(len(groups)), strict=True))
    dodge = position_dodge(width=0.3 if len(groups) > 1 else 0)
    units = ["" if unit in ("", "1") else f" ({printed_unit(unit)})" for unit in wide["unit"]]
    labels = [f"{name}{unit}" for name, unit in zip(names, units, strict=True)]
    labels = labels if panels == 1 else [fill(label, PANEL_LETTERS) for label in labels]
    wide = wide.assign(
        visit=pd.Categorical(wide["visit"], categories=visits),
        group=pd.Categorical(wide["group"], categories=groups),
        panel=pd.Categorical(labels, categories=list(dict.fromkeys(labels))),
        low=wide["q1"].fillna(wide["median"]),
        high=wide["q3"].fillna(wide["median"]),
    ).dropna(subset=["median"])
    plain: dict[str, Any] = {} if len(groups) > 1 else {"color": COLOURS[5]}
    plot = (
        ggplot(wide, aes("visit", "median", ymin="low", ymax="high", group="group", color="group"))
        + geom_line(size=0.5, position=dodge, **plain)
        + geom_pointrange(aes(shape="known"), fill="white", size=0.5, position=dodge)
        + scale_color_manual(values=palette, guide="legend" if len(groups) > 1 else None)
        + scale_shape_manual(values={"inside": "o", "outside": "v"}, guide=None)
        + scale_x_discrete(labels=lambda breaks: [fill(str(visit), VISIT_LETTERS) for visit in breaks])
        + labs(
            x="",
            y="Median and quartiles (log scale)" if (wide["low"] > 0).all() else "Median and quartiles",
            caption="Triangle: median outside the range of quantification, drawn at the limit" if outside else "",
        )
        + house()
        + theme(axis_text_x=element_text(size=8))
    )
    if (wide["low"] > 0).all():
        plot = plot + scale_y_log10()
    return plot + facet_wrap("panel", scales="free_y", ncol=1 if panels == 1 else 3)
