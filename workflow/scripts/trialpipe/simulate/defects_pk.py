"""Defects of the drug levels in plasma and cerebrospinal fluid."""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate.defects import Cell, Forge, Maker, choose
from trialpipe.simulate.pk_oral import COMMENT, LAST_DOSE, MOMENT, RESULT, SAMPLE, SUBJECT, TAKEN, UNIT, VISIT
from trialpipe.simulate.raw import Row

PLASMA, FLUID = "pk", "pkcsf"


def _figures(forge: Forge, form: str) -> list[Row]:
    """Untouched rows with a plain result."""
    return [r for r in forge.free(forge.forms[form]) if r.cells[RESULT].replace(".", "").isdigit()]


def _before_dose(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The last dose entered as one that is taken after the sample."""
    table = forge.forms[PLASMA]
    row = choose(rng, [r for r in forge.free(table) if r.cells[LAST_DOSE]])
    if row is None:
        return []
    late = row.tags["sample"].when + dt.timedelta(minutes=30 * int(rng.integers(1, 9)))
    return [forge.put(table, row, LAST_DOSE, f"{late:{MOMENT}}")]


def _wrong_patient(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The sample of one patient under the number of another; the sampling form knows whose it is."""
    table = forge.forms[PLASMA]
    row = choose(rng, forge.free(table))
    others = sorted(set(forge.patients) - {row.subject}) if row else []
    return [forge.put(table, row, SUBJECT, others[int(rng.integers(len(others)))])] if row and others else []


def _no_hour(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    table = forge.forms[PLASMA]
    alone = [
        r
        for r in forge.free(table)
        if r.tags["measured"]
        and sum(o.subject == r.subject and o.cells[TAKEN][:10] == r.cells[TAKEN][:10] for o in table.rows) == 1
    ]
    row = choose(rng, alone)
    return [forge.put(table, row, TAKEN, row.cells[TAKEN][:10])] if row else []


def _other_day(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """Another sampling day than in the sampling form."""
    table = forge.forms[PLASMA]
    row = choose(rng, [r for r in forge.free(table) if r.cells[LAST_DOSE]])
    if row is None:
        return []
    late = row.tags["sample"].when + dt.timedelta(days=int(rng.integers(1, 3)))
    return [forge.put(table, row, TAKEN, f"{late:{MOMENT}}")]


def _cell(form: str, item: str, text: str | None = None, prefix: str = "") -> Maker:
    """One cell of a row with a figure; ``prefix`` takes the place of as many characters."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        row = choose(rng, _figures(forge, form))
        if row is None:
            return []
        shown = text if text is not None else prefix + row.cells[item][len(prefix) :]
        return [forge.put(forge.forms[form], row, item, shown)]

    return make


def _decimal_comma(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """``38,4``: not grouped by three, so it can only be a decimal comma."""
    rows = [r for r in _figures(forge, PLASMA) if 1 <= len(r.cells[RESULT].partition(".")[2]) <= 2]
    row = choose(rng, rows)
    if row is None:
        return []
    return [forge.put(forge.forms[PLASMA], row, RESULT, row.cells[RESULT].replace(".", ","))]


def _twice(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """A row repeated cell by cell."""
    table = forge.forms[PLASMA]
    row = choose(rng, forge.free(table))
    if row is None:
        return []
    twin = forge.insert(table, row, row.cells)
    return [Cell(table, twin, SUBJECT, "", twin.cells[SUBJECT])]


def _comment(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    table = forge.forms[PLASMA]
    row = choose(rng, [r for r in forge.free(table) if not r.cells[COMMENT]])
    return [forge.put(table, row, COMMENT, "see Dr Lefebvre, 06 39 98 41 27")] if row else []


MAKERS: dict[str, Maker] = {
    "pk_before_dose": _before_dose,
    "pk_wrong_patient": _wrong_patient,
    "pk_hour_missing": _no_hour,
    "pk_other_day": _other_day,
    "pk_sample_unknown": _cell(PLASMA, SAMPLE, prefix="PK9"),
    "csf_sample_unknown": _cell(FLUID, SAMPLE, prefix="CS9"),
    "pk_unit_missing": _cell(PLASMA, UNIT, ""),
    "pk_unit_unknown": _cell(PLASMA, UNIT, "ng/flacon"),
    "pk_visit_unknown": _cell(PLASMA, VISIT, "V3 bis"),
    "pk_decimal_comma": _decimal_comma,
    "pk_duplicate_exact": _twice,
    "pk_privacy_comment": _comment,
}
