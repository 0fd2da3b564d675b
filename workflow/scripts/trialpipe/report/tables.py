"""Tables of results: rows of the analysis table laid out by the shell of their kind. Formats, never computes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from trialpipe.io import reference
from trialpipe.io.text import printed_unit
from trialpipe.report.shells import DIMENSIONS, SHELLS, Shell

Row = dict[str, Any]
TOKEN = re.compile(r"\{(\w+)\}")
NOT_DONE = "not implemented"
MEASURED = ("parameter", "variable")
SYMBOL = re.compile(r"[A-Z]{2}: ")
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
PLACE = "\0"
MOST_LINES = 3
"""A note of more lines than this does not name them."""


class Line(NamedTuple):
    """A line of a table: its words, and the codes behind them, of which two may have the same word."""

    words: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A printed cell: its text, the identity of its numbers, and what is assumed or missing."""

    text: str
    cell_id: str = ""
    note: str = ""
    missing: bool = False


@dataclass(frozen=True)
class Table:
    """``spans``: (group header, columns under it); ``head``: column headers; ``body``: line headers and cells.

    ``mark``: of the second derivation (``marks.Mark``), in reports that have it.
    """

    spans: list[tuple[str, int]]
    head: list[str]
    stub: list[str]
    body: list[tuple[list[str], list[Cell]]]
    methods: list[str]
    notes: list[str]
    caption: str = ""
    mark: tuple[bool, str] | None = None


def table(rows: list[Row], kind: str, labels: Mapping[tuple[str, str], str]) -> Table:
    """Lay out the rows of one analysis and scenario.

    A line per distinct value of the dimensions that vary, in the order of the results; groups are lines or blocks of
    columns as the shell says. ``labels`` turns (dimension, code) into words.
    """
    shell = SHELLS.get(kind) or Shell(tuple((s, "{" + s + "}") for s in dict.fromkeys(r["statistic"] for r in rows)))
    several = len({_group(row) for row in rows}) > 1 or any(row["comparator"] for row in rows)
    wide = shell.groups == "columns" or (shell.groups == "beside" and several and _narrow(shell, rows))
    order = [*shell.first, *(d for d in DIMENSIONS if d not in shell.first)]
    dimensions = [d for d in order if d not in shell.hide and (d != "group" or (several and not wide))]
    dimensions = [d for d in dimensions if d == "group" or any(row[d] is not None for row in rows)]
    blocks = list(dict.fromkeys(_block(row, shell) for row in rows)) if wide else [""]
    if shell.tests in blocks:
        blocks = [*(block for block in blocks if block != shell.tests), shell.tests]
    cells: dict[tuple[Line, str], dict[str, Row]] = {}
    units = {
        (d, row[d]): row["unit"] for d in MEASURED for row in rows if row["unit"] and row["statistic"] in _of_data()
    }
    firsts: dict[tuple[object, ...], Line] = {}
    for row in rows:
        words = tuple(_label(d, row, labels, units) for d in dimensions)
        line = Line(words, tuple(str(row[d]) for d in dimensions))
        # a test stands on the first line of what it is a test of
        first = firsts.setdefault(tuple(row[d] for d in MEASURED), line)
        line = first if _is_test(row, shell) else line
        cells.setdefault((line, _block(row, shell) if wide else ""), {})[row["statistic"]] = row
    lines = list(dict.fromkeys(line for line, _ in cells))
    columns = {block: _columns(shell, [found for (_, own), found in cells.items() if own == block]) for block in blocks}
    body, before = [], ("",) * len(dimensions)
    for line in lines:
        printed = [_cell(patterns, cells.get((line, b), {})) for b in blocks for _, patterns in columns[b]]
        body.append((_unrepeated(line.words, before), printed))
        before = line.words
    level = next((f"{100 * row['conf_level']:g} %" for row in rows if row["conf_level"] is not None), "")
    titles = {block: [title.format(level=level) for title, _ in columns[block]] for block in blocks}
    # a header over each block says nothing more where all blocks (but that of tests) have the same one column
    same = {tuple(found) for block, found in titles.items() if not shell.tests or block != shell.tests}
    single = wide and len(same) == 1 and all(len(found) == 1 for found in titles.values())
    return Table(
        spans=[(block, len(columns[block])) for block in blocks] if wide and not single else [],
        head=blocks if single else [title for block in blocks for title in titles[block]],
        stub=[_title(d, shell, dimensions) for d in dimensions],
        body=body,
        methods=_longest(_distinct(row["method"] for row in rows)),
        notes=_notes(cells),
    )


def _columns(shell: Shell, cells: list[dict[str, Row]]) -> list[tuple[str, str]]:
    """Columns of the shell that some of the cells fill."""
    columns = [c for c in shell.columns if any(_fit(c[1], found) for found in cells)]
    return [c for c in columns if c[0] not in shell.unless_zero or any(_counts(c[1], f) for f in cells)]


