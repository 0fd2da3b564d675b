"""Bio-Plex Manager plates: from wells to one result per sample and analyte.

Conventions, all from the instrument program's own flags:

* A standard is valid if its mean Obs Conc recovers the Exp Conc within the band that the sheet states (70 to 130 %
  if it states none). LLOQ and ULOQ of a well are its dilution times the Obs Conc of the lowest and highest valid
  standard.
* Obs Conc of an unknown already holds the dilution: the program multiplies it in. The metadata of the workbook
  must say so (``Obs Conc: dilution factor included``); if they say ``not included`` it is multiplied here, once; if
  they are silent and a dilution is not 1, it is taken as included and queried.
* Wells: a figure is in range; ``OOR <`` and ``OOR >`` are below and above; ``*12.3`` is extrapolated beyond the
  valid standards and counts as below or above (strictly within them as in range); ``***`` failed and ``---``
  (removed outlier, or a mark under Outlier) are left out; blank is no data.
* The result is the mean of the wells in range. With one well below (above) the range it is censored at LLOQ (ULOQ);
  below and above at once it is null.
* Of a sample on several plates the last accepted run counts (plate date, then file; a date that cannot be read is
  queried and counts as the earliest). A sheet is accepted if it has
  enough valid standards and two thirds of its control wells recover; a sheet without valid standards gives nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trialpipe.clean import dates, numbers
from trialpipe.clean.codes import fold
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.config.extracts import Dialect

OBS, EXPECTED, SAMPLE, ANALYTE = "Obs Conc", "Exp Conc", "Description", "ANALYTE"
_TYPE = re.compile(r"(ES|S|B|C|X)[0-9]*", re.IGNORECASE)
_ASIDE = {"S": "standard", "ES": "standard", "B": "blank", "C": "control"}
_BAND = (70.0, 130.0)
_HALF_DAY = re.compile(r"(?P<rest>.+?)\s*(?P<half>[AaPp])\.?[Mm]\.?")


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
    """One well: ``state`` in, low, high, failed, outlier or blank; ``value`` with the dilution."""

    raw: Raw
    state: str
    value: float | None
    extrapolated: bool = False


@dataclass(frozen=True)
class Run:
    """A sample's wells on one sheet."""

    sheet: Sheet
    sample: str
    analyte: str
    wells: tuple[Well, ...]
    lloq: float
    uloq: float


def prepare(raws: Sequence[Raw], log: Log, ledger: Ledger, dialect: Dialect) -> list[Raw]:
    """One row per sample and analyte, sorted by both.

    Items: those of the sample's first well, with Obs Conc replaced by the result as text (``123.4``, ``<7.3``,
    ``>9000``; null if there is none), and SAMPLE, ANALYTE, RESULT (= Obs Conc), CENS, LLOQ, ULOQ, UNIT, NREP, CV,
    PLATE. ``places`` lists the wells behind Description and Obs Conc.
    """
    groups: dict[str, list[Raw]] = {}
    for raw in raws:
        groups.setdefault(raw.file, []).append(raw)
    runs: list[Run] = []
    for place, wells in sorted(groups.items()):
        runs += _runs(_sheet(place, wells, log, ledger, dialect), ledger, dialect)
    _undeclared(runs, log, dialect)
    by_sample: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        by_sample.setdefault((run.sample, run.analyte), []).append(run)
    found = []
    for _, of_sample in sorted(by_sample.items()):
        chosen = _chosen(of_sample, log, ledger)
        # runs that do not count are judged too: their queries stand, their results do not
        found += [result for run in of_sample for result in [_result(run, log)] if run is chosen]
    return found


def _sheet(place: str, wells: list[Raw], log: Log, ledger: Ledger, dialect: Dialect) -> Sheet:
    standards: dict[str, list[tuple[float, float]]] = {}
    controls: list[bool] = []
    unknowns = []
    rule = log.rules.find("plate_control", log.domain)
    percent = rule.number("percent") if rule else 30.0
    for raw in wells:
        kind = _TYPE.fullmatch((raw.text("Type") or "").strip())
        letter = kind[1].upper() if kind else ""
        if letter == "X":
            unknowns.append(raw)
            continue
        ledger.set_aside(raw.form, raw.lines, _ASIDE.get(letter, "well of unknown type"))
        observed, expected = _figure(raw, OBS, dialect), _figure(raw, EXPECTED, dialect)
        if observed is None or not expected or _marked(raw):
            continue
        if letter in ("S", "ES"):
            # some exports call every standard S: the level is then told by its concentration
            level = f"{(raw.text('Type') or '').strip()} {expected}"
            standards.setdefault(level, []).append((observed, expected))
        elif letter == "C":
            controls.append(abs(observed / expected * 100 - 100) <= percent)
    valid = _valid(standards, wells[0], dialect)
    _judge(place, wells[0], len(valid), controls, log)
    least = _least(log)
    low, high = (min(valid), max(valid)) if len(valid) >= least else (None, None)
    passes = _controls_pass(controls, log)
    return Sheet(place, _moment(wells[0].cells.get("PLATE_DATE"), dialect), low, high, passes, tuple(unknowns))


