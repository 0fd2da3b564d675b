"""Bio-Plex Manager plates: from wells to one result per sample and analyte; the common rules are those of `assay`.

Conventions, all from the instrument program's own flags:

* Valid standards recover within the band that the sheet states (70 to 130 % if it states none). LLOQ and ULOQ of a
  well are its dilution times the Obs Conc of the lowest and highest valid standard.
* Obs Conc of an unknown already holds the dilution: the program multiplies it in. The metadata of the workbook
  must say so (``Obs Conc: dilution factor included``); if they say ``not included`` it is multiplied here, once; if
  they are silent and a dilution is not 1, it is taken as included and queried.
* Wells: a figure is in range; ``OOR <`` and ``OOR >`` are below and above; ``*12.3`` is extrapolated beyond the
  valid standards and counts as below or above (strictly within them as in range); ``***`` failed and ``---``
  (removed outlier, or a mark under Outlier) are left out; blank is no data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from trialpipe.clean import assay, numbers
from trialpipe.clean.assay import Run, Sheet, Well
from trialpipe.clean.codes import fold
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.config.extracts import Dialect

OBS, EXPECTED, SAMPLE, ANALYTE = "Obs Conc", "Exp Conc", "Description", "ANALYTE"
_ITEMS = assay.Items(result=OBS, sample=SAMPLE)
_TYPE = re.compile(r"(ES|S|B|C|X)[0-9]*", re.IGNORECASE)
_ASIDE = {"S": "standard", "ES": "standard", "B": "blank", "C": "control"}


def prepare(raws: Sequence[Raw], log: Log, ledger: Ledger, dialect: Dialect) -> list[Raw]:
    """One row per sample and analyte, sorted by both; items as in `assay.results`, the result also as Obs Conc."""
    groups: dict[str, list[Raw]] = {}
    for raw in raws:
        groups.setdefault(raw.file, []).append(raw)
    runs: list[Run] = []
    for _, wells in sorted(groups.items()):
        runs += _runs(_sheet(wells, log, ledger, dialect), ledger, dialect)
    _undeclared(runs, log, dialect)
    return assay.results(runs, _ITEMS, log, ledger)


def _sheet(wells: list[Raw], log: Log, ledger: Ledger, dialect: Dialect) -> Sheet:
    standards: dict[str, list[tuple[float, float]]] = {}
    controls: list[assay.Control] = []
    unknowns = []
    for raw in wells:
        kind = _TYPE.fullmatch((raw.text("Type") or "").strip())
        letter = kind[1].upper() if kind else ""
        if letter == "X":
            unknowns.append(raw)
            continue
        ledger.set_aside(raw.form, raw.lines, _ASIDE.get(letter, "well of unknown type"))
        observed, expected = assay.figure(raw, OBS, dialect), assay.figure(raw, EXPECTED, dialect)
        if observed is None or not expected or _marked(raw):
            continue
        if letter in ("S", "ES"):
            # some exports call every standard S: the level is then told by its concentration
            level = f"{(raw.text('Type') or '').strip()} {expected}"
            standards.setdefault(level, []).append((observed, expected))
        elif letter == "C":
            controls.append(assay.Control(assay.recovers(observed, expected, log), raw.origin(OBS)))
    low = assay.figure(wells[0], "RECOVERY_LOW", dialect) or assay.BAND[0]
    high = assay.figure(wells[0], "RECOVERY_HIGH", dialect) or assay.BAND[1]
    valid = assay.valid_means(standards, low, high)
    date = assay.moment(wells[0].cells.get("PLATE_DATE"), dialect)
    return assay.sheet(wells[0], date, valid, controls, unknowns, "Type", log)


def _undeclared(runs: list[Run], log: Log, dialect: Dialect) -> None:
    """One query per workbook that diluted its samples and does not say whether Obs Conc holds the dilution."""
    asked: set[str] = set()
    for raw in (run.wells[0].raw for run in runs):
        book = raw.file.split("[")[0]
        if book not in asked and _declared(raw) is None and (assay.figure(raw, "Dilution", dialect) or 1) != 1:
            asked.add(book)
            log.add("dilution_undeclared", raw.origin("Dilution"), form=raw.form, item="Dilution", result=OBS)


def _runs(sheet: Sheet, ledger: Ledger, dialect: Dialect) -> list[Run]:
    samples: dict[tuple[str, str], list[Raw]] = {}
    for name, raws in assay.named_unknowns(sheet, SAMPLE, ledger).items():
        for raw in raws:
            samples.setdefault((name, (raw.text(ANALYTE) or "").strip()), []).append(raw)
    found = []
    for (name, analyte), wells in sorted(samples.items()):
        assert sheet.low is not None
        assert sheet.high is not None
        first = wells[0]
        dilution = assay.figure(first, "Dilution", dialect) or 1.0
        times = dilution if _declared(first) is False else 1.0
        lloq, uloq = assay.tidy(sheet.low * dilution), assay.tidy(sheet.high * dilution)
        read = tuple(_well(raw, times, lloq, uloq, dialect) for raw in wells)
        unit = json.loads(first.cells.get("PLATE_META") or "{}").get("Units")
        found.append(Run(sheet, name, analyte, read, lloq, uloq, unit, first.cells.get("PLATE_FILE")))
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
    value = assay.tidy(found.value * times)
    if not text.startswith("*"):
        return Well(raw, "in", value)
    # printed figures are rounded: a star on the bound itself is beyond it
    state = "low" if value <= lloq else "high" if value >= uloq else "in"
    return Well(raw, state, value, extrapolated=True)


def _marked(raw: Raw) -> bool:
    return bool((raw.cells.get("Outlier") or "").strip())
