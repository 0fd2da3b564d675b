"""Adverse events of a list of preferred terms: compared without case and accents."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.derive_case import adsl_of, check_contract, domain, filled

from trialpipe.config.protocol import Protocol
from trialpipe.derive.adverse_events import folded, listed
from trialpipe.derive.run import derive
from trialpipe.io.errors import DataError
from trialpipe.io.reference import rows

TABLE = "product_information_ruxolitinib.csv"
SECTION_4_8 = (
    "Anaemia", "Thrombocytopenia", "Neutropenia", "Pancytopenia", "Weight increased", "Hypercholesterolaemia",
    "Hypertriglyceridaemia", "Dizziness", "Headache", "Alanine aminotransferase increased",
    "Aspartate aminotransferase increased", "Hypertension", "Constipation", "Flatulence", "Lipase increased",
    "Amylase increased", "Urinary tract infection", "Herpes zoster", "Pneumonia", "Sepsis", "Tuberculosis", "Nausea",
    "Cytomegalovirus infection", "BK virus infection",
)  # fmt: skip


def protocol(table: str = TABLE) -> Protocol:
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "A"}],
            "data_cutoff": "2019-12-31",
            "time": {"origin": "dose", "first_day": "0"},
            "milestones": [{"id": "dose", "variable": "TRTSDT", "label": "d", "domain": "ex", "date": "EXSTDTC"}],
            "last_alive": {"domains": ["ae"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "datasets": [
                {
                    "kind": "adverse_events",
                    "id": "adae",
                    "label": "AE",
                    "windows": [{"id": "on", "variable": "TRTEMFL", "label": "On", "start": "dose"}],
                    "lists": [{"variable": "PILFL", "label": "Product information", "table": table}],
                }
            ],
        }
    )


def run(terms: list[str | None], table: str = TABLE) -> pd.DataFrame:
    ae = [
        {"id": "1", "AETERM": "x", "AEDECOD": term, "AESTDTC": "2018-02-01", "key": f"{i}/1"}
        for i, term in enumerate(terms)
    ]
    clean = {
        "dm": domain("dm", [{"id": "1"}]),
        "ex": domain("ex", [{"id": "1", "EXSTDTC": "2018-01-15"}]),
        "ae": domain("ae", ae),
    }
    plan = protocol(table)
    return derive("adae", plan, (), filled(plan, clean), {"adsl": adsl_of(plan, clean)})


def test_flag(tmp_path):
    found = run(["Anaemia", "ANAEMIA", "Anaémia", " herpes  zoster", "Seizure", "Anaemia neonatal", None])
    assert list(found["PILFL"]) == ["Y", "Y", "Y", "Y", "N", "N", None]
    check_contract(found, "adae", protocol(), tmp_path)


def test_unknown_table():
    with pytest.raises(DataError, match="'none.csv' is not in resources/reference - name a file"):
        run(["Anaemia"], "none.csv")


def test_table_without_terms():
    with pytest.raises(DataError, match="'tests.csv' has no terms"):
        run(["Anaemia"], "tests.csv")


def test_product_information():
    """The reactions of section 4.8 that the registered outcome is about are on the list, each term once and cited."""
    assert {folded(term) for term in SECTION_4_8} <= listed(TABLE)
    found = rows(TABLE)
    assert len({folded(row["term"]) for row in found}) == len(found)
    assert all(row["source"].startswith("SmPC 4.8") for row in found)
    assert {row["confidence"] for row in found} == {"high", "medium"}