def _moment(text: str | None, dialect: Dialect) -> str:
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


def _least(log: Log) -> int:
    rule = log.rules.find("plate_standards", log.domain)
    return int(rule.number("least")) if rule else 2


def _controls_pass(controls: list[bool], log: Log) -> bool:
    rule = log.rules.find("plate_control", log.domain)
    share = rule.number("share") if rule else 0.67
    # two of three controls are two thirds, whatever the digits of the share
    return not controls or sum(controls) / len(controls) >= share - 0.005


def _judge(place: str, raw: Raw, valid: int, controls: list[bool], log: Log) -> None:
    if valid < _least(log):
        log.add("plate_standards", (f"{place}:{raw.line}:Type",), form=raw.form, item="Type", value=str(valid))
    if not _controls_pass(controls, log):
        shown = f"{sum(controls)} of {len(controls)}"
        log.add("plate_control", (f"{place}:{raw.line}:Type",), form=raw.form, item="Type", value=shown)


def _valid(standards: dict[str, list[tuple[float, float]]], raw: Raw, dialect: Dialect) -> list[float]:
    """Mean Obs Conc of the standards whose recovery lies in the sheet's band."""
    low = _figure(raw, "RECOVERY_LOW", dialect) or _BAND[0]
    high = _figure(raw, "RECOVERY_HIGH", dialect) or _BAND[1]
    means = []
    for pairs in standards.values():
        mean = sum(observed for observed, _ in pairs) / len(pairs)
        expected = sum(value for _, value in pairs) / len(pairs)
        if low <= 100 * mean / expected <= high:
            means.append(mean)
    return means


def _undeclared(runs: list[Run], log: Log, dialect: Dialect) -> None:
    """One query per workbook that diluted its samples and does not say whether Obs Conc holds the dilution."""
    asked: set[str] = set()
    for raw in (run.wells[0].raw for run in runs):
        book = raw.file.split("[")[0]
        if book not in asked and _declared(raw) is None and (_figure(raw, "Dilution", dialect) or 1) != 1:
            asked.add(book)
            log.add("dilution_undeclared", raw.origin("Dilution"), form=raw.form, item="Dilution")


def _runs(sheet: Sheet, ledger: Ledger, dialect: Dialect) -> list[Run]:
    samples: dict[tuple[str, str], list[Raw]] = {}
    for raw in sheet.unknowns:
        name = (raw.text(SAMPLE) or "").strip()
        if not name:
            ledger.set_aside(raw.form, raw.lines, "unknown well without a sample number")
        elif sheet.low is None:
            ledger.set_aside(raw.form, raw.lines, "plate without valid standards")
        else:
            samples.setdefault((name, (raw.text(ANALYTE) or "").strip()), []).append(raw)
    found = []
    for (name, analyte), wells in sorted(samples.items()):
        assert sheet.low is not None
        assert sheet.high is not None
        dilution = _figure(wells[0], "Dilution", dialect) or 1.0
        times = dilution if _declared(wells[0]) is False else 1.0
        lloq, uloq = _clean(sheet.low * dilution), _clean(sheet.high * dilution)
        read = tuple(_well(raw, times, lloq, uloq, dialect) for raw in wells)
        found.append(Run(sheet, name, analyte, read, lloq, uloq))
    return found


def _declared(raw: Raw) -> bool | None:
    """Whether the workbook says that Obs Conc holds the dilution; None if it says neither."""
    metadata = json.loads(raw.cells.get("PLATE_META") or "{}")
    said = next((fold(str(value or "")) for key, value in metadata.items() if fold(key) == fold(OBS)), "")
    return False if "not included" in said else True if "included" in said else None


def _well(raw: Raw, times: float, lloq: float, uloq: float, dialect: Dialect) -> Well:
    text = " ".join((raw.text(OBS) or "").split())
    if _marked(raw) or text == "---":
        return Well(raw, "outlier", None)
    if text == "***":
        return Well(raw, "failed", None)
    if text.upper().replace(" ", "") in ("OOR<", "OOR>"):
        return Well(raw, "low" if text.endswith("<") else "high", None)
    found = numbers.parse(text.lstrip("*"), dialect.decimal)
    if found.status != "number" or found.value is None or found.cens != "none":
        return Well(raw, "failed" if text else "blank", None)
    value = _clean(found.value * times)
    if not text.startswith("*"):
        return Well(raw, "in", value)
    # printed figures are rounded: a star on the bound itself is beyond it
    state = "low" if value <= lloq else "high" if value >= uloq else "in"
    return Well(raw, state, value, extrapolated=True)


