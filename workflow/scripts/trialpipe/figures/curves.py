"""Shared parts of step curves: the steps from result rows, and the numbers at risk under them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TICKS = (7, 14, 28, 30, 60, 90, 182.5, 365, 730)


def breaks(last: float) -> list[float]:
    """Round tick positions in days, at most seven."""
    step = next((t for t in TICKS if last / t <= 7), 730)
    return [step * i for i in range(int(last // step) + 1)]


def steps(rows: pd.DataFrame, statistic: str, start: float, by: list[str]) -> pd.DataFrame:
    """Wide rows (time, estimate, lower, upper) per curve, beginning at time 0 with ``start``."""
    import pandas as pd

    wide = rows[rows["statistic"].isin([statistic, "lower", "upper"])].pivot_table(
        index=[*by, "time"], columns="statistic", values="value", aggfunc="first", sort=False
    )
    wide = wide.reindex(columns=[statistic, "lower", "upper"]).reset_index()
    firsts = wide.drop_duplicates(by)[by].assign(**{"time": 0.0, statistic: start, "lower": start, "upper": start})
    joined = pd.concat([firsts, wide], ignore_index=True)
    order = {key: i for i, key in enumerate(dict.fromkeys(map(tuple, firsts[by].to_numpy())))}
    joined["_order"] = [order[key] for key in map(tuple, joined[by].to_numpy())]
    joined = joined.sort_values(["_order", "time"], kind="stable")
    return joined.drop_duplicates([*by, "time"], keep="last").reset_index(drop=True)


def stairs(curve: pd.DataFrame, statistic: str, by: list[str]) -> pd.DataFrame:
    """Corner points of the band of a step curve, so that a ribbon follows the steps."""
    import pandas as pd

    parts = []
    for _, one in curve.groupby(by, sort=False):
        doubled = one.loc[one.index.repeat(2)].copy()
        doubled["time"] = [*one["time"].repeat(2).iloc[1:], one["time"].iloc[-1]]
        parts.append(doubled)
    return pd.concat(parts, ignore_index=True).dropna(subset=["lower", "upper"])


def at_risk(rows: pd.DataFrame, ticks: list[float]) -> pd.DataFrame:
    """Number at risk per group at each tick: the count of the first step at or after it, 0 after the last."""
    import pandas as pd

    found = []
    risk = rows[rows["statistic"] == "n_risk"].drop_duplicates(["group", "time"])
    for group, one in risk.groupby("group", sort=False):
        one = one.sort_values("time")
        for tick in ticks:
            later = one[one["time"] >= tick]
            found.append({"group": group, "time": tick, "n": int(later["value"].iloc[0]) if len(later) else 0})
    return pd.DataFrame(found)


def risk_table(
    counts: pd.DataFrame, ticks: list[float], limits: tuple[float, float], groups: list[str], label: str
) -> Any:
    """The rows under a curve: number at risk per group, on the same time axis."""
    import pandas as pd
    from plotnine import (
        aes,
        element_blank,
        element_text,
        geom_text,
        ggplot,
        labs,
        scale_x_continuous,
        scale_y_discrete,
        theme,
    )

    from trialpipe.figures.theme import theme as house

    counts = counts.assign(group=pd.Categorical(counts["group"], categories=groups[::-1]))
    return (
        ggplot(counts, aes("time", "group", label="n"))
        + geom_text(size=8)
        + scale_x_continuous(breaks=ticks, limits=limits, expand=(0.02, 0))
        + scale_y_discrete(limits=groups[::-1])
        + labs(x=label, y="", title="Number at risk")
        + house()
        + theme(
            panel_grid_major=element_blank(),
            axis_line_x=element_blank(),
            axis_text_x=element_blank(),
            plot_title=element_text(size=8.5, weight="normal", ha="left"),
        )
    )


def day(value: float) -> str:
    """Tick label without a trailing .0."""
    return f"{value:g}"
