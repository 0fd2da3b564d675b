"""From wells to one result per sample and analyte: what the plate formats have in common.

A front end reads the cells of its program, makes a `Sheet` of each analyte of a plate and a `Well` of each well of a
sample; the rules from there on are the same for all:

* A standard is valid if its mean recovers the expected concentration within a band (70 to 130 % if the plate states
  none). A sheet is accepted if it has enough valid standards and two thirds of its control wells recover; a sheet
  without valid standards gives nothing.
* The result is the mean of the wells in range. With one well below (above) the range it is censored at the lower
  (upper) limit of the well's dilution, or at the bound that the program printed for the well; below and above at once
  it is null.
* Of a sample on several plates the last accepted run counts (plate date, then file; a date that cannot be read is
  queried and counts as the earliest); of one sheet's dilutions of it the one with the most wells in range.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from trialpipe.clean import dates, numbers
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.config.extracts import Dialect

BAND = (70.0, 130.0)
_HALF_DAY = re.compile(r"(?P<rest>.+?)\s*(?P<half>[AaPp])\.?[Mm]\.?")
# state of a well that is left out -> rule that says so
_LEFT_OUT = {"failed": "well_excluded", "outlier": "outlier_removed", "beads": "bead_count"}


@dataclass(frozen=True)
class Items:
    """Items of a well's row that hold its result and its sample number."""

    result: str
    sample: str


class Control(NamedTuple):
    """Whether a control well recovers, and the cells of its result."""

    passes: bool
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """One analyte of one plate: bounds undiluted (None: no valid standard), whether its controls recover."""

    place: str
    date: str
    low: float | None
    high: float | None
    controls_pass: bool
    unknowns: tuple[Raw, ...]


@dataclass(frozen=True)
class Well:
    """One well: ``state`` in, low, high, failed, outlier, beads or blank; ``value`` with the dilution.

    ``bound``: the limit that the program printed in place of a figure, with the dilution.
    """

    raw: Raw
    state: str
    value: float | None
    extrapolated: bool = False
    bound: float | None = None


@dataclass(frozen=True)
class Run:
    """A sample's wells on one sheet, in one dilution."""

    sheet: Sheet
    sample: str
    analyte: str
    wells: tuple[Well, ...]
    lloq: float
    uloq: float
    unit: str | None
    plate: str | None

    @property
    def inside(self) -> list[float]:
        return [well.value for well in self.wells if well.state == "in" and well.value is not None]


def results(runs: Sequence[Run], items: Items, log: Log, ledger: Ledger) -> list[Raw]:
    """One row per sample and analyte, sorted by both.

    Items: those of the sample's first well, with the result item replaced by the result as text (``123.4``,
    ``<7.3``, ``>9000``; null if there is none), and SAMPLE, ANALYTE, RESULT (the same text), CENS, LLOQ, ULOQ, UNIT,
    NREP, CV, PLATE. ``places`` lists the wells behind sample and result.
    """
    by_sample: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        by_sample.setdefault((run.sample, run.analyte), []).append(run)
    found = []
    for _, of_sample in sorted(by_sample.items()):
        chosen = _chosen(of_sample, items, log, ledger)
        # runs that do not count are judged too: their queries stand, their results do not
        found += [result for run in of_sample for result in [_result(run, items, log)] if run is chosen]
    return found


def moment(text: str | None, dialect: Dialect) -> str:
    """Acquisition date as sortable ISO text, read in the order of the dialect; empty if it cannot be read."""
    match = _HALF_DAY.fullmatch(" ".join((text or "").replace(",", " ").split()))
    plain, half = (match["rest"], match["half"]) if match else (text or "", None)
    found = dates.parse(plain.replace(",", " "), dialect.dates)
    if found.precision != "day":
        return ""
    hour, minute = (int(part) for part in (found.time or "00:00").split(":"))
    if half is not None:
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    return f"{found.date}T{hour:02d}:{minute:02d}"


