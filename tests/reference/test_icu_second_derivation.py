"""Random stays and infections, with partial dates and dates without time, derived by both derivations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import needs
from helpers.derive_case import day, derive_all, domain, filled
from helpers.second import second

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.qc.records import compare_datasets

pytestmark = pytest.mark.slow
PATIENTS = 150
MILESTONES = {
    "inclusion": "INCDT",
    "hospital": "HOSPDT",
    "icu": "ICUDT",
    "icu_out": "ICUODT",
    "icu_back": "ICUBDT",
    "discharge": "DISCHDT",
    "dose": "TRTSDT",
    "death": "DTHDT",
}
TYPES = {"B": "BACT", "V": "VIRAL", "R": "REACT"}


def protocol() -> Protocol:
    where = {"CECAT": "MILESTONE"}
    types = [{"code": c, "label": c, "where": {"CEDECOD": k}, "apart": str(k == "R").lower()} for k, c in TYPES.items()]
    return Protocol.model_validate(
        {
            **{"trial": "t", "acronym": "T", "title": "t", "sponsor": "s", "synthetic": "true", "source": "s"},
            "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "A"}],
            "data_cutoff": "2020-12-31",
            "time": {"origin": "inclusion", "first_day": "1"},
            "milestones": [
                {"id": i, "variable": v, "label": i, "domain": "ce", "where": where | {"CEDECOD": i}, "date": "CESTDTC"}
                for i, v in MILESTONES.items()
            ],
            "last_alive": {"domains": ["ce"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "datasets": [
                {
                    **{"kind": "stay", "id": "adicu", "label": "Intensive care", "code": "ICUSTAY"},
                    **{
                        "origin": "inclusion",
                        "discharge": "icu_out",
                        "over_by": "discharge",
                        "readmission": "icu_back",
                    },
                },
                {
                    **{"kind": "nosocomial", "id": "adnoso", "label": "Infections", "where": {"CECAT": "INFECTION"}},
                    **{"types": types, "origin": "inclusion", "admission": "hospital", "until": "27 days"},
                    **{"until_from": "dose", "competing": ["death", "discharge"], "place": "CELOC"},
                    **{"icu_admission": "icu", "icu_discharge": "icu_out", "icu_after": "24"},
                },
            ],
        }
    )


def outcome(name: str, kind: str, dataset: str, analysis: str) -> Outcome:
    return Outcome.model_validate(
        {
            **{"id": name, "title": name, "section": "efficacy", "group": name},
            "endpoint": {"kind": kind, "dataset": dataset},
            "estimand": {"population": "all", "treatment": "x", "variable": "y", "summary": "count"},
            "analyses": [{"kind": analysis}],
        }
    )


def when(rng: np.random.Generator, low: int, high: int) -> str:
    text = day(int(rng.integers(low, high)), "2018-03-20")
    kind = rng.random()
    if kind < 0.06:
        return text[:7]
    return text if kind < 0.4 else f"{text}T{rng.integers(0, 24):02d}:{rng.choice([0, 1, 59]):02d}"


def patient(rng: np.random.Generator, number: int) -> list[dict[str, Any]]:
    dated = {"inclusion": day(0, "2018-03-20") + str(rng.choice(["", "T10:00"]))}
    wanted = (
        ("hospital", 0.95, -6, 1),
        ("icu", 0.9, -4, 1),
        ("icu_out", 0.7, -1, 40),
        ("icu_back", 0.2, 5, 60),
        ("discharge", 0.5, -1, 60),
        ("dose", 0.9, 0, 3),
        ("death", 0.3, 0, 60),
        ("seen", 0.9, 0, 90),
    )
    for name, often, low, high in wanted:
        if rng.random() < often:
            dated[name] = when(rng, low, high)
    rows = [{"id": number, "CECAT": "MILESTONE", "CEDECOD": k, "CESTDTC": v} for k, v in dated.items()]
    for _ in range(int(rng.integers(0, 4))):
        onset = None if rng.random() < 0.05 else when(rng, -3, 40)
        code, place = rng.choice(["B", "V", "R", "X"]), rng.choice(["ICU", "WARD", ""])
        more = {"CECAT": "INFECTION", "CEDECOD": str(code), "CELOC": str(place) or None}
        rows.append({"id": number, "CESTDTC": onset, **more})
    return rows


@pytest.mark.parametrize("seed", [1, 2])
def test_both_derivations_agree(seed: int, tmp_path: Path) -> None:
    needs.second_derivation()
    rng, plan = np.random.default_rng(seed), protocol()
    rows = [row for number in range(1, PATIENTS + 1) for row in patient(rng, number)]
    tables = {"ce": domain("ce", rows), "dm": domain("dm", [{"id": n, "ARMCD": "A"} for n in range(1, PATIENTS + 1)])}
    which = (outcome("stay", "stay", "adicu", "length_of_stay"), outcome("noso", "nosocomial", "adnoso", "nosocomial"))
    ours = derive_all(plan, which, tables)
    theirs = second(plan, which, filled(plan, tables), tmp_path)
    compared = compare_datasets(plan, ours, theirs)
    wrong = compared[compared["verdict"] != "same"]
    assert wrong.empty, wrong.head(20).to_string()
    assert set(compared["dataset"]) == {"adsl", "adicu", "adnoso"}
    episodes = ours["adnoso"][ours["adnoso"]["PARAMCD"] == "EPISODE"]
    assert {"Y", "N"} == set(episodes["NOSOFL"]) == set(episodes["ICUFL"])
