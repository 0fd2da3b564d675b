"""MSD Discovery Workbench plates: from well rows to one result per sample and analyte; the common rules: `assay`.

A row is one spot (assay) of one well. What is read of it:

* Sample: S001, Standard 1, Std1 and the like are standards, C001, Control 1, QC1 controls, B001, Blank blanks; every
  other name is a sample.
* Calc. Concentration: the result of the well. Calc. Conc. Mean and the other means are not read: the mean is taken
  here, of the wells in range.
* Detection Range: its word decides. In Detection Range: the figure counts. Below (Above) Detection Range or Fit Curve
  Range: left (right) censored, whatever figure stands beside it. Without a word a figure beyond the limits is
  extrapolated and counts as below or above. ``NaN``, another word, or a sign that contradicts the word: a failed
  well; blank is no data.
* % Recovery (if there is none: Calc. Concentration over Concentration): a standard whose wells recover 70 to 130 % on
  average is valid, with its Concentration; a control well recovers as `plate_control` asks.
* LLOQ and ULOQ: Detection Limits: Calc. Low and Calc. High, where a limit is not printed the lowest or highest valid
  standard; times the dilution of the well, as both stand on the curve.
* Dilution: Workbench multiplies Calc. Concentration by it. Nothing in the file says so; the standards show it, if
  their Signal and Concentration put the samples' signals at Calc. Concentration over Dilution. If they put them at
  Calc. Concentration it is multiplied here, once; if they do not tell, it is taken as included and queried per plate.
* Unit: the file has none; Workbench calibrates cytokine kits in pg/mL.

The file has no date: of a sample on several plates the last accepted run in the order of the file names counts
(digits as numbers, ``plate_2`` before ``plate_10``), within a file in the order of the plates; a query says so.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp
from math import log as ln

from trialpipe.clean import assay, numbers
from trialpipe.clean.assay import Run, Sheet, Well
from trialpipe.clean.codes import fold
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.config.extracts import Dialect

SAMPLE, ANALYTE, WELL, RESULT = "Sample", "Assay", "Well", "Calc. Concentration"
RANGE, DILUTION, EXPECTED, RECOVERY = "Detection Range", "Dilution", "Concentration", "% Recovery"
SIGNAL, LOW, HIGH, PLATE = "Signal", "Detection Limits: Calc. Low", "Detection Limits: Calc. High", "PLATE"
NEEDED = (SAMPLE, ANALYTE, WELL, RESULT, PLATE)
UNIT = "pg/mL"
_ITEMS = assay.Items(result=RESULT, sample=SAMPLE)
_KINDS = (
    ("standard", re.compile(r"(?:(?:standards?|std|cal|calibrators?)[ _-]?[0-9]*|s[0-9]{3})")),
    ("control", re.compile(r"(?:(?:controls?|qc)[ _-]?[0-9]*|c[0-9]{3})")),
    ("blank", re.compile(r"(?:(?:blanks?|background)[ _-]?[0-9]*|b[0-9]{3})")),
)
_WORDS = {
    "in detection range": "in",
    "below detection range": "low",
    "below fit curve range": "low",
    "above detection range": "high",
    "above fit curve range": "high",
}
_SIDES = {"left": "low", "right": "high"}
_FIGURE = re.compile(r"[<>]?\s*-?[0-9]+(?P<mark>[.,])[0-9]+(?:[eE][+-]?[0-9]+)?")
_FIGURES = (RESULT, EXPECTED, RECOVERY, SIGNAL, LOW, HIGH, "Fit Statistic: RSquared")
# so many wells, and such a share of them, must agree before the standards tell whether the dilution is included
_LEAST, _SHARE = 3, 2 / 3


@dataclass(frozen=True)
class _Plate:
    """The rows of one plate in the order of the file; ``order`` sorts plates, ``place`` names it in messages."""

    raws: tuple[Raw, ...]
    order: str
    place: str
    decimal: str

    @property
    def name(self) -> str:
        return self.raws[0].cells[PLATE] or self.raws[0].file

    def figure(self, raw: Raw, item: str) -> float | None:
        found = numbers.parse(raw.cells.get(item), self.decimal)
        return found.value if found.status == "number" and found.cens == "none" else None

    def positive(self, raw: Raw, item: str) -> float | None:
        value = self.figure(raw, item)
        return value if value is not None and value > 0 else None

    def diluted(self, raw: Raw) -> bool:
        return (self.positive(raw, DILUTION) or 1.0) != 1.0


def prepare(raws: Sequence[Raw], log: Log, ledger: Ledger, dialect: Dialect) -> list[Raw]:
    """One row per sample and analyte, sorted by both; items as in `assay.results`, the result also there as
    Calc. Concentration.

    The rows need the items Sample, Assay, Well, Calc. Concentration and PLATE; the others of the module may lack.
    DataError if one of the former is no item of the form.
    """
    for item in NEEDED if raws else ():
        raws[0].text(item)
    runs: list[Run] = []
    plates = _plates(_once(raws, log, ledger), dialect)
    for plate in plates:
        analytes: dict[str, list[Raw]] = {}
        for raw in plate.raws:
            analytes.setdefault((raw.text(ANALYTE) or "").strip(), []).append(raw)
        included = _included(plate, analytes)
        for analyte, wells in sorted(analytes.items()):
            if analyte:
                runs += _runs(plate, analyte, wells, included, log, ledger)
            else:
                for well in wells:
                    ledger.set_aside(well.form, well.lines, "well without an assay")
        if included is None:
            _undeclared(plate, runs, log)
    _undated(plates, runs, log)
    return assay.results(runs, _ITEMS, log, ledger)


def kind(sample: str) -> str:
    """standard, control, blank or sample, by the name."""
    return next((name for name, pattern in _KINDS if pattern.fullmatch(fold(sample))), "sample")


def _once(raws: Sequence[Raw], log: Log, ledger: Ledger) -> list[Raw]:
    """The rows by file and line; of lines that are equal in every cell the first."""
    first: dict[tuple[str, tuple[tuple[str, str | None], ...]], Raw] = {}
    kept = []
    for raw in sorted(raws, key=lambda raw: (raw.file, raw.line)):
        earlier = first.setdefault((raw.file, tuple(sorted(raw.cells.items()))), raw)
        if earlier is raw or not (raw.text(WELL) or "").strip():
            kept.append(raw)
            continue
        ledger.set_aside(raw.form, raw.lines, "repeats another row")
        words = {"form": raw.form, "item": RESULT, "value": raw.text(RESULT)}
        log.add("duplicate_exact", raw.origin(RESULT), other=earlier.row, **words)
    return kept


def _plates(raws: Sequence[Raw], dialect: Dialect) -> list[_Plate]:
    """Plates in the order that takes the place of their dates."""
    files: dict[str, dict[str, list[Raw]]] = {}
    for raw in raws:
        files.setdefault(raw.file, {}).setdefault(raw.cells[PLATE] or "", []).append(raw)
    found: list[_Plate] = []
    for file in sorted(files, key=_natural):
        of_file = files[file]
        for name, own in of_file.items():
            place = f"{file}[{name}]" if len(of_file) > 1 else file
            found.append(_Plate(tuple(own), f"{len(found):06d}", place, _decimal(own, dialect)))
    return found


def _natural(file: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Digits as numbers; without the extension, so that ``plate_2`` is before ``plate_2 repeat``."""
    parts = re.split(r"([0-9]+)", re.sub(r"\.[^./]*$", "", file))
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts if part], file