def sheet(
    raw: Raw,
    date: str,
    valid: Sequence[float],
    controls: Sequence[Control],
    unknowns: Sequence[Raw],
    item: str,
    log: Log,
) -> Sheet:
    """The sheet that ``raw`` (its first row) stands on, from its valid standards and control wells, with queries.

    ``item``: the column that tells standards and controls, where the queries point.
    """
    accepted, cells = _controls_pass([control.passes for control in controls], log), raw.origin(item)
    if len(valid) < _least(log):
        log.add("plate_standards", cells, form=raw.form, item=item, value=str(len(valid)))
    if not accepted:
        shown = f"{sum(control.passes for control in controls)} of {len(controls)}"
        failed = [cell for control in controls if not control.passes for cell in control.cells]
        log.add("plate_control", (*cells, *failed), form=raw.form, item=item, value=shown)
    low, high = (min(valid), max(valid)) if len(valid) >= _least(log) else (None, None)
    return Sheet(raw.file, date, low, high, accepted, tuple(unknowns))


def recovers(observed: float, expected: float, log: Log) -> bool:
    """Whether a control well is as near to its expected concentration as the rule asks."""
    rule = log.rules.find("plate_control", log.domain)
    percent = rule.number("percent") if rule else 30.0
    return abs(observed / expected * 100 - 100) <= percent


def valid_means(
    standards: Mapping[str, Sequence[tuple[float, float]]], low: float = BAND[0], high: float = BAND[1]
) -> list[float]:
    """Mean observed concentration of the standards ((observed, expected) of each well by level) within the band."""
    means = []
    for pairs in standards.values():
        mean = sum(observed for observed, _ in pairs) / len(pairs)
        expected = sum(value for _, value in pairs) / len(pairs)
        if low <= 100 * mean / expected <= high:
            means.append(mean)
    return means


def named_unknowns(one: Sheet, item: str, ledger: Ledger) -> dict[str, list[Raw]]:
    """Wells of a sheet that can give a result by sample number; the others are set aside."""
    samples: dict[str, list[Raw]] = {}
    for raw in one.unknowns:
        name = (raw.text(item) or "").strip()
        if not name:
            ledger.set_aside(raw.form, raw.lines, "unknown well without a sample number")
        elif one.low is None:
            ledger.set_aside(raw.form, raw.lines, "plate without valid standards")
        else:
            samples.setdefault(name, []).append(raw)
    return samples


def figure(raw: Raw, item: str, dialect: Dialect) -> float | None:
    """The uncensored figure in an item, None if there is none."""
    found = numbers.parse(raw.cells.get(item), dialect.decimal)
    return found.value if found.status == "number" and found.cens == "none" else None


def tidy(value: float) -> float:
    """Without binary noise."""
    return float(f"{value:.12g}")


def cv(values: Sequence[float]) -> float | None:
    """Coefficient of variation in percent, with n - 1."""
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    spread = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
    return 100 * spread / mean if mean else None


def _least(log: Log) -> int:
    rule = log.rules.find("plate_standards", log.domain)
    return int(rule.number("least")) if rule else 2


def _controls_pass(controls: Sequence[bool], log: Log) -> bool:
    rule = log.rules.find("plate_control", log.domain)
    share = rule.number("share") if rule else 0.67
    # two of three controls are two thirds, whatever the digits of the share
    return not controls or sum(controls) / len(controls) >= share - 0.005


def _chosen(runs: Sequence[Run], items: Items, log: Log, ledger: Ledger) -> Run:
    """The last accepted run, else the last one; the wells of the others are set aside."""
    ordered = sorted(runs, key=_rank)
    undated = next((run.wells[0].raw for run in ordered if not run.sheet.date), None)
    if undated is not None and any(run.sheet.place != ordered[0].sheet.place for run in ordered):
        place, text = undated.file.split("[")[0], undated.cells.get("PLATE_DATE")
        log.add("plate_undated", (f"{place}:1:PLATE_DATE",), form=undated.form, item="PLATE_DATE", value=text)
    place = ordered[-1].sheet.place
    for other in ordered[:-1]:
        reason = "repeated on another plate" if other.sheet.place != place else "measured in another dilution"
        for well in other.wells:
            ledger.set_aside(well.raw.form, well.raw.lines, reason)
        cells = [cell for well in other.wells for cell in well.raw.origin(items.result)]
        words = {"item": items.result, "value": other.sample, "sample": other.sample}
        log.add("plate_repeat", cells, form=other.wells[0].raw.form, other=place, **words)
    return ordered[-1]


