"""Defects of xPONENT plates and nCounter lanes.

Addresses are those of the file. A cell of a plate's block: its line and the header of its column, the analyte's name or
``Sample`` (ingested, an analyte's cell is the VALUE of a row of its own). A count: its Code_Summary line and ``COUNT``.
An attribute of a lane, which every row of the lane carries: the lane's first Code_Summary line and ``SAMPLE_ID``,
``FOV_COUNTED`` or ``BINDING_DENSITY``. Only readings that count are touched, the last plate or lane of a sample,
but for the plate whose controls fail: it is the one that was read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from trialpipe.simulate.bioplex import plain
from trialpipe.simulate.defects import Cell, Forge, Maker
from trialpipe.simulate.nanostring import ADDRESS, Lane
from trialpipe.simulate.raw import Row
from trialpipe.simulate.write_xponent import Block, decimal
from trialpipe.simulate.xponent import NAMES, average, pairs, spread

_FIGURE = re.compile(r"\d+(\.\d+)?")
Pair = tuple[Block, Row, Row]


def _blocks(forge: Forge, title: str) -> list[Block]:
    return [table for table in forge.sheets if isinstance(table, Block) and table.title == title]


def _sister(forge: Forge, block: Block, title: str) -> Block:
    """Another block of the same plate."""
    return next(other for other in _blocks(forge, title) if other.path == block.path)


def _put(forge: Forge, block: Block, row: Row, column: str, text: str) -> Cell:
    """Change a cell of a block, in the decimal mark of its plate."""
    return forge.put(block, row, column, decimal(text, block.plate.form))


def _text(row: Row, name: str) -> str:
    return row.cells[name].replace(",", ".")


def _candidates(forge: Forge) -> list[Pair]:
    """Both wells of every untouched unknown whose reading counts."""
    found = []
    for block in _blocks(forge, "Result"):
        for first, second in pairs(block):
            if first.tags["last"] and not {id(first), id(second)} & forge.touched:
                found.append((block, first, second))
    return found


def _in_range(forge: Forge) -> list[tuple[Pair, str]]:
    """(wells, analyte) with two figures."""
    return [
        (pair, name)
        for pair in _candidates(forge)
        for name in NAMES
        if all(_FIGURE.fullmatch(_text(row, name)) for row in pair[1:])
    ]


def _average(forge: Forge, block: Block, wells: tuple[Row, Row], name: str) -> list[Cell]:
    """Avg Result and %CV Replicates of a sample as the program computes them from its wells."""
    texts = [_text(row, name) for row in wells]
    cells = []
    for title, summary in (("Avg Result", average), ("%CV Replicates", spread)):
        other = _sister(forge, block, title)
        row = next(row for row in other.rows if row.cells["Sample"] == wells[0].cells["Sample"])
        cells.append(_put(forge, other, row, name, summary(texts)))
    return cells


def _second_well(change: Callable[[float], str]) -> Maker:
    """Result of a second well of two in range, and with it the average and the CV."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        found = _in_range(forge)
        if not found:
            return []
        (block, first, second), name = found[int(rng.integers(len(found)))]
        cell = _put(forge, block, second, name, change(float(_text(second, name))))
        forge.touched.add(id(first))
        return [cell, *_average(forge, block, (first, second), name)]

    return make


