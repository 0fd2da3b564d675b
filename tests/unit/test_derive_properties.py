"""What must hold of derivation whatever the data: order of rows, choice of patients, shift of all dates."""

from __future__ import annotations

import random

import pandas as pd
import pytest
from helpers.derive_case import day, derive_all, domain, trial_outcomes, trial_protocol

from trialpipe.config.protocol import Protocol
from trialpipe.derive.run import contract_for

PROTOCOL = trial_protocol("c-hlh")
OUTCOMES = trial_outcomes("c-hlh")
LABS = {
    "HGB": 80,
    "PLAT": 90,
    "NEUT": 1,
    "FERRITIN": 2000,
    "FIBRINO": 1.5,
    "DDIMER": 500,
    "CD25S": 2400,
    "TRIG": 3,
    "ALT": 60,
}


def cohort(seed: int, patients: int = 14) -> dict[str, pd.DataFrame]:
    """Clean tables of random patients with partial dates, same-day events, censored values and duplicates."""
    rng = random.Random(seed)
    rows: dict[str, list[dict[str, object]]] = {n: [] for n in ("dm", "ex", "ds", "pr", "cm", "lb", "vs", "pe", "ae")}
    for number in range(patients):
        who: dict[str, object] = {"id": f"{number:03d}"}
        zero = rng.randrange(0, 700)

        def at(elapsed: int, time: bool = False, zero: int = zero) -> str:
            text = day(zero + elapsed)
            kind = rng.random()
            if kind < 0.08:
                return text[:7]
            return text + (f"T{rng.randrange(24):02d}:{rng.randrange(60):02d}" if time and kind < 0.6 else "")

        rows["dm"].append(who | {"RFICDTC": at(-2), "SEX": rng.choice("FM"), "AGE": float(rng.randrange(17))})
        if rng.random() < 0.95:
            rows["ex"] += [who | {"EXTRT": "ALEMTUZUMAB", "EXSTDTC": at(d, True)} for d in (0, 1, 14)]
        conditioning = rng.randrange(10, 120)
        if rng.random() < 0.7:
            rows["pr"].append(who | {"PRDECOD": "CONDITIONING", "PRSTDTC": at(conditioning)})
            rows["pr"].append(who | {"PRDECOD": "HSCT", "PRSTDTC": at(conditioning + 8, True)})
        if rng.random() < 0.4:
            rows["ds"].append(
                who | {"DSDECOD": "DEATH", "DSSTDTC": at(rng.choice([conditioning + 8, 15, 60, 122]), True)}
            )
        if rng.random() < 0.3:
            rows["cm"].append(who | {"CMCAT": "RESCUE", "CMDECOD": "ETOPOSIDE", "CMSTDTC": at(rng.randrange(90))})
        for elapsed in (-3, 0, 7, 12, 14, 19, 22, 27, 33, conditioning - 2):
            if rng.random() < 0.15:
                continue
            for code, middle in LABS.items():
                value: object = round(middle * rng.choice([0.3, 0.7, 1, 1.4, 3]), 3)
                value = rng.choice(["<1", ">9000", None]) if rng.random() < 0.1 else value
                flags = ["DUPLICATE"] if rng.random() < 0.03 else []
                entry = who | {"test": code, "value": value, "date": at(elapsed, True), "flags": flags}
                rows["lb"].append(entry | {"key": f"{code}/{elapsed}/{rng.choice([1, 2])}/{len(rows['lb'])}"})
            rows["vs"].append(who | {"test": "TEMP", "value": rng.choice([37.0, 38.0, 39.0]), "date": at(elapsed)})
            rows["pe"].append(who | {"test": "SPLENO", "value": rng.choice("YN"), "date": at(elapsed)})
            rows["pe"].append(who | {"test": "CNS", "value": rng.choice("YNN"), "date": at(elapsed)})
        for _ in range(3):
            start = rng.randrange(-5, 150)
            rows["ae"].append(who | {"AETERM": "x", "AESTDTC": at(start), "AEENDTC": at(start + 9)})
    return {name: domain(name, entries) for name, entries in rows.items()}


def canonical(name: str, frame: pd.DataFrame, protocol: Protocol = PROTOCOL) -> pd.DataFrame:
    ordered = frame.sort_values(list(contract_for(name, protocol).key), kind="stable").reset_index(drop=True)
    return ordered.astype({c: str for c in ordered.columns if ordered[c].dtype == object})


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_does_not_matter(seed):
    tables = cohort(seed)
    mixed = {name: frame.sample(frac=1, random_state=seed).reset_index(drop=True) for name, frame in tables.items()}
    one, other = derive_all(PROTOCOL, OUTCOMES, tables), derive_all(PROTOCOL, OUTCOMES, mixed)
    for name in one:
        pd.testing.assert_frame_equal(canonical(name, one[name]), canonical(name, other[name]))


