"""Random patients, by both derivations: state occupation, restricted means, covariance analysis, CMH tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import needs
from helpers.analyse_frames import run
from helpers.derive_case import day, derive_all, domain, filled
from helpers.second import second

from trialpipe.analyse.stack import stack
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.qc.compare import compare_results

pytestmark = pytest.mark.slow
PATIENTS = 60
MILESTONES = ("start", "graft", "recovery", "relapse", "death", "seen")
ARMS = ("A", "B", "C")
STATES = [{"milestone": "graft", "label": "Grafted"}, {"milestone": "recovery", "label": "Recovered"}]
AT = ["0 days", "3 days", "10 days", "25 days", "60 days"]


def plan() -> Protocol:
    visits = [
        {"label": "Base", "day": "0", "window": ["-5", "0"], "pick": "last", "baseline": "true"},
        {"label": "End", "day": "30", "window": ["20", "40"]},
    ]
    parameters = [
        {"code": "X", "label": "X", "where": {"LBTESTCD": "X"}},
        {"code": "Q", "label": "Q", "where": {"LBTESTCD": "Q"}, "type": "text"},
    ]
    levels = {"SEX": ["F", "M"], "SITE": ["I", "II", "III"]}
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "randomised", "planned_n": "1", "summary": "s"},
            "arms": [{"id": arm, "label": f"Arm {arm}"} for arm in ARMS],
            "data_cutoff": "2029-12-31",
            "time": {"origin": "start", "first_day": "0"},
            "milestones": [
                {"id": m, "variable": f"M{n}DT", "label": m, "domain": "ce", "where": {"CEDECOD": m}, "date": "CESTDTC"}
                for n, m in enumerate(MILESTONES)
            ],
            "last_alive": {"domains": ["ce"]},
            "subject_variables": [
                {"name": "AGE", "label": "Age", "domain": "dm", "column": "AGE", "type": "number"},
                *(
                    {"name": name, "label": name, "domain": "dm", "column": name, "levels": values}
                    for name, values in levels.items()
                ),
            ],
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "visit_sets": [{"id": "visits", "visits": visits}],
            "datasets": [
                {
                    "kind": "findings",
                    "id": "adlb",
                    "label": "Findings",
                    "domain": "lb",
                    "visits": "visits",
                    "parameters": parameters,
                },
                {"kind": "time_to_event", "id": "adtte", "label": "Times"},
            ],
        }
    )


def outcome(name: str, endpoint: dict[str, Any], analyses: list[dict[str, Any]]) -> Outcome:
    estimand = {"population": "all", "treatment": "t", "variable": "v", "summary": "s"}
    common = {"id": name.lower(), "title": name, "section": "efficacy", "group": name.lower(), "paramcd": name}
    return Outcome.model_validate(
        {
            **common,
            "endpoint": endpoint,
            "estimand": estimand,
            "analyses": [{**analysis, "id": f"n{n}"} for n, analysis in enumerate(analyses)],
        }
    )


def outcomes() -> tuple[Outcome, ...]:
    times = {"kind": "time_to_event", "origin": "start", "event": ["relapse"], "competing": ["death"], "censor": "seen"}
    findings = {"kind": "findings", "dataset": "adlb"}
    states = {"kind": "state_occupation", "at": AT, "states": STATES}
    covariance = {"kind": "ancova", "parameter": "X", "visit": "End", "by": "ARM"}
    answers = {"kind": "cmh", "parameter": "Q", "visit": "End"}
    three = {**answers, "categories": ["good", "fair", "poor"]}
    return (
        outcome(
            "STATES",
            times,
            [
                {**states, "by": "ARM"},
                {**states, "conf_type": "log", "conf_level": "0.9", "start": "Waiting"},
                {**states, "conf_type": "plain", "states": STATES[::-1]},
                {**states, "variance": "jackknife", "by": "SEX"},
            ],
        ),
        outcome("JOINED", {**times, "event": ["relapse", "death"], "competing": []}, [states]),
        outcome(
            "MEANS",
            {**times, "event": ["relapse", "death"], "competing": []},
            [
                {
                    "kind": "difference_at_time",
                    "of": "restricted_mean",
                    "by": "ARM",
                    "at": ["5 days", "30 days", "90 days"],
                },
                {
                    "kind": "difference_at_time",
                    "of": "restricted_mean",
                    "by": "SEX",
                    "reference": "F",
                    "at": ["20 days"],
                    "conf_level": "0.9",
                },
            ],
        ),
        outcome(
            "VALUES",
            findings,
            [
                covariance,
                {**covariance, "change": "true", "covariates": ["SEX", "AGE"], "reference": "Arm B"},
                {**covariance, "baseline": "false", "conf_level": "0.9"},
                {**covariance, "by": "SITE", "covariates": ["ARM", "SEX"], "weights": "proportional"},
            ],
        ),
        outcome(
            "ANSWERS",
            findings,
            [
                {**three, "by": "ARM", "strata": ["SITE", "SEX"]},
                {**three, "by": "ARM"},
                {**three, "by": "SITE", "strata": ["SEX"], "scores": "ridit"},
            ],
        ),
        outcome(
            "TWO",
            findings,
            [
                {**answers, "by": "ARM", "visit": "Base", "categories": ["good", "poor"], "strata": ["SITE"]},
                {
                    **answers,
                    "by": "SEX",
                    "visit": "Base",
                    "categories": ["poor", "good"],
                    "reference": "F",
                    "conf_level": "0.9",
                },
            ],
        ),
    )


def tables(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    people, dates, findings = [], [], []
    for name in map(str, range(1, PATIENTS + 1)):
        begin, last = int(rng.integers(0, 20)), int(rng.integers(0, 70))
        sex, site = str(rng.choice(["F", "M"])), None if rng.random() < 0.05 else str(rng.choice(["I", "II", "III"]))
        people.append(
            {"id": name, "ARMCD": str(rng.choice(ARMS)), "AGE": float(rng.integers(18, 80)), "SEX": sex, "SITE": site}
        )
        own = {"start": begin, "seen": begin + last}
        for event, often, first in (("graft", 0.6, -3), ("recovery", 0.5, -3), ("relapse", 0.3, 0)):
            if rng.random() < often:  # before the start, on one day, on the last day, after it
                own[event] = begin + int(rng.integers(first, last + 4))
        if rng.random() < 0.4:
            own["death"] = begin + last
        dates += [{"id": name, "CEDECOD": event, "CESTDTC": day(when), "key": event} for event, when in own.items()]
        for when, answers in ((0, ["good", "poor"]), (30, ["good", "fair", "poor"])):
            at = day(begin + when)
            if rng.random() < 0.9:
                value = "<5" if rng.random() < 0.05 else float(rng.integers(5, 40))
                findings.append({"id": name, "test": "X", "value": value, "date": at})
            if rng.random() < 0.9:
                findings.append({"id": name, "test": "Q", "value": str(rng.choice(answers)), "date": at})
    return {"dm": domain("dm", people), "ce": domain("ce", dates), "lb": domain("lb", findings)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_derivations_agree_on_every_result(seed: int, tmp_path: Path) -> None:
    needs.second_derivation()
    configured, given, clean = plan(), outcomes(), tables(np.random.default_rng(seed))
    results, _ = run(list(given), derive_all(configured, given, clean), configured)
    folder = tmp_path / "a folder"
    second(configured, given, filled(configured, clean) | clean, folder)
    theirs = pd.read_csv(folder / "r" / "results.csv", dtype=str, keep_default_na=False).replace("", None)
    compared = compare_results(stack([results], given), theirs)
    wrong = compared[compared["verdict"].isin(["different", "not covered"])]
    assert wrong.empty, wrong.dropna(axis=1, how="all").head(40).to_string()
    kinds = compared.loc[compared["ours"].notna(), "analysis"].str.split(".").str[0]
    assert set(kinds) == {"state_occupation", "difference_at_time", "ancova", "cmh"}