def _decimal(raws: Sequence[Raw], dialect: Dialect) -> str:
    """The mark of the plate's figures if they have but one, as after a re-save in another locale."""
    texts = ((raw.cells.get(item) or "").strip() for raw in raws for item in _FIGURES)
    marks = {match["mark"] for text in texts for match in [_FIGURE.fullmatch(text)] if match}
    return marks.pop() if len(marks) == 1 else dialect.decimal


def _runs(plate: _Plate, analyte: str, wells: list[Raw], included: bool | None, log: Log, ledger: Ledger) -> list[Run]:
    """The runs of one analyte of a plate: one per sample and dilution."""
    groups: dict[str, list[Raw]] = {"standard": [], "control": [], "blank": [], "sample": []}
    for well in wells:
        groups[kind(well.text(SAMPLE) or "")].append(well)
    for name in ("standard", "control", "blank"):
        for well in groups[name]:
            ledger.set_aside(well.form, well.lines, name)
    judged = [(_control(plate, well, log), well) for well in groups["control"]]
    controls = [assay.Control(passes, well.origin(RESULT)) for passes, well in judged if passes is not None]
    valid = _valid(plate, groups["standard"])
    sheet = replace(
        assay.sheet(wells[0], plate.order, valid, controls, groups["sample"], RESULT, log), place=plate.place
    )
    found: list[Run] = []
    for sample, own in sorted(assay.named_unknowns(sheet, SAMPLE, ledger).items()):
        for dilution, diluted in sorted(_dilutions(plate, own).items()):
            lloq, uloq = _limits(plate, sheet, diluted, dilution)
            times = dilution if included is False else 1.0
            read = tuple(_well(plate, raw, times, lloq, uloq) for raw in diluted)
            found.append(Run(sheet, sample, analyte, read, lloq, uloq, UNIT, plate.name))
    return found


