"""Patient flow: boxes and lines laid out as a tree from the flow rows, drawn as plain SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trialpipe.config.analyses import Flow
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd

OVERALL = "Overall"
BOX, HEIGHT, GAP_X, GAP_Y = 190, 58, 22, 44


class Node(NamedTuple):
    """A box as drawn: its place in the tree, its words, its number."""

    key: str
    parent: str | None
    label: str
    number: str


def draw(rows: pd.DataFrame, outcome: Outcome, analysis: Flow, protocol: Protocol) -> tuple | None:
    """Boxes of the flow with their counts, from ``split_at`` on a branch per group; None when there are no rows."""
    shown = rows[rows["statistic"] == "n"]
    if shown.empty:
        return None
    places = zip(shown["category"], shown["group"], strict=True)
    counts = dict(zip(places, shown["formatted"], strict=True))
    svg = _svg(nodes(analysis, counts, protocol))
    return shown, lambda path: Path(path).write_text(svg, encoding="utf-8", newline="\n")


def nodes(analysis: Flow, counts: Mapping[tuple[str, str], str], protocol: Protocol) -> list[Node]:
    """Boxes in drawing order. ``counts``: number by (box, group).

    Under the box ``split_at`` (the first box by default) every group has a box with its name and the boxes below again;
    a group without patients there is left out. Without Overall, a common box has the sum of the groups.
    """
    groups = list(dict.fromkeys(group for _, group in counts if group != OVERALL))
    if not groups:
        return [Node(b.id, b.parent, b.label, counts.get((b.id, OVERALL), "")) for b in analysis.boxes]
    split = analysis.split_at or analysis.boxes[0].id
    under = _under(analysis, split)
    names = {arm.id: arm.label for arm in protocol.arms} if analysis.by == "ARMCD" else {}
    found = []
    for box in analysis.boxes:
        if box.id not in under:
            total = str(sum(int(counts.get((box.id, group), "0")) for group in groups))
            found.append(Node(box.id, box.parent, box.label, counts.get((box.id, OVERALL), total)))
    for group in groups:
        if counts.get((split, group), "0") == "0":
            continue
        found.append(Node(f"{split}/{group}", split, names.get(group, group), counts[split, group]))
        for box in (box for box in analysis.boxes if box.id in under):
            found.append(Node(f"{box.id}/{group}", f"{box.parent}/{group}", box.label, counts[box.id, group]))
    return found


def _under(analysis: Flow, split: str) -> set[str]:
    """Ids of the boxes below a box; parents stand before their children."""
    found: set[str] = set()
    for box in analysis.boxes:
        if box.parent == split or box.parent in found:
            found.add(box.id)
    return found


def _svg(boxes: list[Node]) -> str:
    children: dict[str | None, list[str]] = {}
    for box in boxes:
        children.setdefault(box.parent, []).append(box.key)
    place: dict[str, tuple[float, int]] = {}
    width = 0.0
    for root in children.get(None, []):
        width = _place(root, 0, width, children, place)
    depth = max(level for _, level in place.values()) + 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="Patient flow" '
        f'viewBox="0 0 {width + 2:.0f} {depth * (HEIGHT + GAP_Y) - GAP_Y + 2}" width="{width + 2:.0f}" '
        f'font-family="Helvetica Neue, Arial, Liberation Sans, sans-serif" font-size="12.5">'
    ]
    parts += [_line(place[box.parent], place[box.key]) for box in boxes if box.parent]
    for box in boxes:
        x, level = place[box.key]
        parts += _box(x, level * (HEIGHT + GAP_Y) + 1, box.label, box.number)
    return "".join(parts) + "</svg>\n"


def _place(
    name: str,
    level: int,
    left: float,
    children: dict[str | None, list[str]],
    place: dict[str, tuple[float, int]],
) -> float:
    """Centre ``name`` over its children; returns the right edge used."""
    below = children.get(name, [])
    if not below:
        place[name] = (left + 1, level)
        return left + BOX + GAP_X
    right = left
    for child in below:
        right = _place(child, level + 1, right, children, place)
    place[name] = ((place[below[0]][0] + place[below[-1]][0]) / 2, level)
    return right


def _box(x: float, y: float, label: str, count: str) -> list[str]:
    middle = x + BOX / 2
    lines = _wrap(label, 27)
    top = y + HEIGHT / 2 - (len(lines) - 1) * 8 + 4 - 7
    text = "".join(
        f'<text x="{middle:.1f}" y="{top + 16 * i:.1f}" text-anchor="middle">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    last = top + 16 * len(lines)
    number = f'<text x="{middle:.1f}" y="{last:.1f}" text-anchor="middle" font-weight="700">n = {escape(count)}</text>'
    frame = f'x="{x:.1f}" y="{y:.1f}" width="{BOX}" height="{HEIGHT}" rx="4" fill="#f4f6f9" stroke="#1f4e79"'
    return [f"<rect {frame}/>", text, number]


def _line(parent: tuple[float, int], child: tuple[float, int]) -> str:
    x1, y1 = parent[0] + BOX / 2, parent[1] * (HEIGHT + GAP_Y) + 1 + HEIGHT
    x2, y2 = child[0] + BOX / 2, child[1] * (HEIGHT + GAP_Y) + 1
    middle = y1 + GAP_Y / 2
    return f'<path d="M{x1:.1f} {y1:.1f}V{middle:.1f}H{x2:.1f}V{y2:.1f}" fill="none" stroke="#5b6675"/>'


def _wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