@pytest.mark.parametrize("seed", range(3))
def test_a_subset_of_patients_is_derived_as_in_the_whole(seed):
    tables = cohort(seed)
    some = {f"t/{number:03d}" for number in random.Random(seed).sample(range(14), 5)}
    part = {name: frame[frame["USUBJID"].isin(some)].reset_index(drop=True) for name, frame in tables.items()}
    whole, alone = derive_all(PROTOCOL, OUTCOMES, tables), derive_all(PROTOCOL, OUTCOMES, part)
    for name in whole:
        expected = whole[name][whole[name]["USUBJID"].isin(some)]
        pd.testing.assert_frame_equal(canonical(name, expected), canonical(name, alone[name]), check_dtype=False)


@pytest.mark.parametrize("shift", [1, 59, 1000])
def test_shifting_all_dates_shifts_dates_and_nothing_else(shift):
    tables = cohort(7)
    delta = pd.Timedelta(days=shift)
    moved = {name: frame.copy() for name, frame in tables.items()}
    for frame in moved.values():
        for column in [c for c in frame.columns if c.endswith(("DT_LO", "DT_HI"))]:
            frame[column] = frame[column] + delta
    cutoff = (pd.Timestamp(PROTOCOL.data_cutoff) + delta).strftime("%Y-%m-%d")
    later = PROTOCOL.model_copy(update={"data_cutoff": cutoff})
    before, after = derive_all(PROTOCOL, OUTCOMES, tables), derive_all(later, OUTCOMES, moved)
    for name in before:
        one, other = canonical(name, before[name]), canonical(name, after[name])
        for column in one.columns:
            if one[column].dtype.kind == "M":
                one[column] = one[column] + delta
        # the unknown part of a date (D, M, Y) is a fact of the calendar; so is a date in a note
        flags = [c for c in one.columns if c.endswith("DTF")] + ["ADTF", "NOTE"]
        kept = [c for c in one.columns if c not in flags]
        pd.testing.assert_frame_equal(one[kept], other[kept])


@pytest.mark.parametrize("seed", range(3))
def test_laws_of_the_tables(seed):
    found = derive_all(PROTOCOL, OUTCOMES, cohort(seed))
    state, time = found["adeff"], found["adtte"]
    both = state.merge(time, on=["USUBJID", "PARAMCD", "SCENARIO"], suffixes=("", "_T"))
    primary = both[(both["SCENARIO"] == "primary") & both["ATIME"].notna()]
    assert (primary["ATIME"] == primary["AVAL_T"]).all()
    codes = {"dead": 0, "reached": 2, "alive": 1, "lost": 1}
    assert (primary["AVALC"].map(codes) == primary["CNSR"]).all()
    assert (primary["ATIME"] <= 122).all()
    assert (time["AVAL"].dropna() >= 0).all()
    assert (time["AVAL"].isna() == time["CNSR"].isna()).all()
    assert time.loc[time["CNSR"].isna(), "NOTE"].notna().all()
    labs = found["adlb"]
    flagged = labs[labs["ANL01FL"] == "Y"]
    assert not flagged.duplicated(["USUBJID", "PARAMCD", "AVISIT"]).any()
    assert (labs[labs["ABLFL"] == "Y"].groupby(["USUBJID", "PARAMCD"]).size() == 1).all()
    levels = found["adrs"].pivot_table(
        index=["USUBJID", "RULESET", "AVISIT"], columns="PARAMCD", values="AVALC", aggfunc="first"
    )
    rule_a = levels[levels.index.get_level_values("RULESET").str.startswith("NI-")]
    rank = {"false": 0, "unknown": 1, "true": 2}
    assert (rule_a["CR"].map(rank) <= rule_a["PR"].map(rank)).all()
    assert (rule_a["PR"].map(rank) <= rule_a["IMPROVED"].map(rank)).all()
    response_time = found["adttr"]
    inside = response_time[response_time["CNSR"] == 0]
    assert (inside["LEFT"] < inside["RIGHT"]).all()
    assert response_time.loc[response_time["CNSR"] != 0, "RIGHT"].isna().all()
    adsl = found["adsl"]
    died = adsl["DTHDT_HI"].notna()
    assert (adsl.loc[died, "LSTALVDT"] <= adsl.loc[died, "DTHDT_HI"]).all()
