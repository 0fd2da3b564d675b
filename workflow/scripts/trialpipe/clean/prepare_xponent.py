"""Luminex xPONENT plates: from block cells to one result per sample and analyte; the common rules are in `assay`.

A row is one cell of a block of the file. What is read of the blocks:

* Result: one well, a figure or ``<2.5`` / ``>10000`` (Avg Result only of a file without Result); anything else is a
  failed well, blank is no data. The sample's name tells standards (Standard1, S1), blanks (Background0, Blank, B) and
  controls (Control1, C1), as do the expected concentrations; every other name is a sample.
* Count: below the least bead count the well is left out.
* Standard Expected Concentration, % Recovery: a standard is valid if it recovers 70 to 130 %. LLOQ and ULOQ are the
  expected (if the file has none, the mean observed) concentration of the lowest and highest valid standard, times the
  dilution of the well. A figure beyond them is extrapolated and counts as below or above; a bound that the program
  printed stays the limit of its well.
* Control Range - Low/High, Control Expected Concentration: whether a control well recovers.
* Dilution Factor: a result holds it, unless the header says ``Dilution applied,No``, then it is multiplied here,
  once; where the header is silent and a dilution is not 1, it is taken as included and queried.
* Units: the unit of each analyte.

Figures have a decimal comma if the file's figures have commas and no points, as after a re-save in another locale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from trialpipe.clean import assay, numbers
from trialpipe.clean.assay import Run, Well
from trialpipe.clean.codes import fold
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.config.extracts import Dialect

RESULT, COUNT, DILUTION = "Result", "Count", "Dilution Factor"
NEEDED = ("BLOCK", "LOCATION", "SAMPLE", "ANALYTE", "VALUE")
_ITEMS = assay.Items(result=RESULT, sample="SAMPLE")
_KINDS = (
    ("standard", re.compile(r"(?:standard|s)[ _-]?[0-9]*")),
    ("blank", re.compile(r"(?:background|blank|b)[ _-]?[0-9]*")),
    ("control", re.compile(r"(?:control|c)[ _-]?[0-9]*")),
)
_EXPECTED = (("standard", "standard expected concentration"), ("control", "control expected concentration"))
_FIGURE = re.compile(r"[<>]?\s*[0-9]+(?P<mark>[.,])[0-9]+")
_NO, _YES = ("no", "false", "0", "not included"), ("yes", "true", "1", "included")


class _Plate:
    """The cells of one file: ``cells`` by block, place (location, else sample) and analyte, all folded."""

    def __init__(self, raws: Sequence[Raw], dialect: Dialect) -> None:
        self.raws = sorted(raws, key=lambda raw: (raw.line, raw.cells["ANALYTE"] or "", raw.cells["BLOCK"] or ""))
        self.first = self.raws[0]
        self.decimal = _decimal(self.raws, dialect)
        self.date = assay.moment(self.first.cells.get("PLATE_DATE"), dialect)
        self.cells: dict[tuple[str, str, str], Raw] = {}
        self.dilutions: dict[str, Raw] = {}
        for raw in self.raws:
            block, analyte = fold(raw.cells["BLOCK"] or ""), fold(raw.cells["ANALYTE"] or "")
            place = raw.cells.get("LOCATION") or raw.cells["SAMPLE"] or ""
            self.cells.setdefault((block, fold(place), analyte), raw)
            if block == fold(DILUTION):
                self.dilutions.setdefault(fold(place), raw)
        blocks = {block for block, _, _ in self.cells}
        self.block = "result" if "result" in blocks else "avg result"
        self.included = _included(self.first)

    def figure(self, block: str, place: str, analyte: str) -> float | None:
        return self.number(self.cells.get((block, fold(place), fold(analyte))))

    def number(self, raw: Raw | None) -> float | None:
        found = numbers.parse(raw.cells["VALUE"] if raw else None, self.decimal)
        return found.value if found.status == "number" and found.cens == "none" else None

    def kind(self, sample: str, analyte: str) -> str:
        """standard, blank, control or sample."""
        named = next((kind for kind, pattern in _KINDS if pattern.fullmatch(fold(sample))), None)
        known = (kind for kind, block in _EXPECTED if (block, fold(sample), fold(analyte)) in self.cells)
        return named or next(known, "sample")

    def unit(self, analyte: str) -> str | None:
        for place in ("units:", "units"):
            raw = self.cells.get(("units", place, fold(analyte)))
            if raw is not None and (raw.cells["VALUE"] or "").strip():
                return raw.cells["VALUE"]
        return None


def prepare(raws: Sequence[Raw], log: Log, ledger: Ledger, dialect: Dialect) -> list[Raw]:
    """One row per sample and analyte, sorted by both; items as in `assay.results`, the result also as Result.

    The rows need the items BLOCK, LOCATION, SAMPLE, ANALYTE, VALUE and may have PLATE_DATE, PLATE_BATCH, PLATE_META.
    A well accounts for its lines under Result, Count and Dilution Factor; all other lines are set aside. DataError if
    the form is none of xPONENT's.
    """
    files: dict[str, list[Raw]] = {}
    for item in NEEDED if raws else ():
        raws[0].text(item)
    for raw in raws:
        files.setdefault(raw.file, []).append(raw)
    runs: list[Run] = []
    for _, cells in sorted(files.items()):
        plate = _Plate(cells, dialect)
        analytes: dict[str, list[Raw]] = {}
        read: set[str] = set()
        for raw in plate.raws:
            if fold(raw.cells["BLOCK"] or "") == plate.block and fold(raw.cells["ANALYTE"] or "") != "total events":
                well = _raw(plate, raw)
                read.update(well.lines)
                analytes.setdefault(well.cells["ANALYTE"] or "", []).append(well)
        for raw in plate.raws:
            if raw.row not in read:
                ledger.set_aside(raw.form, raw.lines, f"block {raw.cells['BLOCK']}")
        for _, wells in sorted(analytes.items()):
            runs += _runs(plate, wells, log, ledger)
        _undeclared(plate, analytes, log)
    return assay.results(runs, _ITEMS, log, ledger)


def _raw(plate: _Plate, raw: Raw) -> Raw:
    """A well as one row: result, bead count and dilution of one location."""
    sample, analyte = (raw.cells["SAMPLE"] or "").strip(), (raw.cells["ANALYTE"] or "").strip()
    place = fold(raw.cells.get("LOCATION") or sample)
    count, dilution = plate.cells.get(("count", place, fold(analyte))), plate.dilutions.get(place)
    parts = [(RESULT, raw), (COUNT, count), (DILUTION, dilution)]
    cells = {item: part.cells["VALUE"] if part else None for item, part in parts}
    cells |= {"SAMPLE": sample, "ANALYTE": analyte, "LOCATION": raw.cells.get("LOCATION")}
    cells |= {name: text for name, text in raw.cells.items() if name.startswith("PLATE_")}
    places = {item: (f"{part.row}:{part.cells['ANALYTE']}",) for item, part in parts if part}
    places["SAMPLE"] = (f"{raw.row}:Sample",)
    lines = tuple(dict.fromkeys(part.row for _, part in parts if part))
    return replace(raw, cells=cells, places=places, lines=lines)


def _runs(plate: _Plate, wells: list[Raw], log: Log, ledger: Ledger) -> list[Run]:
    """The runs of one analyte of a plate: one per sample and dilution."""
    analyte = wells[0].cells["ANALYTE"] or ""
    groups: dict[str, list[Raw]] = {"standard": [], "control": [], "blank": [], "sample": []}
    for well in wells:
        groups[plate.kind(well.cells["SAMPLE"] or "", analyte)].append(well)
    for kind in ("standard", "control", "blank"):
        for well in groups[kind]:
            ledger.set_aside(well.form, well.lines, kind)
    valid = _valid(plate, groups["standard"], log)
    judged = [(_control(plate, well, log), well) for well in groups["control"]]
    controls = [assay.Control(passes, well.origin(RESULT)) for passes, well in judged if passes is not None]
    sheet = assay.sheet(wells[0], plate.date, valid, controls, groups["sample"], RESULT, log)
    unit, name = plate.unit(analyte), plate.first.cells.get("PLATE_BATCH") or plate.first.file
    runs = []
    for sample, own in sorted(assay.named_unknowns(sheet, "SAMPLE", ledger).items()):
        assert sheet.low is not None
        assert sheet.high is not None
        dilutions: dict[float, list[Raw]] = {}
        for raw in own:
            dilutions.setdefault(_dilution(plate, raw), []).append(raw)
        for dilution, diluted in sorted(dilutions.items()):
            times = dilution if plate.included is False else 1.0
            lloq, uloq = assay.tidy(sheet.low * dilution), assay.tidy(sheet.high * dilution)
            read = tuple(_well(plate, raw, times, lloq, uloq, log) for raw in diluted)
            runs.append(Run(sheet, sample, analyte, read, lloq, uloq, unit, name))
    return runs


def _valid(plate: _Plate, wells: list[Raw], log: Log) -> list[float]:
    """Concentration of the standards that recover: expected, or mean observed where none is stated."""
    levels: dict[str, list[Raw]] = {}
    for well in wells:
        levels.setdefault(fold(well.cells["SAMPLE"] or ""), []).append(well)
    found = []
    for _, level in sorted(levels.items()):
        sample, analyte = level[0].cells["SAMPLE"] or "", level[0].cells["ANALYTE"] or ""
        left = sum(not _too_few(plate, well, log) for well in level)
        kept = [well for well in level if not _few(plate, well, log, left=left)]
        observed = [value for well in kept for value in [_figure(plate, well)] if value is not None]
        expected = plate.figure("standard expected concentration", sample, analyte)
        recovery = _recovery(plate, kept, sample) if len(kept) == len(level) else None
        if not observed:
            continue
        mean = sum(observed) / len(observed)
        if recovery is None and expected:
            recovery = 100 * mean / expected
        if recovery is not None and assay.BAND[0] <= recovery <= assay.BAND[1]:
            found.append(expected or mean)
    return found


def _recovery(plate: _Plate, wells: list[Raw], sample: str) -> float | None:
    """Printed recovery of a standard in percent: of the standard, else the mean of its wells."""
    analyte = wells[0].cells["ANALYTE"] or ""
    own = plate.figure("% recovery", sample, analyte)
    each = [plate.figure("% recovery", well.cells["LOCATION"] or "", analyte) for well in wells]
    known = [value for value in each if value is not None]
    return own if own is not None else sum(known) / len(known) if known else None


def _control(plate: _Plate, well: Raw, log: Log) -> bool | None:
    """Whether a control well lies in its range, else near what is expected; None if that cannot be told."""
    sample, analyte = well.cells["SAMPLE"] or "", well.cells["ANALYTE"] or ""
    observed = _figure(plate, well)
    if _few(plate, well, log, left=0):
        return None
    low = plate.figure("control range - low", sample, analyte)
    high = plate.figure("control range - high", sample, analyte)
    if low is not None and high is not None:
        return observed is not None and low <= observed <= high
    expected = plate.figure("control expected concentration", sample, analyte)
    if not expected:
        return None
    return observed is not None and assay.recovers(observed, expected, log)


def _well(plate: _Plate, raw: Raw, times: float, lloq: float, uloq: float, log: Log) -> Well:
    text = (raw.cells[RESULT] or "").strip()
    if _too_few(plate, raw, log):
        return Well(raw, "beads", None)
    beads, few = _beads(plate, raw), _limit("bead_count_few", log)
    if beads is not None and few is not None and beads < few:
        name = f"{raw.cells['SAMPLE']} {raw.cells['ANALYTE']}"
        log.add("bead_count_few", raw.origin(COUNT), form=raw.form, item=COUNT, value=raw.cells[COUNT], sample=name)
    found = numbers.parse(text, plate.decimal)
    if found.status != "number":
        return Well(raw, "failed" if text else "blank", None)
    value = None if found.value is None else assay.tidy(found.value * times)
    if found.cens != "none":
        return Well(raw, "low" if found.cens == "left" else "high", None, bound=value)
    assert value is not None
    if lloq <= value <= uloq:
        return Well(raw, "in", value)
    return Well(raw, "low" if value < lloq else "high", value, extrapolated=True)


def _few(plate: _Plate, well: Raw, log: Log, left: int) -> bool:
    """Whether a standard or control well has too few beads, with its query."""
    if not _too_few(plate, well, log):
        return False
    name = f"{well.cells['SAMPLE']} {well.cells['ANALYTE']}"
    words = {"form": well.form, "item": COUNT, "value": well.cells[COUNT]}
    log.add("bead_count", well.origin(COUNT), sample=name, left=left, **words)
    return True


def _too_few(plate: _Plate, well: Raw, log: Log) -> bool:
    beads, least = _beads(plate, well), _limit("bead_count", log)
    return beads is not None and least is not None and beads < least


def _limit(kind: str, log: Log) -> float | None:
    rule = log.rules.find(kind, log.domain)
    return rule.number("least") if rule else None


def _beads(plate: _Plate, raw: Raw) -> float | None:
    found = numbers.parse(raw.cells[COUNT], plate.decimal)
    return found.value if found.status == "number" else None


def _figure(plate: _Plate, raw: Raw) -> float | None:
    found = numbers.parse(raw.cells[RESULT], plate.decimal)
    return found.value if found.status == "number" and found.cens == "none" else None


def _dilution(plate: _Plate, raw: Raw) -> float:
    found = numbers.parse(raw.cells[DILUTION], plate.decimal)
    return found.value if found.status == "number" and found.value else 1.0


def _undeclared(plate: _Plate, analytes: dict[str, list[Raw]], log: Log) -> None:
    """One query per file that diluted its samples and does not say whether Result holds the dilution."""
    if plate.included is not None:
        return
    wells = [well for _, own in sorted(analytes.items()) for well in own if _dilution(plate, well) != 1]
    samples = [
        well for well in wells if plate.kind(well.cells["SAMPLE"] or "", well.cells["ANALYTE"] or "") == "sample"
    ]
    if samples:
        first = min(samples, key=lambda well: well.line)
        log.add("dilution_undeclared", first.origin(DILUTION), form=first.form, item=DILUTION, result=RESULT)


def _included(raw: Raw) -> bool | None:
    """What the header's line ``Dilution applied`` says; None if there is none."""
    meta = json.loads(raw.cells.get("PLATE_META") or "[]")
    pairs = meta.items() if isinstance(meta, dict) else [(line[0], line[1:]) for line in meta if line]
    for key, value in pairs:
        if fold(str(key or "")) == "dilution applied":
            said = fold(str((value[0] if value else "") if isinstance(value, list) else value or ""))
            return False if said in _NO else True if said in _YES else None
    return None


def _decimal(raws: Sequence[Raw], dialect: Dialect) -> str:
    found = {
        match["mark"] for raw in raws for match in [_FIGURE.fullmatch((raw.cells["VALUE"] or "").strip())] if match
    }
    return found.pop() if len(found) == 1 else dialect.decimal
