"""Random courses in intensive care, scored by both derivations: components, totals and the response of every day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import needs
from helpers.derive_case import adsl_of, filled
from helpers.second import second
from helpers.sofa_case import COMPONENTS, clean, moment, protocol, record

from trialpipe.config.outcomes import Outcome
from trialpipe.derive.run import derive
from trialpipe.qc.records import compare_datasets

pytestmark = pytest.mark.slow
PATIENTS = 40
VALUES = {  # on and beside the limits of the bands
    "PLAT": [10, 20, 49.5, 60, 100, 149, 150, 200, "<20"],
    "BILI": [10, 19.9, 20, 32.5, 33, 101, 102, 204, 204.5, 300],
    "MAP": [50, 69.5, 70, 90],
    "GCS": [3, 5, 6, 9, 10, 12, 13, 14, 15],
    "GCSASS": [3, 6, 10, 13, 15],
    "CREAT": [80, 110, 170.5, 171, 299, 300, 440, 441, ">300"],
    "URINOUT": [100, 199, 200, 499, 500, 1200],
    "PF": [99, 100, 199, 200, 250, 300, 399, 400],
}
RARE = ("PF", "URINOUT", "GCSASS")
MILLIGRAMS = {"BILI": 17.1, "CREAT": 88.4}
SCENARIOS = {"observed": "SOFACC", "best": "SOFABEST", "worst": "SOFAWRST"}


def clock(rng: np.random.Generator) -> str | None:
    return None if rng.random() < 0.3 else f"{rng.integers(0, 24):02d}:{rng.choice([0, 30, 59]):02d}"


def pick(rng: np.random.Generator, values: list) -> Any:
    return values[int(rng.integers(len(values)))]


def measured(rng: np.random.Generator, day: int) -> Iterator[dict]:
    for code, values in VALUES.items():
        if rng.random() < (0.9 if code in RARE else 0.45):
            continue
        value, unit, more = pick(rng, values), None, {}
        if code in MILLIGRAMS and not isinstance(value, str) and rng.random() < 0.2:
            text = pick(rng, ["1.9", "2,0", "5.9", "12.0", "3.5", "1,2", "11.9", "unread"])
            more, unit = {"ORRES": text, "ORRESU": "mg/dL"}, "umol/L"
            if text != "unread":
                value = round(float(text.replace(",", ".")) * MILLIGRAMS[code], 1)
            value = None if rng.random() < 0.1 else value
        yield record(code, day, clock(rng), value, unit, **more)
    for _ in range(int(rng.integers(0, 3))):
        time = clock(rng)
        yield record("PO2", day, time, pick(rng, [50, 60, 80, 100]))
        if rng.random() < 0.9:
            yield record("FIO2", day, time, pick(rng, [0.21, 0.4, 0.5, 1.0]))
        if rng.random() < 0.7:
            yield record("RESPSUP", day, time if rng.random() < 0.8 else None, pick(rng, ["Y", "N"]))
    for code, often in (("SEDATED", 0.3), ("RRT", 0.1)):
        if rng.random() < often:
            yield record(code, day, clock(rng), pick(rng, ["Y", "N"]))


def rates(rng: np.random.Generator, days: int) -> Iterator[dict]:
    for _ in range(int(rng.integers(0, 10))):
        day, time = int(rng.integers(0, days)), clock(rng)
        rate = {"code": pick(rng, ["DOPAMINE", "DOBUTAM", "EPINEPH", "NOREPI", "VASOPRES"]), "day": day, "time": time}
        rate["dose"] = pick(rng, [None, 0, 0.05, 0.1, 0.2, 0.5, 5, 5.1, 15, 16])
        rate["unit"] = pick(rng, ["ug/kg/min", "mg/h", "ug/min", "ug/kg/h", "drops"])
        if rng.random() < 0.6:
            rate["salt"] = pick(rng, ["BASE", "TARTRATE", "CITRATE"])
        if rng.random() < 0.6:
            longer = int(rng.integers(0, 4))
            end = clock(rng) if longer else f"{time[:3]}59" if time else None
            rate |= {"end_day": day + longer, "end_time": end}
        yield rate


def events(rng: np.random.Generator, days: int) -> dict[str, str]:
    found = {"seen": moment(int(rng.integers(0, days)) if rng.random() < 0.15 else 60)}
    if rng.random() < 0.4:
        found["dose"] = pick(rng, ["", moment(0), moment(0, "16:30")])
    if rng.random() < 0.6:
        out = int(rng.integers(-1, 25))
        found["icu_out"] = moment(out, clock(rng)) if rng.random() < 0.85 else moment(out)[:7]
        if rng.random() < 0.3:
            found["icu_back"] = moment(out + int(rng.integers(0, 5)), clock(rng))
        elif rng.random() < 0.4:
            found["out"] = moment(out + int(rng.integers(0, 6)))
    if rng.random() < 0.3:
        death = int(rng.integers(0, 28))
        found |= {"death": moment(death, clock(rng)), "seen": moment(death)}
    return found


def patient(rng: np.random.Generator, name: str) -> dict[str, pd.DataFrame]:
    days = int(rng.integers(3, 30))
    found = [item for day in range(-2, days) if rng.random() > 0.15 for item in measured(rng, day)]
    if rng.random() < 0.7:
        found.append(record("WEIGHT", int(rng.integers(-1, 5)), None, pick(rng, [50, 72.5, 80])))
    return clean(found, list(rates(rng, days)), events(rng, days), patient=name)


def outcome() -> Outcome:
    return Outcome.model_validate(
        {
            **{"id": "sofa-d7", "title": "Response", "section": "efficacy", "group": "primary", "paramcd": "SOFARSP"},
            "endpoint": {"kind": "sofa_response", "dataset": "adsofar", "origin": "included", "visit": "D7"},
            "estimand": {"population": "all", "treatment": "x", "variable": "y", "summary": "proportion"},
            "analyses": [{"kind": "proportion"}],
            "sensitivity": [{"id": k, "label": k, "set": {"endpoint.parameter": v}} for k, v in SCENARIOS.items()],
        }
    )


@pytest.mark.parametrize("seed", [2, 4])
def test_both_derivations_agree_on_every_day(seed: int, tmp_path: Path) -> None:
    needs.second_derivation()
    rng, plan, which = np.random.default_rng(seed), protocol(icu_admission="included"), outcome()
    parts = [patient(rng, str(number)) for number in range(1, PATIENTS + 1)]
    tables = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}
    ours = {"adsl": adsl_of(plan, tables)}
    ours["adsofa"] = derive("adsofa", plan, (), tables, ours)
    ours["adsofar"] = derive("adsofar", plan, (which,), tables, ours)
    theirs = second(plan, (which,), filled(plan, tables) | tables, tmp_path)
    compared = compare_datasets(plan, ours, theirs)
    wrong = compared[compared["verdict"] != "same"]
    assert wrong.empty, wrong.head(10).to_string()
    assert set(compared["dataset"]) == {"adsl", "adsofa", "adsofar"}
    # the courses reach every way a component can be filled, and every status but the one after the cut-off
    organs = ours["adsofa"][ours["adsofa"]["PARAMCD"].isin(COMPONENTS)]
    filling = {"observed", "within_6h", "locf", "ward_zero", "ward_last", "pre_sedation", "baseline_zero", "missing"}
    assert set(organs["FILL"].dropna()) == filling
    assert set(organs["STATUS"]) == {"icu", "ward", "discharged", "dead", "lost"}
    assert set(ours["adsofar"]["AVALC"]) == {"success", "no_decrease", "dead", "missing"}