def _dilutions(plate: _Plate, wells: Sequence[Raw]) -> dict[float, list[Raw]]:
    """Wells of a sample by dilution; one without a figure there belongs to the others if they have but one."""
    known = {value for well in wells for value in [plate.positive(well, DILUTION)] if value is not None}
    usual = next(iter(known)) if len(known) == 1 else 1.0
    found: dict[float, list[Raw]] = {}
    for well in wells:
        found.setdefault(plate.positive(well, DILUTION) or usual, []).append(well)
    return found


def _limits(plate: _Plate, sheet: Sheet, wells: Sequence[Raw], dilution: float) -> tuple[float, float]:
    """Printed detection limits of the wells (if of several the loosest), else of their assay, else the standards."""
    assert sheet.low is not None
    assert sheet.high is not None

    def limit(item: str, loosest: Callable[[Iterable[float]], float], standard: float) -> float:
        for raws in (wells, sheet.unknowns):
            printed = [value for raw in raws for value in [plate.positive(raw, item)] if value is not None]
            if printed:
                return loosest(printed)
        return standard

    low, high = limit(LOW, max, sheet.low), limit(HIGH, min, sheet.high)
    return assay.tidy(low * dilution), assay.tidy(high * dilution)


def _valid(plate: _Plate, wells: Sequence[Raw]) -> list[float]:
    """Expected concentration of the standards that recover."""
    levels: dict[str, list[Raw]] = {}
    for well in wells:
        levels.setdefault(fold(well.text(SAMPLE) or ""), []).append(well)
    found = []
    for _, level in sorted(levels.items()):
        expected = next((v for well in level for v in [plate.positive(well, EXPECTED)] if v is not None), None)
        known = [v for well in level for v in [_recovery(plate, well)] if v is not None]
        if expected is not None and known and assay.BAND[0] <= sum(known) / len(known) <= assay.BAND[1]:
            found.append(expected)
    return found


def _recovery(plate: _Plate, well: Raw) -> float | None:
    """Recovery in percent: printed, else calculated over expected; None if neither can be had."""
    printed, observed = plate.figure(well, RECOVERY), plate.figure(well, RESULT)
    expected = plate.positive(well, EXPECTED)
    if printed is None and observed is not None and expected is not None:
        return 100 * observed / expected
    return printed


def _control(plate: _Plate, well: Raw, log: Log) -> bool | None:
    """Whether a control well recovers; None if nothing is expected of it."""
    recovery = _recovery(plate, well)
    if recovery is None:
        return None if plate.positive(well, EXPECTED) is None else False
    return assay.recovers(recovery, 100.0, log)


def _well(plate: _Plate, raw: Raw, times: float, lloq: float, uloq: float) -> Well:
    said, text = fold(raw.cells.get(RANGE) or ""), (raw.text(RESULT) or "").strip()
    word = None if said in numbers.NO_VALUE else _WORDS.get(said, "failed")
    found = numbers.parse(text, plate.decimal)
    side = _SIDES.get(found.cens)
    if _unread_dilution(plate, raw):
        return Well(_shown(raw, DILUTION), "failed", None)
    if word == "failed" or (side and word not in (side, None)):
        return Well(_shown(raw, RANGE), "failed", None)
    value = assay.tidy(found.value * times) if found.status == "number" and found.value is not None else None
    if side:
        return Well(raw, side, None, bound=value)
    if word in ("low", "high"):
        return Well(_shown(raw, RANGE), word, None)
    if value is None:
        return Well(raw, "failed" if text else "blank", None)
    if word == "in" or lloq <= value <= uloq:
        return Well(raw, "in", value)
    return Well(raw, "low" if value < lloq else "high", value, extrapolated=True)