def _chosen(runs: list[Run], log: Log, ledger: Ledger) -> Run:
    """The last accepted run, else the last one; the wells of the others are set aside."""
    ordered = sorted(runs, key=lambda run: (run.sheet.controls_pass, run.sheet.date, run.sheet.place))
    undated = next((run.wells[0].raw for run in ordered if not run.sheet.date), None)
    if len(ordered) > 1 and undated is not None:
        place, text = undated.file.split("[")[0], undated.cells.get("PLATE_DATE")
        log.add("plate_undated", (f"{place}:1:PLATE_DATE",), form=undated.form, item="PLATE_DATE", value=text)
    for other in ordered[:-1]:
        for well in other.wells:
            ledger.set_aside(well.raw.form, well.raw.lines, "repeated on another plate")
        cells = [cell for well in other.wells for cell in well.raw.origin(OBS)]
        form, place = other.wells[0].raw.form, ordered[-1].sheet.place
        log.add("plate_repeat", cells, form=form, item=OBS, value=other.sample, other=place, sample=other.sample)
    return ordered[-1]


def _result(run: Run, log: Log) -> Raw:
    """The row of a sample: mean, bound or null, with flags and queries on its wells."""
    states = [well.state for well in run.wells]
    inside = [well.value for well in run.wells if well.state == "in" and well.value is not None]
    text, cens = None, "none"
    flags = {"EXTRAPOLATED"} if any(well.extrapolated for well in run.wells) else set()
    if "low" in states and "high" in states:
        _query("replicate_contradiction", run, run.wells, log)
    elif "low" in states or "high" in states:
        cens = "left" if "low" in states else "right"
        text = f"<{numbers.shown(run.lloq)}" if cens == "left" else f">{numbers.shown(run.uloq)}"
        if inside:
            _query("replicate_censored", run, run.wells, log)
    elif inside:
        text = numbers.shown(_clean(sum(inside) / len(inside)))
        flags |= {"REPLICATES_MEAN"} if len(inside) > 1 else set()
    cv = _cv(inside) if cens == "none" else None
    rule = log.rules.find("replicate_cv", log.domain)
    if cv is not None and rule is not None and cv > rule.number("percent"):
        _query("replicate_cv", run, run.wells, log, cv=f"{cv:.0f}")
    left = sum(state in ("in", "low", "high") for state in states)
    for state, kind in (("failed", "well_excluded"), ("outlier", "outlier_removed")):
        gone = [well for well in run.wells if well.state == state]
        if gone:
            _query(kind, run, gone, log, left=left)
    starred = [well for well in run.wells if well.extrapolated]
    if starred:
        _query("extrapolated", run, starred, log)
    return _row(run, text, cens, cv, len(inside), flags)


def _row(run: Run, text: str | None, cens: str, cv: float | None, n: int, flags: set[str]) -> Raw:
    first = run.wells[0].raw
    used = [well for well in run.wells if well.state in ("in", "low", "high")] or list(run.wells)
    cells = {
        **first.cells,
        OBS: text,
        "SAMPLE": run.sample,
        "ANALYTE": run.analyte,
        "RESULT": text,
        "CENS": cens,
        "LLOQ": numbers.shown(run.lloq),
        "ULOQ": numbers.shown(run.uloq),
        "UNIT": json.loads(first.cells.get("PLATE_META") or "{}").get("Units"),
        "NREP": str(n),
        "CV": None if cv is None else f"{cv:.1f}",
        "PLATE": first.cells.get("PLATE_FILE"),
    }
    names = tuple(cell for well in run.wells for cell in well.raw.origin(SAMPLE))
    values = tuple(cell for well in used for cell in well.raw.origin(OBS))
    places = {SAMPLE: names, "SAMPLE": names, OBS: values, "RESULT": values}
    places |= dict.fromkeys(("LLOQ", "ULOQ"), values)
    lines = tuple(line for well in run.wells for line in well.raw.lines)
    return replace(first, cells=cells, places=places, lines=lines, flags=tuple(sorted(flags)), prepared=True)


def _query(kind: str, run: Run, wells: Sequence[Well], log: Log, cv: str | None = None, left: int = 0) -> None:
    cells = [cell for well in wells for cell in well.raw.origin(OBS)]
    value = " / ".join(well.raw.text(OBS) or "" for well in wells)
    name = f"{run.sample} {run.analyte}"
    log.add(kind, cells, form=wells[0].raw.form, item=OBS, value=value, sample=name, cv=cv, left=left)


def _cv(values: list[float]) -> float | None:
    """Coefficient of variation in percent, with n - 1."""
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    spread = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
    return 100 * spread / mean if mean else None


def _marked(raw: Raw) -> bool:
    return bool((raw.cells.get("Outlier") or "").strip())


def _figure(raw: Raw, item: str, dialect: Dialect) -> float | None:
    found = numbers.parse(raw.cells.get(item), dialect.decimal)
    return found.value if found.status == "number" and found.cens == "none" else None


def _clean(value: float) -> float:
    """Without binary noise."""
    return float(f"{value:.12g}")
