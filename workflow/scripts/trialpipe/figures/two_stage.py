"""Two-stage design: successes by patients treated against the bounds, and what the design can do."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from trialpipe.config.analyses import SimonTwoStage
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol, SimonDesign
from trialpipe.figures.theme import COLOURS, save_svg
from trialpipe.figures.theme import theme as house

if TYPE_CHECKING:
    import pandas as pd

INK, PATH, GO, STOP, QUIET = "#1c2430", COLOURS[0], COLOURS[2], COLOURS[4], COLOURS[5]
HEIGHT = 5.0
TOP = 78
"""Height of the words above the axes in points."""
PANEL = (0.775, 0.157, 0.21, 0.607)
"""Left, bottom, width and height of the right panel as shares of the figure."""
QUARTERS = ["0", "0.25", "0.5", "0.75", "1"]


def draw(rows: pd.DataFrame, outcome: Outcome, analysis: SimonTwoStage, protocol: Protocol) -> tuple | None:
    """Path of the trial between the bounds, with the exact chances to reject and to stop; None without results."""
    spec = protocol.design.simon
    shown = rows[rows["analysis"].str.endswith("~curve") | (rows["variable"] == "observed")]
    if spec is None or shown.empty:
        return None
    assumed = bool(shown["assumed"].any())

    def save(path: Any) -> None:
        save_svg(_bounds(shown, spec), path, HEIGHT, lambda axes: _decorate(axes, shown, spec, assumed))

    return shown, save


def _path(shown: pd.DataFrame) -> list[tuple[int, int]]:
    """(patients, successes), from (0, 0)."""
    mine = shown[shown["variable"] == "path"].sort_values("order", kind="stable")
    successes = mine.loc[mine["statistic"] == "n", "value"]
    return [(0, 0), *((i, int(value)) for i, value in enumerate(successes, start=1))]


def _bounds(shown: pd.DataFrame, spec: SimonDesign) -> Any:
    import pandas as pd
    from plotnine import aes, geom_point, geom_segment, geom_step, ggplot, labs, scale_x_continuous, scale_y_continuous
    from plotnine import theme as adjust

    path = pd.DataFrame(_path(shown), columns=["patients", "successes"])
    last = max(spec.n, int(path["patients"].max()))
    bars = pd.DataFrame(
        [(spec.n1, 0, spec.r1, STOP), (spec.n, 0, spec.r, STOP), (spec.n, spec.r + 1, spec.n, GO)],
        columns=["patients", "low", "high", "colour"],
    )
    # a bound of 0 is a bar too
    bars = bars.assign(low=bars["low"] - 0.2, high=bars["high"] + 0.2)
    diagonal = pd.DataFrame({"patients": [0], "successes": [0], "end": [last]})
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100) if last / s <= 11)
    ticks = list(range(0, last + 1, step))
    plot = (
        ggplot(path, aes("patients", "successes"))
        + geom_segment(
            aes("patients", "successes", xend="end", yend="end"),
            data=diagonal,
            color=QUIET,
            linetype="dotted",
            size=0.5,
        )
        + geom_segment(
            aes("patients", "low", xend="patients", yend="high"),
            data=bars,
            color=list(bars["colour"]),
            size=2.6,
            lineend="butt",
        )
        + scale_x_continuous(breaks=ticks, limits=(0, last * 1.08), expand=(0.01, 0))
        + scale_y_continuous(breaks=ticks, limits=(-0.3, last * 1.01 + 0.2), expand=(0.01, 0))
        + labs(x="Patients treated, in the order of stages", y="Successes")
        + house()
        + adjust(plot_margin_right=0.31, plot_margin_top=0.142, plot_margin_bottom=0.05)
    )
    if len(path) > 1:
        plot = plot + geom_step(color=PATH, size=0.9) + geom_point(data=path.iloc[1:], color=PATH, size=1.1)
    return plot


def _decorate(axes: Any, shown: pd.DataFrame, spec: SimonDesign, assumed: bool) -> None:
    path, words = _path(shown), _decisions(shown)
    first = path[min(spec.n1, len(path) - 1)]
    _block(axes, 0.0, f"Stage 1 ({spec.n1} patients)", [
        (f"stop with at most {spec.r1}", STOP),
        (_observed(first, words["stage 1"]), PATH),
    ])  # fmt: skip
    _block(axes, 0.46, f"Both stages ({spec.n} patients)", [
        (f"reject p0 with more than {spec.r}", GO),
        (f"do not reject p0 with at most {spec.r}", STOP),
        (_observed(path[-1], words["both stages"]), PATH),
    ])  # fmt: skip
    for text, at, y, colour in (
        (f"\u2264 {spec.r1}", spec.n1, 0.0, STOP),
        (f"\u2264 {spec.r}", spec.n, 0.0, STOP),
        (f"> {spec.r}", spec.n, (spec.r + 1 + spec.n) / 2, GO),
    ):
        axes.annotate(text, (at, y), (4, 0), textcoords="offset points", va="center", fontsize=8, color=colour)
    panel = axes.figure.add_axes(PANEL)
    _panel(panel, shown, spec)
    given = f"p0 = {spec.p0:g}, p1 = {spec.p1:g}, one-sided \u03b1 = {spec.alpha:g}, power {spec.power:g}"
    axes.figure.text(
        0.985, 0.012, f"{given} (ASSUMED)" if assumed else given, fontsize=8, color=QUIET, ha="right", va="bottom"
    )


def _block(axes: Any, left: float, title: str, lines: list[tuple[str, str]]) -> None:
    """A heading and coloured lines above the axes, from a share of their width on."""
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
    axes.annotate(title, (left, 1), (0, TOP), fontsize=9, weight="bold", color=INK, **place)
    below = TOP - 14.0
    for text, colour in lines:
        weight = "bold" if colour == PATH else "normal"
        axes.annotate(text, (left, 1), (0, below), fontsize=8, color=colour, weight=weight, linespacing=1.2, **place)
        below -= 12.5


def _observed(at: tuple[int, int], decision: str) -> str:
    """Successes so far and what they lead to, in lines that fit above the axes."""
    patients, successes = at
    return "\n".join(textwrap.wrap(f"observed {successes} of {patients}: {decision}", 38))


def _decisions(shown: pd.DataFrame) -> dict[str, str]:
    mine = shown[(shown["variable"] == "observed") & (shown["statistic"] == "decision")]
    return dict(zip(mine["category"], mine["formatted"], strict=True))


def _panel(panel: Any, shown: pd.DataFrame, spec: SimonDesign) -> None:
    """Chances to reject and to stop early by the true success probability."""
    mine = shown[shown["variable"] == "characteristics"].sort_values("order", kind="stable")
    for statistic, colour in (("reject", GO), ("stop_early", STOP)):
        values = list(mine.loc[mine["statistic"] == statistic, "value"])
        panel.plot([i / (len(values) - 1) for i in range(len(values))], values, color=colour, linewidth=1.5)
    for name, p in (("p0", spec.p0), ("p1", spec.p1)):
        panel.axvline(p, color=QUIET, linewidth=0.6, linestyle="dotted")
        panel.annotate(name, (p, 1), (0, 4), "data", "offset points", fontsize=8, color=QUIET, ha="center", va="bottom")
    panel.set(xlim=(0, 1), ylim=(0, 1.02), xticks=[0, 0.25, 0.5, 0.75, 1], yticks=[0, 0.25, 0.5, 0.75, 1])
    panel.set_xticklabels(QUARTERS)
    panel.set_yticklabels(QUARTERS)
    lines = [("reject p0", GO), ("stop after stage 1", STOP)]
    _block(panel, 0.0, "Chance by design to", lines)
    panel.set_xlabel("True success probability", fontsize=9.5)
    panel.set_ylabel("Probability", fontsize=9.5)
    panel.tick_params(labelsize=8, length=0, colors="#4d4d4d")
    panel.grid(color="#e4e8ee", linewidth=0.5)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(INK)
