"""Deliveries of course ``icu_hlh``: a REDCap export with its dictionary, and MSD plates."""

from __future__ import annotations

from trialpipe.simulate import defects_icu, msd, redcap_fields, redcap_forms, truth_icu
from trialpipe.simulate.delivery import Delivery
from trialpipe.simulate.icu_patient import IcuPatient
from trialpipe.simulate.parameters import Parameters


def make(p: Parameters, seed: int, patients: list[IcuPatient]) -> Delivery:
    """All raw tables, without defects, and their truth. The record of a refusal carries no defect."""
    data = redcap_forms.data(p, seed, patients)
    book = redcap_fields.dictionary(p.words["redcap_files"][1])
    plates = msd.plates(p, seed, [patient for patient in patients if patient.refused is None])
    known = {**truth_icu.tables(p, patients), "cytokines": msd.truth(p, seed, plates)}
    return Delivery(
        forms={"data": data},
        sheets=[*plates],
        files={"point_csv": [data, book], "msd": [*plates]},
        truth=known,
        makers=defects_icu.MAKERS,
        touched={id(row) for row in data.rows if row.tags["patient"].refused is not None},
    )
