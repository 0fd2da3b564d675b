"""Hours since the dose, type of sample, and paired ratios. Ruling 23; each row of the tables is worked by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from helpers.derive_case import adsl_of, check_contract, domain, filled

from trialpipe.config.protocol import Protocol
from trialpipe.derive.run import derive

ORIGIN = "2024-05-02"


def protocol() -> Protocol:
    visits = [{"label": f"D{d}", "day": str(d), "window": [str(d - 3), str(d + 3)]} for d in (0, 7)]
    parameters = [
        {"code": "BLOOD", "label": "Blood", "where": {"PCSPEC": "PLASMA"}},
        {"code": "CSF", "label": "CSF", "where": {"PCSPEC": "CSF"}},
    ]
    dataset = {
        "kind": "concentrations",
        "id": "adpc",
        "label": "Concentrations",
        "domain": "pc",
        "visits": "v",
        "parameters": parameters,
        "timing": [
            {"type": "PEAK", "label": "Peak", "from_hours": "0.5", "to_hours": "3"},
            {"type": "TROUGH", "label": "Trough", "from_hours": "9", "to_hours": "15"},
        ],
        "ratios": [
            {"code": "RATIO", "label": "Ratio", "numerator": "CSF", "denominator": "BLOOD", "within_minutes": "60"}
        ],
    }
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
            "data_cutoff": "2025-12-31",
            "time": {"origin": "dose", "first_day": "0"},
            "milestones": [{"id": "dose", "variable": "DOSEDT", "label": "dose", "domain": "ex", "date": "EXSTDTC"}],
            "last_alive": {"domains": ["pc"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "visit_sets": [{"id": "v", "visits": visits}],
            "datasets": [dataset],
        }
    )


def run(samples: list[tuple[str, str, object, str | None]]) -> pd.DataFrame:
    """ADPC of one patient from (specimen, time of the sample, value, time of the dose before)."""
    rows: list[dict[str, object]] = []
    for number, (specimen, when, value, dose) in enumerate(samples):
        row = {"id": "1", "test": "RUXO", "value": value, "date": when, "PCSPEC": specimen, "PCRFTDTC": dose}
        rows.append({**row, "key": f"RUXO/S{number}"})
    clean = {
        "dm": domain("dm", [{"id": "1", "key": "dm"}]),
        "ex": domain("ex", [{"id": "1", "EXSTDTC": f"{ORIGIN}T08:00", "key": "ex"}]),
        "pc": domain("pc", rows),
    }
    configured = protocol()
    tables = filled(configured, clean)
    return derive("adpc", configured, (), tables, {"adsl": adsl_of(configured, clean)})


@pytest.mark.parametrize(
    ("sample", "dose", "hours", "kind"),
    [
        ("2024-05-02T09:30", "2024-05-02T08:00", 1.5, "PEAK"),
        ("2024-05-02T08:30", "2024-05-02T08:00", 0.5, "PEAK"),
        ("2024-05-02T11:00", "2024-05-02T08:00", 3.0, "PEAK"),
        ("2024-05-02T11:01", "2024-05-02T08:00", 3 + 1 / 60, "OTHER"),
        ("2024-05-03T07:45", "2024-05-02T20:00", 11.75, "TROUGH"),
        ("2024-05-02T08:00", "2024-05-02T08:00", 0.0, "OTHER"),
        ("2024-05-02T07:00", "2024-05-02T08:00", None, "UNKNOWN"),  # a dose after the sample
        ("2024-05-02T09:30", "2024-05-02", None, "UNKNOWN"),
        ("2024-05-02", "2024-05-02T08:00", None, "UNKNOWN"),
        ("2024-05-02T09:30", None, None, "UNKNOWN"),
    ],
)
def test_type_of_sample(sample: str, dose: str | None, hours: float | None, kind: str) -> None:
    row = run([("PLASMA", sample, 100, dose)]).iloc[0]
    assert row["SAMPTYPE"] == kind
    assert pd.isna(row["TSLD"]) if hours is None else row["TSLD"] == pytest.approx(hours)


def test_a_trough_and_a_peak_of_one_visit_are_both_analysed() -> None:
    """Among all samples D7 has one record; among troughs and among peaks one each, of two peaks the earlier."""
    table = run(
        [
            ("PLASMA", "2024-05-02T07:00", 1, "2024-05-01T20:00"),
            ("PLASMA", "2024-05-02T09:30", 2, "2024-05-02T08:00"),
            ("PLASMA", "2024-05-09T07:30", 3, "2024-05-08T20:00"),
            ("PLASMA", "2024-05-09T09:30", 4, "2024-05-09T08:00"),
            ("PLASMA", "2024-05-09T10:30", 5, "2024-05-09T08:00"),
        ]
    )
    flags = {row.AVAL: (row.AVISIT, row.SAMPTYPE, row.ANL01FL, row.ANL02FL) for row in table.itertuples()}
    assert flags == {
        1: ("D0", "TROUGH", "Y", "Y"),
        2: ("D0", "PEAK", None, "Y"),
        3: ("D7", "TROUGH", "Y", "Y"),
        4: ("D7", "PEAK", None, "Y"),
        5: ("D7", "PEAK", None, None),
    }


def ratio(*samples: tuple[str, str, object]) -> list[tuple[float | None, str, float | None]]:
    found = run([(*sample, None) for sample in samples])
    rows = found[found["PARAMCD"] == "RATIO"]
    number = [None if pd.isna(v) else float(v) for v in rows["AVAL"]]
    limit = [None if pd.isna(v) else float(v) for v in rows["LLOQ"]]
    return list(zip(number, rows["CENS"], limit, strict=True))


T = "2024-05-09T"


def test_ratio_of_the_nearest_partner_within_an_hour() -> None:
    assert ratio(("PLASMA", f"{T}09:00", 200), ("CSF", f"{T}10:00", 6)) == [(0.03, "none", None)]
    assert ratio(("PLASMA", f"{T}09:00", 200), ("CSF", f"{T}10:01", 6)) == []
    near = ratio(("PLASMA", f"{T}09:10", 200), ("PLASMA", f"{T}10:20", 100), ("CSF", f"{T}10:00", 6))
    assert near == [(0.06, "none", None)]
    tie = ratio(("PLASMA", f"{T}09:40", 200), ("PLASMA", f"{T}10:20", 100), ("CSF", f"{T}10:00", 6))
    assert tie == [(0.03, "none", None)]


def test_ratio_of_values_outside_the_limits() -> None:
    assert ratio(("PLASMA", f"{T}09:00", 200), ("CSF", f"{T}09:30", "<0.5")) == [(None, "left", 0.0025)]
    assert ratio(("PLASMA", f"{T}09:00", "<0.5"), ("CSF", f"{T}09:30", 6)) == []
    assert ratio(("PLASMA", f"{T}09:00", 0), ("CSF", f"{T}09:30", 6)) == []
    assert ratio(("PLASMA", "2024-05-09", 200), ("CSF", f"{T}09:30", 6)) == []


def test_ratio_stands_at_the_numerators_visit(tmp_path: Path) -> None:
    found = run([("PLASMA", f"{T}09:00", 200, None), ("CSF", f"{T}09:30", 6, None)])
    row = found[found["PARAMCD"] == "RATIO"].iloc[0]
    assert (row["AVISIT"], row["ANL01FL"], row["AVALU"], len(row["from"])) == ("D7", "Y", "1", 2)
    check_contract(found, "adpc", protocol(), tmp_path)