def _shown(raw: Raw, item: str) -> Raw:
    """The well with the cell that decided on it as its result; its own result cell still comes first."""
    cells = {**raw.cells, RESULT: raw.cells.get(item)}
    return replace(raw, cells=cells, places={**raw.places, RESULT: (*raw.origin(RESULT), *raw.origin(item))})


def _unread_dilution(plate: _Plate, raw: Raw) -> bool:
    text = raw.cells.get(DILUTION) or ""
    return fold(text) not in numbers.NO_VALUE and plate.positive(raw, DILUTION) is None


def _included(plate: _Plate, analytes: dict[str, list[Raw]]) -> bool | None:
    """Whether Calc. Concentration holds the dilution, as the standards show; None if they do not."""
    votes: list[bool | None] = []
    for _, wells in sorted(analytes.items()):
        curve = _curve(plate, wells)
        for raw in wells:
            signal, value, dilution = (plate.positive(raw, item) for item in (SIGNAL, RESULT, DILUTION))
            if kind(raw.text(SAMPLE) or "") != "sample" or signal is None or value is None:
                continue
            on_curve = _interpolated(curve, signal)
            if on_curve is not None and dilution is not None and dilution != 1:
                votes.append(_vote(value / on_curve, dilution))
    if len(votes) < _LEAST:
        return None
    return next((said for said in (True, False) if votes.count(said) >= _SHARE * len(votes)), None)


def _vote(ratio: float, dilution: float) -> bool | None:
    """True near the dilution, False near 1, None between; the interpolated concentration is only roughly known."""
    near = abs(ln(dilution)) / 3
    if abs(ln(ratio / dilution)) < near:
        return True
    return False if abs(ln(ratio)) < near else None


def _curve(plate: _Plate, wells: Sequence[Raw]) -> list[tuple[float, float]]:
    """(log mean signal, log concentration) of the standards that have both, rising; empty if the signal does not."""
    levels: dict[float, list[float]] = {}
    for raw in wells:
        signal, expected = plate.positive(raw, SIGNAL), plate.positive(raw, EXPECTED)
        if kind(raw.text(SAMPLE) or "") == "standard" and signal is not None and expected is not None:
            levels.setdefault(expected, []).append(signal)
    points = [(ln(sum(own) / len(own)), ln(expected)) for expected, own in sorted(levels.items())]
    rising = all(one[0] < other[0] for one, other in zip(points, points[1:], strict=False))
    return points if rising else []


def _interpolated(curve: Sequence[tuple[float, float]], signal: float) -> float | None:
    """Concentration between two standards, straight on the logarithms; None beyond them."""
    x = ln(signal)
    at = bisect_right([point[0] for point in curve], x)
    if at in (0, len(curve)):
        return None
    (x0, y0), (x1, y1) = curve[at - 1], curve[at]
    return exp(y0 + (y1 - y0) * (x - x0) / (x1 - x0))


def _undeclared(plate: _Plate, runs: Sequence[Run], log: Log) -> None:
    """One query for a plate that diluted its samples and does not show whether Calc. Concentration holds it."""
    wells = [well.raw for run in runs if run.sheet.date == plate.order for well in run.wells]
    diluted = [raw for raw in wells if plate.diluted(raw)]
    if diluted:
        first = min(diluted, key=lambda raw: raw.line)
        log.add("dilution_undeclared", first.origin(DILUTION), form=first.form, item=DILUTION, result=RESULT)


def _undated(plates: Sequence[_Plate], runs: Sequence[Run], log: Log) -> None:
    """Says of plates with repeated samples that the names of their files decide."""
    firsts = {plate.order: plate for plate in plates}
    orders: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        orders.setdefault((run.sample, run.analyte), set()).add(run.sheet.date)
    for _, found in sorted(orders.items()):
        if len(found) > 1:
            first = firsts[min(found)].raws[0]
            cells = [cell for order in sorted(found) for cell in firsts[order].raws[0].origin(PLATE)]
            log.add("plate_order", cells, form=first.form, item=PLATE, value=first.cells[PLATE])