def _replicates_differ(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The second well reads half of the first, still within the range: a CV of 47 percent."""
    found = []
    for (block, first, second), name in _in_range(forge):
        if 0.5 * float(_text(first, name)) > _lowest(forge, block, first, name):
            found.append((block, first, second, name))
    if not found:
        return []
    block, first, second, name = found[int(rng.integers(len(found)))]
    cell = _put(forge, block, second, name, plain(0.5 * float(_text(first, name))))
    forge.touched.add(id(first))
    return [cell, *_average(forge, block, (first, second), name)]


def _lowest(forge: Forge, block: Block, well: Row, name: str) -> float:
    """Lowest concentration that a well can read: its dilution times the lowest standard of the plate."""
    standards = _sister(forge, block, "Standard Expected Concentration").rows
    dilutions = _sister(forge, block, "Dilution Factor").rows
    times = next(row for row in dilutions if row.cells["Location"] == well.cells["Location"])
    return min(float(_text(row, name)) for row in standards) * float(_text(times, "Dilution Factor"))


def _beads_low(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """Fewer than 35 beads of an analyte in one well, and the instrument's warning about it."""
    found = _in_range(forge)
    if not found:
        return []
    (block, first, second), name = found[int(rng.integers(len(found)))]
    counts = _sister(forge, block, "Count")
    row = next(row for row in counts.rows if row.cells["Location"] == second.cells["Location"])
    forge.touched |= {id(first), id(second)}
    well = second.cells["Location"].split("(")[1].rstrip(")")
    message = "The acquisition had at least one region that did not reach the maximum count.  (0x4FF010AB)"
    warnings = _sister(forge, block, "Warnings/Errors")
    warnings.add("", {"Location": well, "Status": "Warning", "Message": message}, kind="", taken=None, last=False)
    return [_put(forge, counts, row, name, str(int(rng.integers(8, 33))))]


def _plate_sample_unknown(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """A sample id mistyped in the plate layout, the same in every block; the sample stands on no other plate."""
    plates: dict[str, set[str]] = {}
    for block in _blocks(forge, "Result"):
        for first, _ in pairs(block):
            plates.setdefault(first.cells["Sample"], set()).add(block.path)
    found = [pair for pair in _candidates(forge) if len(plates[pair[1].cells["Sample"]]) == 1]
    if not found:
        return []
    block, first, _ = found[int(rng.integers(len(found)))]
    name = first.cells["Sample"]
    same = [other for other in forge.sheets if isinstance(other, Block) and other.path == block.path]
    hit = [(other, row) for other in same for row in other.rows if row.cells.get("Sample") == name]
    wrong = _mistyped(forge, name)
    return [_put(forge, other, row, "Sample", wrong) for other, row in hit]


def _mistyped(forge: Forge, name: str) -> str:
    """The id with one digit, the first that will do, typed as 9: an id that no sample has."""
    known = {sample.id for patient in forge.patients.values() for sample in patient.samples}
    typed = (f"{name[:k]}9{name[k + 1 :]}" for k, letter in enumerate(name) if letter.isdigit())
    return next((text for text in typed if text not in known), f"{name}9")


def _controls_failed(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The controls of a plate that was read again recover far too much, in every analyte."""
    again = {block.plate.number for block in _blocks(forge, "Result") if block.plate.again}
    found = [
        block
        for block in _blocks(forge, "Result")
        if block.plate.number in again and not block.plate.again and not _touched_controls(forge, block)
    ]
    if not found:
        return []
    block = found[int(rng.integers(len(found)))]
    factor = float(rng.uniform(1.55, 1.8))
    cells = []
    for title in ("Result", "% Recovery", "Avg Result"):
        other = _sister(forge, block, title)
        for row in (row for row in other.rows if row.tags["kind"] == "control"):
            cells += [_put(forge, other, row, name, plain(factor * float(_text(row, name)))) for name in NAMES]
    return cells


def _touched_controls(forge: Forge, block: Block) -> bool:
    return any(id(row) in forge.touched for row in block.rows if row.tags["kind"] == "control")


def _lanes(forge: Forge) -> list[Lane]:
    """Untouched lanes of patients run once."""
    lanes = [table for table in forge.sheets if isinstance(table, Lane)]
    names = [lane.donor.name for lane in lanes]
    alone = [lane for lane in lanes if lane.donor.taken and names.count(lane.donor.name) == 1]
    return [lane for lane in alone if not any(id(row) in forge.touched for row in lane.rows)]


def _touch(forge: Forge, lane: Lane) -> None:
    forge.touched |= {id(row) for row in lane.rows}


def _attribute(key: str, change: Callable[[Lane, np.random.Generator], str]) -> Maker:
    """An attribute of a lane."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        found = _lanes(forge)
        if not found:
            return []
        lane = found[int(rng.integers(len(found)))]
        original, text = lane.lane[key], change(lane, rng)
        lane.lane[key] = text
        _touch(forge, lane)
        return [Cell(lane, lane.rows[0], ADDRESS[key], original, text)]

    return make


def _few_fields(lane: Lane, rng: np.random.Generator) -> str:
    return str(int(int(lane.lane["FovCount"]) * rng.uniform(0.45, 0.7)))


def _dense(lane: Lane, rng: np.random.Generator) -> str:
    return f"{rng.uniform(2.4, 3.2):.2f}"


def _linearity(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """Counts of the first and fourth positive control interchanged: their mean stays, the line is lost."""
    found = _lanes(forge)
    if not found:
        return []
    lane = found[int(rng.integers(len(found)))]
    positives = [row for row in lane.rows if row.tags["kind"] == "Positive"]
    first, fourth = positives[0], positives[3]
    texts = fourth.cells["Count"], first.cells["Count"]
    cells = [forge.put(lane, row, "Count", text) for row, text in zip((first, fourth), texts, strict=True)]
    _touch(forge, lane)
    return [Cell(lane, cell.row, "COUNT", cell.original, cell.planted) for cell in cells]


def _lane_sample_unknown(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """A sample id mistyped in the run file; the name of the RCC file keeps the right one."""
    found = _lanes(forge)
    if not found:
        return []
    lane = found[int(rng.integers(len(found)))]
    original, text = lane.sample["ID"], _mistyped(forge, lane.sample["ID"])
    lane.sample["ID"] = text
    _touch(forge, lane)
    return [Cell(lane, lane.rows[0], "SAMPLE_ID", original, text)]


MAKERS: dict[str, Maker] = {
    "plate_beads_low": _beads_low,
    "plate_replicates_differ": _replicates_differ,
    "plate_sample_unknown": _plate_sample_unknown,
    "plate_controls_failed": _controls_failed,
    "plate_well_text": _second_well(lambda value: "OOR >"),
    "plate_well_failed": _second_well(lambda value: "NaN"),
    "lane_fov_low": _attribute("FovCounted", _few_fields),
    "lane_density_high": _attribute("BindingDensity", _dense),
    "lane_linearity": _linearity,
    "lane_sample_unknown": _lane_sample_unknown,
}