def _narrow(shell: Shell, rows: list[Row]) -> bool:
    """Whether every group needs at most two columns."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(_group(row), {})[row["statistic"]] = row
    filled = (sum(_fit(patterns, own) is not None for _, patterns in shell.columns) for own in found.values())
    return max(filled, default=0) <= 2


@cache
def _of_data() -> frozenset[str]:
    """Statistics in the unit of what was measured."""
    return frozenset(row["statistic"] for row in reference.rows("statistics.csv") if row["unit"] == "data")


def _notes(cells: Mapping[tuple[Line, str], Mapping[str, Row]]) -> list[str]:
    """Notes of a table in order. One of a few lines names them; one that is part of another is left out."""
    where: dict[str, list[str]] = {}
    every = [(*line.words, block) for line, block in cells]
    varying = [len(set(parts)) > 1 for parts in zip(*every, strict=True)]
    for (line, block), found in cells.items():
        place = ", ".join(part for part, varies in zip((*line.words, block), varying, strict=True) if part and varies)
        for row in found.values():
            if row["note"]:
                note = f"{row['formatted']}: {row['note']}" if row["value"] is None else str(row["note"])
                lines = where.setdefault(note, [])
                lines += [place] if place not in lines else []
    shown = []
    for note, lines in _one_number(where).items():
        if any(other.endswith(f": {note}") or other.startswith(f"{note};") for other in where):
            continue
        named = len(lines) <= MOST_LINES and len(lines) < len(cells) and all(lines) and not SYMBOL.match(note)
        words = f"{'; '.join(lines)}: {note}" if named else note
        shown.append(words[0].upper() + words[1:])
    return shown


def _one_number(where: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Notes that differ in one number only, if they are many, as one note with the least and the greatest number."""
    alike: dict[str, list[str]] = {}
    for note in where:
        alike.setdefault(NUMBER.sub(PLACE, note), []).append(note)
    found: dict[str, list[str]] = {}
    for pattern, notes in alike.items():
        if len(notes) <= MOST_LINES or pattern.count(PLACE) != 1:
            found |= {note: where[note] for note in notes}
            continue
        numbers = sorted(int(NUMBER.findall(note)[0]) for note in notes)
        places = list(dict.fromkeys(place for note in notes for place in where[note]))
        found[pattern.replace(PLACE, f"{numbers[0]} to {numbers[-1]}")] = places
    return found


def _title(dimension: str, shell: Shell, dimensions: list[str]) -> str:
    if dimension == "category" and "parameter" in dimensions and "under" in shell.titles:
        return shell.titles["under"]
    return shell.titles.get(dimension, DIMENSIONS[dimension])


def _longest(methods: list[str]) -> list[str]:
    """Without those that another one only adds to."""
    return [method for method in methods if not any(other.startswith(f"{method},") for other in methods)]


def _group(row: Row) -> str:
    group = str(row["group"] or "Overall")
    return f"{group} vs {row['comparator']}" if row["comparator"] else group


def _is_test(row: Row, shell: Shell) -> bool:
    """Whether a row belongs into the column that a shell has for tests."""
    return bool(shell.tests) and row["term"] is not None


def _block(row: Row, shell: Shell) -> str:
    """The block of columns of a row: its group, or the tests."""
    return shell.tests if _is_test(row, shell) else _group(row)


def _label(dimension: str, row: Row, labels: Mapping[tuple[str, str], str], units: Mapping[tuple, str]) -> str:
    if dimension == "group":
        return _group(row)
    value = row[dimension]
    if value is None and dimension == "variable" and row["parameter"] is not None:
        return _label("parameter", row, labels, units)
    if value is None:
        return ""
    if dimension == "time":
        return f"{float(value):g}"
    text = labels.get((dimension, str(value))) or _contrast(dimension, str(value), labels)
    unit = units.get((dimension, value)) if dimension in MEASURED else None
    if not unit or unit == "1" or text.endswith(f"({printed_unit(unit)})"):
        return text
    return f"{text} ({printed_unit(unit)})"


def _contrast(dimension: str, value: str, labels: Mapping[tuple[str, str], str]) -> str:
    """``a vs b`` with the words of both; other values as they are."""
    return " vs ".join(labels.get((dimension, part), part) for part in value.split(" vs "))


def _unrepeated(line: tuple[str, ...], before: tuple[str, ...]) -> list[str]:
    """Line headers with those blanked that repeat the line above, from the left."""
    shown, same = [], True
    for now, above in zip(line, before, strict=True):
        same = same and now == above
        shown.append("" if same and len(line) > 1 else now)
    return shown


def _fit(patterns: str, found: Mapping[str, Row]) -> str | None:
    """The first pattern whose statistics are all there; else the first of which some are."""
    options = patterns.split("|")
    for pattern in options:
        if all(token in found and found[token]["value"] is not None for token in TOKEN.findall(pattern)):
            return pattern
    return next((p for p in options if all(token in found for token in TOKEN.findall(p))), None)


def _counts(patterns: str, found: Mapping[str, Row]) -> bool:
    """Whether the first number of a cell is another than 0."""
    first = TOKEN.findall(patterns)[0]
    return first in found and found[first]["value"] not in (None, 0.0)


def _cell(patterns: str, found: Mapping[str, Row]) -> Cell:
    pattern = _fit(patterns, found)
    if pattern is None:
        return Cell("")
    used = [found[token] for token in TOKEN.findall(pattern)]
    note = "; ".join(_distinct(row["note"] for row in used))
    undefined = [row["formatted"] for row in used if row["value"] is None]
    if len(undefined) == len(used) and len(set(undefined)) == 1:
        text = undefined[0]
    else:
        text = TOKEN.sub(lambda match: str(found[match.group(1)]["formatted"]), pattern)
    return Cell(text, str(used[0]["cell_id"]), note, missing=any(row["note"] == NOT_DONE for row in used))


def _distinct(values: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value))
