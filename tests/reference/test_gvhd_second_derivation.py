"""Random courses after a transplant, by both derivations: stages, grades, onset, maximum and times of composites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import needs
from helpers.derive_case import adsl_of, day, domain, filled
from helpers.gvhd_case import gv, outcome, protocol
from helpers.second import second

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive.run import derive
from trialpipe.qc.records import compare_datasets

pytestmark = pytest.mark.slow
PATIENTS = 120
STAGES = ["0", "1", "2", "3", "4"]
YES_NO = ["Y", "N"]
ACUTE: dict[str, list[str]] = {  # on and beside the limits of the bands
    "SKINBSA": ["0", "1", "24.9", "25", "50", "50.1", "90"],
    "SKINBULL": YES_NO,
    "BILIUMOL": ["33.9", "34", "51", "52", "102", "103", "257", "258", "<34"],
    "BILIMGDL": ["1.9", "2", "3", "3.1", "6", "6.1", "15", "15.1"],
    "UGI": YES_NO,
    "UGIHIST": YES_NO,
    "LGIVOL": ["0", "499", "500", "501", "999", "1000", "1001", "1500", "1501", ">1500"],
    "LGIEPI": ["2", "3", "4", "5", "7", "8", "10", "11"],
    "LGIPAIN": YES_NO,
    "LGIBLD": YES_NO,
    "SKINST": [*STAGES, "5"],
    "LIVERST": STAGES,
    "UGIST": ["0", "1", "2"],
    "LGIST": STAGES,
    "GUTST": STAGES,
    "AGVHD": YES_NO,
}
ORGANS = ("SKIN", "MOUTH", "EYES", "GI", "LIVER", "LUNGS", "JOINTS", "GENITAL")
CHRONIC: dict[str, list[str]] = {
    **dict.fromkeys(ORGANS, ["0", "0", "0", "1", "2", "3"]),
    **{f"{organ}X": YES_NO for organ in ORGANS},
    "SKINEXT": STAGES[:4],
    "SKINSCL": STAGES[:4],
    "FEV1": ["100", "39", "39.5", "40", "59", "60", "79", "79.5", "80", "<40"],
    "CGVHD": YES_NO,
    "SYSTRT": YES_NO,
}
YES = {test for tests in (ACUTE, CHRONIC) for test, values in tests.items() if values == YES_NO}
RARE = {"AGVHD", "LGIPAIN", "LGIBLD", "CGVHD", *(f"{organ}X" for organ in ORGANS)}
EVENTS = {"agvhd_2_4": "MAGIC24", "agvhd_3_4": "GLUCK34", "cgvhd": "CGVHD", "cgvhd_systemic": "CGVHDSYS"}


def pick(rng: np.random.Generator, values: list) -> Any:
    return values[int(rng.integers(len(values)))]


def written(rng: np.random.Generator, number: int, unknown: float = 0.05) -> str | None:
    """The date as a form gives it: exact, a month, or nothing."""
    chance = rng.random()
    return None if chance < unknown else day(number)[:7] if chance < 0.2 else day(number)


def assessed(rng: np.random.Generator, name: str) -> list[tuple[str, str, str, str]]:
    found = []
    for _ in range(int(rng.integers(0, 6))):
        when = written(rng, int(rng.integers(-40, 400)))
        tests = ACUTE if rng.random() < 0.5 else CHRONIC
        # some forms are filled in whole and of a mild course, where the first value is the least
        often, mild = (0.95, 0.8) if rng.random() < 0.5 else (0.6, 0)
        for test, values in tests.items():
            if rng.random() < (0.04 if test in RARE else often):
                value = values[0] if test not in YES and rng.random() < mild else pick(rng, values)
                found += [
                    (name, when, test, value) for value in [value, pick(rng, values)][: 1 + (rng.random() < 0.05)]
                ]
    return found


def milestones(rng: np.random.Generator, name: str) -> list[dict]:
    start = int(rng.integers(0, 20))
    dates = {"randomisation": day(start)}
    last = int(rng.integers(start + 1, 500))
    for event, often in (("relapse", 0.3), ("second_hsct", 0.1)):
        if rng.random() < often:
            dates[event] = written(rng, int(rng.integers(start, last + 1)))
    if rng.random() < 0.4:
        dates["death"] = written(rng, last)
    dates["assessed"] = written(rng, int(rng.integers(start - 5, last + 1)), 0)
    return [{"id": name, "CEDECOD": event, "CESTDTC": date, "key": event} for event, date in dates.items()]


def tables(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    names = [str(number) for number in range(1, PATIENTS + 1)]
    weights = [
        {"id": name, "test": "WEIGHT", "value": pick(rng, [20, 49.9, 50, 50.1, 80]), "date": written(rng, number)}
        for name in names
        for number in rng.integers(0, 400, 6).tolist()
    ]
    ages = [{"id": name, "ARMCD": "A", "AGE": pick(rng, [10.0, 17.0, 18.0, 40.0, None])} for name in names]
    return {
        "dm": domain("dm", ages),
        "ce": domain("ce", [row for name in names for row in milestones(rng, name)]),
        "gv": gv([row for name in names for row in assessed(rng, name)]),
        "vs": domain("vs", weights),
    }


def plan(rng: np.random.Generator) -> Protocol:
    assume = pick(rng, [{}, {"LGIPAIN": "N"}, {"LGIPAIN": "N", "LGIBLD": "N", "SKINBULL": "N"}])
    return protocol(
        {
            "domains": ["gv", "vs"],
            "systems": ["MAGIC", "GLUCKSBERG-1995", "NIH-2014"],
            "prefer": pick(rng, ["measures", "investigator"]),
            "max_age": "30 days",
            "assume": assume,
            "start": "randomisation",
            "ends": ["relapse", "second_hsct"],
            "recorded_if_present": pick(rng, ["true", "false"]),
        },
        EVENTS,
    )


def timed(code: str, **endpoint: Any) -> Outcome:
    """The analysis is what makes the second derivation look at the times."""
    return Outcome.model_validate(
        outcome(code, **endpoint).model_dump(mode="json") | {"analyses": [{"kind": "first_events"}]}
    )


OUTCOMES = (
    timed("ACUTE", event="agvhd_2_4", competing=["relapse", "death"], censor="assessed"),
    timed("CHRONIC", event="cgvhd", competing=["relapse", "death"], censor="assessed"),
    timed("GRFS", event=["agvhd_3_4", "cgvhd_systemic", "relapse", "death"], censor="assessed"),
    timed("OS", event="death", censor="last_alive"),
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_derivations_agree_on_every_assessment_and_time(seed: int, tmp_path: Path) -> None:
    needs.second_derivation()
    rng = np.random.default_rng(seed)
    configured, clean = plan(rng), tables(rng)
    ours = {"adsl": adsl_of(configured, clean)}
    ours["adgv"] = derive("adgv", configured, OUTCOMES, clean, ours)
    ours["adtte"] = derive("adtte", configured, OUTCOMES, clean, ours)
    theirs = second(configured, OUTCOMES, filled(configured, clean) | clean, tmp_path)
    compared = compare_datasets(configured, ours, theirs)
    wrong = compared[compared["verdict"] != "same"]
    assert wrong.empty, wrong.head(20).to_string()
    assert set(compared["dataset"]) == {"adsl", "adgv", "adtte"}
    # the courses reach every grade, grades left open, every kind of end and times that cannot be known
    grades = ours["adgv"][ours["adgv"]["AVISIT"].isna()]
    assert set(grades.loc[grades["PARAMCD"] == "MAGIC", "AVALC"]) >= {"0", "I", "II", "III", "IV", None}
    assert set(grades.loc[grades["PARAMCD"] == "NIH2014", "AVALC"]) >= {"mild", "moderate", "severe", None}
    assert grades["ADT"].isna().any()
    assert set(ours["adtte"]["CNSR"].dropna()) == {0, 1, 2, 3}
