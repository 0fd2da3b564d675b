"""Deliveries of course ``primary_hlh``: spreadsheets of the e-CRF, drug levels and Bio-Plex workbooks."""

from __future__ import annotations

from trialpipe.simulate import bioplex, defects_assay, defects_ecrf, ecrf, pk, truth
from trialpipe.simulate.delivery import Delivery
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient


def make(p: Parameters, seed: int, patients: list[Patient]) -> Delivery:
    """All raw tables, without defects, and their truth."""
    forms = ecrf.forms(p, seed, patients)
    results, sheets = pk.results(p, seed, patients), bioplex.plates(p, seed, patients)
    return Delivery(
        forms={**forms, defects_assay.PK_FORM: results},
        sheets=sheets,
        files={"french_csv": [*forms.values(), results], "bioplex": sheets},
        truth=truth.tables(p, patients, [results, *sheets]),
        makers={**defects_ecrf.MAKERS, **defects_assay.MAKERS},
    )