def _rank(run: Run) -> tuple[bool, str, str, float, float]:
    share = len(run.inside) / len(run.wells)
    return (run.sheet.controls_pass, run.sheet.date, run.sheet.place, share, -run.lloq)


def _result(run: Run, items: Items, log: Log) -> Raw:
    """The row of a sample: mean, bound or null, with flags and queries on its wells."""
    states = [well.state for well in run.wells]
    inside = run.inside
    value, cens = None, "none"
    flags = {"EXTRAPOLATED"} if any(well.extrapolated for well in run.wells) else set()
    if "low" in states and "high" in states:
        _query("replicate_contradiction", run, run.wells, items, log)
    elif "low" in states or "high" in states:
        cens = "left" if "low" in states else "right"
        value = _bound(run, cens)
        if inside:
            _query("replicate_censored", run, run.wells, items, log)
    elif inside:
        value = tidy(sum(inside) / len(inside))
        flags |= {"REPLICATES_MEAN"} if len(inside) > 1 else set()
    spread = cv(inside) if cens == "none" else None
    rule = log.rules.find("replicate_cv", log.domain)
    if spread is not None and rule is not None and spread > rule.number("percent"):
        _query("replicate_cv", run, run.wells, items, log, cv=f"{spread:.0f}")
    left = sum(state in ("in", "low", "high") for state in states)
    for state, kind in _LEFT_OUT.items():
        gone = [well for well in run.wells if well.state == state]
        if gone:
            _query(kind, run, gone, items, log, left=left)
    starred = [well for well in run.wells if well.extrapolated]
    if starred:
        _query("extrapolated", run, starred, items, log)
    return _row(run, items, value, cens, spread, flags)


def _bound(run: Run, cens: str) -> float:
    """The loosest of the limits that the wells beyond the range were compared with."""
    if cens == "left":
        return max(run.lloq if well.bound is None else well.bound for well in run.wells if well.state == "low")
    return min(run.uloq if well.bound is None else well.bound for well in run.wells if well.state == "high")


def _row(run: Run, items: Items, value: float | None, cens: str, spread: float | None, flags: set[str]) -> Raw:
    first = run.wells[0].raw
    used = [well for well in run.wells if well.state in ("in", "low", "high")] or list(run.wells)
    text = None if value is None else {"left": "<", "right": ">"}.get(cens, "") + numbers.shown(value)
    cells = {
        **first.cells,
        items.result: text,
        "SAMPLE": run.sample,
        "ANALYTE": run.analyte,
        "RESULT": text,
        "CENS": cens,
        "LLOQ": numbers.shown(run.lloq),
        "ULOQ": numbers.shown(run.uloq),
        "UNIT": run.unit,
        "NREP": str(len(run.inside)),
        "CV": None if spread is None else f"{spread:.1f}",
        "PLATE": run.plate,
    }
    names = tuple(cell for well in run.wells for cell in well.raw.origin(items.sample))
    values = tuple(cell for well in used for cell in well.raw.origin(items.result))
    places = {items.sample: names, "SAMPLE": names, items.result: values, "RESULT": values}
    places |= dict.fromkeys(("LLOQ", "ULOQ"), values)
    lines = tuple(dict.fromkeys(line for well in run.wells for line in well.raw.lines))
    return replace(first, cells=cells, places=places, lines=lines, flags=tuple(sorted(flags)), prepared=True)


def _query(
    kind: str, run: Run, wells: Sequence[Well], items: Items, log: Log, cv: str | None = None, left: int = 0
) -> None:
    item = items.result if kind != "bead_count" else "Count"
    cells = [cell for well in wells for cell in well.raw.origin(item)]
    value = " / ".join(well.raw.text(item) or "" for well in wells)
    name = f"{run.sample} {run.analyte}"
    log.add(kind, cells, form=wells[0].raw.form, item=item, value=value, sample=name, cv=cv, left=left)
