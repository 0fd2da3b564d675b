"""Deliveries of course ``oral_primary_hlh``: ODM e-CRF, drug levels, xPONENT plates and nCounter lanes."""

from __future__ import annotations

from trialpipe.simulate import (
    defects_odm,
    defects_pk,
    defects_plates,
    nanostring,
    odm_forms,
    pk_oral,
    truth_oral,
    xponent,
)
from trialpipe.simulate.delivery import Delivery
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient


def make(p: Parameters, seed: int, patients: list[Patient]) -> Delivery:
    """All raw tables, without defects, and their truth. Rows that were corrected carry no defects."""
    study = odm_forms.study(p, seed, patients)
    drug = pk_oral.results(p, seed, patients)
    plates, lanes = xponent.plates(p, seed, patients), nanostring.lanes(p, seed, patients)
    known = {
        **truth_oral.tables(p, patients),
        "pk": pk_oral.truth(drug),
        "csf_pairs": pk_oral.pairs(drug),
        "cytokines": xponent.truth(p, seed, patients, plates),
        "expression": nanostring.truth(p, seed, patients, lanes),
    }
    return Delivery(
        forms={**{table.sheet or "": table for table in study.tables}, **drug},
        sheets=[*plates, *lanes],
        files={"odm": [*study.tables], "point_csv": [*drug.values()], "xponent": plates, "rcc": lanes},
        truth=known,
        makers={**defects_odm.MAKERS, **defects_pk.MAKERS, **defects_plates.MAKERS},
        touched={id(row) for table in study.tables for row in table.rows if "before" in row.tags},
    )
