"""One look for all figures, and the one writer of SVG: fixed size, no date, fixed ids, glyphs as paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLOURS = ("#1f4e79", "#c8641b", "#3a7d44", "#7a4b94", "#8c2d3a", "#5b6675")
WIDTH = 8.2


def theme() -> Any:
    """The house theme of plotnine."""
    from plotnine import element_blank, element_line, element_text, theme, theme_minimal

    return theme_minimal(base_size=10, base_family="DejaVu Sans") + theme(
        panel_grid_minor=element_blank(),
        panel_grid_major=element_line(color="#e4e8ee", size=0.5),
        axis_line_x=element_line(color="#1c2430", size=0.6),
        legend_position="top",
        legend_title=element_blank(),
        plot_title=element_text(size=11, weight="bold", ha="left"),
        strip_text=element_text(size=9, weight="bold", ha="left"),
        axis_title=element_text(size=9.5),
    )


def colours(n: int) -> list[str]:
    """``n`` distinct colours, repeated after six."""
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def save_svg(plot: Any, path: Path, height: float, decorate: Callable[[Any], None] | None = None) -> None:
    """Draw ``plot`` once and write it as SVG of fixed size (inches); ``decorate`` may add to the drawn axes first."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt
    from plotnine import theme

    mpl.rcParams.update({"svg.hashsalt": "trialpipe", "svg.fonttype": "path"})
    figure = (plot + theme(figure_size=(WIDTH, height))).draw()
    if decorate is not None:
        decorate(figure.axes[0])
    partial = path.with_name(path.name + ".partial")
    figure.savefig(partial, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = partial.read_text(encoding="utf-8")
    path.write_text(text[text.index("<svg") :], encoding="utf-8", newline="\n")
    os.remove(partial)
