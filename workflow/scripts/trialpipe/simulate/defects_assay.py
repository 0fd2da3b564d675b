"""Defects of the laboratory deliveries: drug concentrations and multiplex plates."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np

from trialpipe.simulate import pk, raw
from trialpipe.simulate.bioplex import plain
from trialpipe.simulate.defects import Cell, Forge, Maker, choose
from trialpipe.simulate.raw import Row, Table

PK_FORM = "alemtuzumab"
_FIGURE = re.compile(r"\d+(\.\d+)?")


def _before_infusion(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The last infusion entered as one that starts after the sample."""
    table = forge.forms[PK_FORM]
    row = choose(rng, [r for r in forge.free(table) if r.cells[pk.LAST_DOSE]])
    if row is None:
        return []
    late = row.tags["sample"].when + dt.timedelta(minutes=30 * int(rng.integers(1, 9)))
    return [forge.put(table, row, pk.LAST_DOSE, raw.moment(late))]


def _wrong_patient(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The sample of one patient under the number of another; the manifest of the e-CRF knows whose it is."""
    table = forge.forms[PK_FORM]
    row = choose(rng, forge.free(table))
    if row is None:
        return []
    others = sorted(set(forge.patients) - {row.subject})
    return [forge.put(table, row, pk.SUBJECT, others[int(rng.integers(len(others)))])] if others else []


def _no_hour(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    table = forge.forms[PK_FORM]
    days: dict[tuple[str, str], list[Row]] = {}
    for each in table.rows:
        days.setdefault((each.subject, each.cells[pk.TAKEN][:10]), []).append(each)
    alone = [r for r in forge.free(table) if len(days[(r.subject, r.cells[pk.TAKEN][:10])]) == 1]
    row = choose(rng, alone)
    return [forge.put(table, row, pk.TAKEN, row.cells[pk.TAKEN][:10])] if row else []


def _pk_not_in_manifest(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    table = forge.forms[PK_FORM]
    row = choose(rng, forge.free(table))
    return [forge.put(table, row, pk.SAMPLE, f"PK9{row.cells[pk.SAMPLE][3:]}")] if row else []


def _unknowns(forge: Forge) -> list[tuple[Table, Row]]:
    return [(t, r) for t in forge.sheets for r in forge.free(t) if r.tags["kind"] == "unknown"]


def _plate_not_in_manifest(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """A sample id mistyped in the plate layout: the same in every sheet of the plate."""
    names = sorted({(t.path, r.cells["Description"]) for t, r in _unknowns(forge)})
    if not names:
        return []
    path, name = names[int(rng.integers(len(names)))]
    wrong = f"BB9{name[3:]}"
    hit = [(t, r) for t, r in _unknowns(forge) if t.path == path and r.cells["Description"] == name]
    return [forge.put(t, r, "Description", wrong) for t, r in hit]


def _pairs(forge: Forge) -> list[tuple[Table, Row, Row]]:
    """Both wells of samples whose replicates are figures in range."""
    found = []
    for table in forge.sheets:
        wells = [r for r in table.rows if r.tags["kind"] == "unknown"]
        for first, second in zip(wells[::2], wells[1::2], strict=True):
            figures = all(_FIGURE.fullmatch(r.cells["Obs Conc"]) for r in (first, second))
            if figures and not {id(first), id(second)} & forge.touched:
                found.append((table, first, second))
    return found


def _far(first: Row, second: Row) -> float:
    """Concentration that a second well takes: 1.8 times its own, at least 1.6 times the first (CV above 30 percent)."""
    return max(float(second.cells["Obs Conc"]) * 1.8, float(first.cells["Obs Conc"]) * 1.6)


def _second_well(text: str | None) -> Maker:
    """Obs Conc and Conc in Range of a second well: ``text``, or far from the first well within the range."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        pairs = _pairs(forge)
        if text is None:
            pairs = [(t, f, s) for t, f, s in pairs if _far(f, s) < s.tags["bounds"][1]]
        if not pairs:
            return []
        table, first, second = pairs[int(rng.integers(len(pairs)))]
        shown = plain(_far(first, second)) if text is None else text
        return [forge.put(table, second, item, shown) for item in ("Obs Conc", "Conc in Range")]

    return make


MAKERS: dict[str, Maker] = {
    "pk_before_infusion": _before_infusion,
    "pk_wrong_patient": _wrong_patient,
    "pk_hour_missing": _no_hour,
    "pk_sample_unknown": _pk_not_in_manifest,
    "cytokine_sample_unknown": _plate_not_in_manifest,
    "cytokine_replicates_differ": _second_well(None),
    "cytokine_well_failed": _second_well("***"),
    "cytokine_outlier_removed": _second_well("---"),
}
