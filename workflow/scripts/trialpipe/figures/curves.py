"""Shared parts of step curves: the steps from result rows, and the numbers at risk under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io.text import inside

if TYPE_CHECKING:
    import pandas as pd

TICKS = (7, 14, 28, 30, 60, 90, 182.5, 365, 730)


def time_label(outcome: Outcome, protocol: Protocol) -> str:
    """Title of the time axis: days from the origin of the endpoint."""
    endpoint = outcome.endpoint
    if endpoint.kind == "reactivation":
        return "Days from first response"
    dataset = next((d for d in protocol.datasets if d.id == endpoint.dataset), None)
    start = getattr(endpoint, "origin", "")
    if dataset is not None and dataset.kind in ("infections", "stay", "nosocomial"):
        start = dataset.start if dataset.kind == "infections" else dataset.origin
    label = next(m.label for m in protocol.milestones if m.id == start)
    return f"Days from {inside(label)}"


def breaks(last: float) -> list[float]:
    """Round tick positions in days, at most nine."""
    step = next((t for t in TICKS if last / t <= 8), 730)
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
    for _, one in curve.groupby(by, sort=False, observed=True):
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


ROW = 13.0
"""Height of a line of the risk table in points."""


def margins(groups: list[str], height: float) -> dict[str, float]:
    """Room for the risk table: share of the figure under the axis and, for group names, to its left."""
    left = 0.012 * max(map(len, groups)) if len(groups) > 1 else 0.01
    return {"plot_margin_bottom": (len(groups) + 1) * ROW / 72 / height + 0.02, "plot_margin_left": left}


def risk_table(counts: pd.DataFrame, groups: list[str]) -> Callable[[Any], None]:
    """Decoration that writes the numbers at risk under the time axis, on its scale."""

    def decorate(axes: Any) -> None:
        def write(x: float, where: str, line: int, text: str, **style: Any) -> None:
            axes.annotate(
                text,
                xy=(x, 0),
                xycoords=(where, "axes fraction"),
                xytext=(0, -36 - ROW * line),
                textcoords="offset points",
                va="top",
                fontsize=8,
                annotation_clip=False,
                **style,
            )

        write(0, "axes fraction", 0, "Number at risk", ha="left", color="#5b6675")
        for i, group in enumerate(groups, start=1):
            if len(groups) > 1:
                write(-0.015, "axes fraction", i, group, ha="right")
            for row in counts[counts["group"] == group].to_dict("records"):
                write(row["time"], "data", i, str(row["n"]), ha="center")

    return decorate


def day(value: float) -> str:
    """Tick label without a trailing .0."""
    return f"{value:g}"
