"""First of graded GVHD, relapse and death through derived events, against R's survfit of the same composite."""

from __future__ import annotations

import csv
import json
from collections import Counter

import numpy as np
import pandas as pd
from helpers.derive_case import day
from helpers.gvhd_case import adtte, clean, outcome, protocol
from helpers.reference import reference_case

from trialpipe.stats import km

EVENTS = {"agvhd_3_4": "MAGIC34", "cgvhd_systemic": "CGVHDSYS"}
COMPOSITE = ["agvhd_3_4", "cgvhd_systemic", "relapse", "death"]


def _clean(patients: list[dict[str, str]]) -> dict[str, pd.DataFrame]:
    """Acute GVHD of the source as an assessment of grade III on its day, chronic GVHD as one on systemic treatment."""
    dates: dict[str, dict[str, str]] = {}
    findings: list[tuple[str, str, str, str]] = []
    for patient in patients:
        number = f"{int(patient['id']):03d}"
        own = {"randomisation": day(0), "assessed": day(int(patient["t2"]))}
        if patient["d2"] == "1":
            own["relapse"] = day(int(patient["t2"]))
        elif patient["d3"] == "1":
            own["death"] = day(int(patient["t2"]))
        dates[number] = own
        if patient["da"] == "1":
            findings += [(number, day(int(patient["ta"])), test, "2") for test in ("LIVERST",)]
        if patient["dc"] == "1":
            findings += [(number, day(int(patient["tc"])), test, "Y") for test in ("CGVHD", "SYSTRT")]
    return clean(dates, findings)


def test_composite_times_components_and_curve() -> None:
    folder = reference_case("multistate", "bmt_grfs_composite")
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]
    with (folder / "baseline.csv").open(encoding="utf-8", newline="") as stream:
        patients = list(csv.DictReader(stream))
    configured = protocol({"systems": ["MAGIC", "NIH-2014"]}, EVENTS)
    frame = adtte(configured, _clean(patients), outcome("GRFS", event=COMPOSITE, censor="assessed"))
    assert list(frame["AVAL"]) == expected["time"]
    assert [int(code == 0) for code in frame["CNSR"]] == expected["event"]
    assert Counter(frame["EVENT"].dropna()) == Counter(filter(None, map(_first, patients)))

    groups, km_expected = np.array([p["group"] for p in patients]), expected["km"]
    time, event = frame["AVAL"].to_numpy(float), np.array(expected["event"])
    found: dict[str, list[float]] = {"surv": [], "lower": [], "upper": [], "n_risk": []}
    for group in "123":
        mine = groups == group
        curve = km.kaplan_meier(time[mine], event[mine], None, 0.95, "log-log")
        at = [t for t, g in zip(km_expected["times"], km_expected["strata"], strict=True) if g == f"group={group}"]
        for point in km.at_times(curve, [float(t) for t in at]):
            found["surv"].append(point.survival)
            found["lower"].append(point.lower)
            found["upper"].append(point.upper)
            found["n_risk"].append(point.n_risk)
    for name, values in found.items():
        np.testing.assert_allclose(values, km_expected[name], rtol=1e-8, atol=1e-10)


def _first(patient: dict[str, str]) -> str | None:
    """The component a person reads off a line: the earliest; on one day GVHD, relapse, death."""
    own = [(int(patient["ta"]), 0, "agvhd_3_4")] if patient["da"] == "1" else []
    own += [(int(patient["tc"]), 1, "cgvhd_systemic")] if patient["dc"] == "1" else []
    own += [(int(patient["t2"]), 2, "relapse")] if patient["d2"] == "1" else []
    own += [(int(patient["t2"]), 3, "death")] if patient["d3"] == "1" and patient["d2"] == "0" else []
    return min(own)[2] if own else None
