"""Derived datasets of the intensive care trial against the simulator's truth.

From the forms with their planted defects put back every patient is compared; from the extract as it is, those without
a defect in the forms that the dataset needs. No defect stands near the days of a visit, so that scores are compared of
all whose stay and death are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pandas as pd
import pytest
from helpers.truth_case import Row, TruthCase, committed
from helpers.truth_forms import derived
from reference.test_clean_truth_jakahdi import BOOLEAN, TYPES

HORIZON = 183
ORGANS = {
    "resp": "SOFARESP",
    "coag": "SOFACOAG",
    "liver": "SOFALIVR",
    "cardio": "SOFACARD",
    "cns": "SOFACNS",
    "renal": "SOFARENL",
}
WHY = {"decrease": "success", "no decrease": "no_decrease", "dead": "dead", "sofa missing": "missing"}
MOMENTS = {
    "INCLDT": "inclusion",
    "HOSADT": "hospital_admission",
    "ICUADT": "icu_admission",
    "TRTSDT": "first_dose",
    "DTHDT": "death",
    "LSTALVDT": "last_alive",
}
BACTERIAL = ("vap", "bloodstream", "urinary", "catheter", "other_bacterial")
GROUPS = {"BACT": BACTERIAL, "VIRAL": ("viral",), "FUNGAL": ("fungal",), "REACT": ("reactivation",)}
VISITS = {"D1": (-2, 0), "D7": (5, 7), "D14": (11, 15), "D28": (24, 30)}
"""Elapsed days a visit's laboratory may be of (protocol: days -1 to 1, 6 to 8, 12 to 16, 25 to 31; no day 0)."""
STAY = ("icu_dis", "icu_readm", "hosp_dis", "death_", "fu_")
DAILY = ("pao2", "fio2", "gcs", "ne_", "d_", "urine", "support", "day_", "bio_", "b_")


@pytest.fixture(scope="module")
def case() -> TruthCase:
    return committed("jakahdi")


def doubtful(case: TruthCase, planted: bool, *items: str) -> set[str]:
    """Patients with a planted defect in a column of which the name starts so, after which the truth need not hold."""
    cells = (c for c in case.cells if planted and c["determines"] != "equal" and c["item"].startswith(items))
    return {cell["subject"] for cell in cells}


def rows(case: TruthCase, name: str, planted: bool, *items: str) -> list[Row]:
    """Rows of the truth but those of doubtful patients and of who refused."""
    out = doubtful(case, planted, *items)
    out |= {t["subject"] for t in case.rows("patients") if t["counted"] == "no"}
    return [t for t in case.rows(name) if t["subject"] not in out]


def day(value: object) -> str:
    return "" if pd.isna(value) else str(value)[:10]


def points(value: float) -> str:
    return "" if pd.isna(value) else f"{value:g}"


def milestones(case: TruthCase, planted: bool) -> None:
    """A milestone with a time has it; the day of a record after the death is not the last one alive."""
    adsl = derived(case, planted)["adsl"].set_index("USUBJID")
    for t in rows(case, "patients", planted, *STAY, "inf_", "ae_", "tx_", "day_dt"):
        row = adsl.loc[case.usubjid(t)]
        for variable, item in MOMENTS.items():
            assert day(row[variable]) == t[item][:10], (t["subject"], item)
        flags = [row["RECFL"], row["ENRLFL"], row["SAFFL"]]
        assert flags == ["Y", "Y", "Y" if t["treated"] == "yes" else "N"], t["subject"]
    refused = [t for t in case.rows("patients") if t["counted"] == "no"]
    for t in refused:
        row = adsl.loc[case.usubjid(t)]
        assert [row["ENRLFL"], row["SAFFL"], day(row["REFDT"])] == ["N", "N", t["refused"][:10]]
    assert refused


def scores(case: TruthCase, planted: bool) -> None:
    """Six components, total, what was observed and where the patient was, at every visit."""
    adsofa = derived(case, planted)["adsofa"]
    found = adsofa[adsofa["AVISIT"].notna()].set_index(["USUBJID", "PARAMCD", "AVISIT"])
    known = rows(case, "sofa", planted, *STAY)
    for t in known:
        who, visit = case.usubjid(t), t["visit"]
        total = found.loc[(who, "SOFATOT", visit)]
        assert (day(total["ADT"]), total["STATUS"]) == (t["date"], t["status"]), t
        assert points(total["AVAL"]) == t["total_filled"], t
        if t["status"] == "dead":
            assert found.loc[(who, "SOFA24", visit), "AVAL"] == 24, t
            continue
        assert str(total["NOBS"]) == t["n_measured"], t
        for organ, code in ORGANS.items():
            row = found.loc[(who, code, visit)]
            assert points(row["AVAL"]) == t[f"{organ}_filled"], (t["subject"], visit, organ)
            assert (row["FILL"] == "observed") == (organ in t["measured"].split()), (t["subject"], visit, organ)
    assert len(known) > 140


def daily_scores(case: TruthCase, planted: bool) -> None:
    """The same for every day from D1 to D28; defects of the daily forms are on such days."""
    adsofa = derived(case, planted)["adsofa"]
    found = {(r["USUBJID"], r["PARAMCD"], int(r["ATIME"])): r for r in adsofa.to_dict("records")}
    known = rows(case, "sofa_days", planted, *STAY, *DAILY)
    for t in known:
        who, number = case.usubjid(t), int(t["day"])
        total = found[who, "SOFATOT", number]
        assert (total["STATUS"], points(total["AVAL"])) == (t["status"], t["total_filled"]), t
        for organ, code in ORGANS.items():
            row = found[who, code, number]
            assert points(row["AVAL"]) == t[f"{organ}_filled"], (t, organ)
            assert (row["FILL"] == "observed") == (organ in t["measured"].split()), (t, organ)
    assert len(known) > 0.3 * len(case.rows("sofa_days")) > 200
    dead = [p for p in rows(case, "patients", planted, *STAY) if p["death"]]
    for p in dead:
        number = (pd.Timestamp(p["death"][:10]) - pd.Timestamp(p["origin"])).days
        later = [r for (who, _, at), r in found.items() if who == case.usubjid(p) and at >= number]
        assert all(r["STATUS"] == "dead" and (pd.isna(r["AVAL"]) or r["PARAMCD"] == "SOFA24") for r in later), p


def primary(case: TruthCase, planted: bool) -> None:
    adsofar = derived(case, planted)["adsofar"]
    found = adsofar[adsofar["SCENARIO"] == "primary"].set_index("USUBJID")
    for t in rows(case, "patients", planted, *STAY):
        row = found.loc[case.usubjid(t)]
        assert (row["AVALC"], row["AVAL"]) == (WHY[t["why"]], float(t["success"] == "yes")), t["subject"]
        assert points(row["BASE"]) == t["sofa_d1"], t["subject"]
        assert points(row["SCORE"]) == t["sofa_d7"], t["subject"]


def survival(case: TruthCase, planted: bool) -> None:
    adtte = derived(case, planted)["adtte"].set_index(["USUBJID", "PARAMCD", "SCENARIO"])
    for t in rows(case, "patients", planted, *STAY):
        row = adtte.loc[(case.usubjid(t), "OS", "primary")]
        lived = (pd.Timestamp(t["last_alive"][:10]) - pd.Timestamp(t["inclusion"][:10])).days
        assert (row["CNSR"] == 0) == (t["state_6_months"] == "dead"), t["subject"]
        assert row["AVAL"] == (float(t["death_day"]) if row["CNSR"] == 0 else min(lived, HORIZON)), t["subject"]


def stays(case: TruthCase, planted: bool) -> None:
    """Days from inclusion to the first discharge from intensive care and to that from hospital, or to death."""
    for dataset, name in (("adicu", "icu"), ("adhosp", "hospital")):
        found = derived(case, planted)[dataset].set_index("USUBJID")
        for t in rows(case, "stays", planted, *STAY):
            row, length, status = found.loc[case.usubjid(t)], float(t[f"{name}_days"]), t[f"{name}_status"]
            if status == "in_hospital" or length > HORIZON:
                assert (row["CNSR"], row["AVAL"]) == (1, min(length, HORIZON)), t
                continue
            assert (row["CNSR"], row["AVAL"]) == ({"alive": 0, "dead": 2}[status], length), t
            assert row["READMFL"] == ("Y" if name == "icu" and t["readmission"] else "N"), t


def episodes(case: TruthCase, planted: bool) -> None:
    """Each infection: acquired in hospital, in intensive care, or not, with its day from inclusion."""
    adnoso = derived(case, planted)["adnoso"]
    found = adnoso[adnoso["PARAMCD"] == "EPISODE"].set_index("row_id")
    patients = {t["subject"]: t for t in case.rows("patients")}
    known = rows(case, "infections", planted, "inf_", *STAY)
    for t in known:
        row = found.loc[f"adnoso:{case.usubjid(t)}/EPISODE/{TYPES[t['type']]}/{t['onset']}/1"]
        counts = "yes" in (t["nosocomial"], t["reactivation"])
        assert row["NOSOFL"] == ("Y" if counts else "N"), t
        # a reactivation stands apart from infections, wherever it was acquired
        if t["type"] != "reactivation":
            assert row["ICUFL"] == BOOLEAN[t["icu_acquired"]], t
        start = pd.Timestamp(patients[t["subject"]]["inclusion"][:10])
        assert row["AVAL"] == (pd.Timestamp(t["onset"][:10]) - start).days, t
        assert row["TYPES"] == next(code for code, kinds in GROUPS.items() if t["type"] in kinds), t
    assert len(known) > 0.6 * len(case.rows("infections"))


def first_infections(case: TruthCase, planted: bool) -> None:
    """Number and first day by type and of any; time at risk ends with discharge, death, D28 or the last news."""
    adnoso = derived(case, planted)["adnoso"]
    firsts = adnoso[adnoso["PARAMCD"] != "EPISODE"].set_index(["USUBJID", "PARAMCD"])
    infections: dict[str, list[Row]] = {}
    for t in case.rows("infections"):
        infections.setdefault(t["subject"], []).append(t)
    stay = {t["subject"]: t for t in case.rows("stays")}
    seen = 0
    for p in rows(case, "patients", planted, "inf_", *STAY):
        own = [t for t in infections.get(p["subject"], []) if "yes" in (t["nosocomial"], t["reactivation"])]
        start = pd.Timestamp(p["inclusion"][:10])
        for code in (*GROUPS, "ANYNOSO", "ANYICU"):
            groups = {"ANYNOSO": "nosocomial", "ANYICU": "icu_acquired"}
            mine = [t for t in own if (t[groups[code]] == "yes" if code in groups else t["type"] in GROUPS[code])]
            row = firsts.loc[(case.usubjid(p), code)]
            assert row["NEPI"] == len(mine), (p["subject"], code)
            assert (row["CNSR"] == 0) == bool(mine), (p["subject"], code)
            if mine:
                first = min(t["onset"][:10] for t in mine)
                assert row["AVAL"] == (pd.Timestamp(first) - start).days, (p["subject"], code)
                seen += 1
                continue
            window = (pd.Timestamp(p["origin"]) - start).days + 27
            left = int(stay[p["subject"]]["hospital_days"])
            ended = {"dead": 2, "alive": 3, "in_hospital": 1}[stay[p["subject"]]["hospital_status"]]
            expected = (ended if left <= window else 1, min(window, left))
            assert (row["CNSR"], row["AVAL"]) == expected, (p["subject"], code)
    assert seen > 20


def adverse_events(case: TruthCase, planted: bool) -> None:
    """By record; those of patients never treated have no window."""
    adae = derived(case, planted)["adae"]
    found = adae.set_index(["USUBJID", "AETERM", adae["ASTDT"].astype(str).str[:10]])
    treated = {t["subject"] for t in case.rows("patients") if t["treated"] == "yes"}
    known = rows(case, "ae", planted, "ae_")
    for t in known:
        row = found.loc[(case.usubjid(t), t["term"], t["onset"])]
        inside = t["to_d28"] == "yes" and t["subject"] in treated
        assert row["TRTEMFL"] == ("Y" if inside else "N"), t
        assert (row["AETOXGR"], row["AESER"]) == (t["grade"], BOOLEAN[t["serious"]]), t
        if t["subject"] in treated:
            assert row["ATIME"] == float(t["day"]), t
    assert len(known) > 0.6 * len(case.rows("ae"))


def biology(case: TruthCase, planted: bool) -> None:
    """The last value at D1 and the nearest at later visits are those of the visit; nothing where none is."""
    known = rows(case, "measures", planted, "b_")
    first = {t["subject"]: t for t in case.rows("patients")}
    frames = {name: derived(case, planted)[name] for name in ("adlb", "advs")}
    chosen = {
        name: frame[(frame["ANL01FL"] == "Y") & frame["AVISIT"].isin(list(VISITS))].set_index(
            ["USUBJID", "PARAMCD", "AVISIT"]
        )
        for name, frame in frames.items()
    }
    measured = {"adlb": {"FERRITIN", "CD25S", "FIBRINO", "TRIG", "HGB", "WBC", "PLAT"}, "advs": {"TEMP"}}
    compared = 0
    for t in known:
        name = next((name for name, codes in measured.items() if t["measure"] in codes), None)
        low, high = VISITS[t["visit"]]
        if name is None or t["measured"] == "no" or not low <= int(t["day"]) <= high:
            continue
        row = chosen[name].loc[(case.usubjid(t), t["measure"], t["visit"])]
        assert first[t["subject"]]["treated"] == "yes"
        assert row["AVAL"] == pytest.approx(float(t["value"]), rel=1e-9), t
        assert row["ATIME"] == float(t["day"]), t
        compared += 1
    assert compared > 0.9 * sum(t["measured"] == "yes" and t["measure"] not in ("BILI", "CREAT") for t in known)


def cytokines(case: TruthCase, planted: bool) -> None:
    """By sample: value or bound, and the visit it stands for."""
    adcyt = derived(case, planted)["adcyt"]
    sound = {row["row_id"] for row in case.sound(case.clean.tables["lbcy"])} if planted else None
    chosen = (
        case.last_runs()
        if planted
        else {(t["sample"], t["analyte"]): t for t in case.rows("cytokines") if t["last"] == "yes"}
    )
    days = {t["subject"]: pd.Timestamp(t["origin"]) for t in case.rows("patients")}
    seen = Counter()
    for row in adcyt.to_dict("records"):
        if sound is not None and row["from"][0] not in sound:
            continue
        _, code, sample, _ = row["from"][0].removeprefix("lbcy:jakahdi/").split("/")
        t = chosen[sample, code]
        assert row["USUBJID"] == case.usubjid(t)
        assert row["ATIME"] == (pd.Timestamp(t["datetime"][:10]) - days[t["subject"]]).days
        assert row["AVISIT"] == t["visit"], t
        assert row["CENS"] == t["cens"], t
        value = {"none": row["AVAL"], "left": row["LLOQ"], "right": row["ULOQ"]}[t["cens"]]
        assert value == pytest.approx(float(t["result"]), rel=1e-6), t
        seen[t["cens"]] += 1
    assert sum(seen.values()) == len(chosen) if not planted else sum(seen.values()) > 0.9 * len(chosen)


CHECKS: tuple[Callable[[TruthCase, bool], None], ...] = (
    milestones,
    scores,
    daily_scores,
    primary,
    survival,
    stays,
    episodes,
    first_infections,
    adverse_events,
    biology,
    cytokines,
)


@pytest.mark.parametrize("planted", [False, True], ids=["restored", "planted"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_derived(case, check, planted):
    check(case, planted)


def test_counts_of_the_truth(case):
    """What the truth counts in the end, from datasets of the restored forms: included patients, or treated ones."""
    data = derived(case, False)
    flags = data["adsl"].set_index("USUBJID")
    included, treated = (set(flags.index[flags[name] == "Y"]) for name in ("ENRLFL", "SAFFL"))
    found: Counter = Counter()
    found["flow", "refused", ""] = len(flags) - len(included)
    found["flow", "treated", ""] = len(treated)
    answers = data["adsofar"]
    for row in answers[(answers["SCENARIO"] == "primary") & answers["USUBJID"].isin(included)].to_dict("records"):
        found["primary", next(why for why, word in WHY.items() if word == row["AVALC"]), ""] += 1
        found["primary", "success", ""] += row["AVAL"] == 1
    for row in data["adtte"][data["adtte"]["USUBJID"].isin(included)].to_dict("records"):
        state = "dead" if row["CNSR"] == 0 else "alive" if row["AVAL"] == HORIZON else "lost"
        found["survival", state, ""] += 1
    for dataset, name in (("adicu", "icu"), ("adhosp", "hospital")):
        own = data[dataset][data[dataset]["USUBJID"].isin(included)]
        found[name, "dead", ""] = int((own["CNSR"] == 2).sum())
    totals = data["adsofa"][data["adsofa"]["USUBJID"].isin(included) & data["adsofa"]["AVISIT"].notna()]
    for row in totals[totals["PARAMCD"] == "SOFATOT"].to_dict("records"):
        found["sofa", "alive", row["AVISIT"]] += row["STATUS"] != "dead"
        found["sofa", "scored", row["AVISIT"]] += not pd.isna(row["AVAL"])
        found["sofa", "sum filled", row["AVISIT"]] += 0 if pd.isna(row["AVAL"]) else int(row["AVAL"])
    firsts = data["adnoso"][data["adnoso"]["USUBJID"].isin(included)]
    for code, name in (("ANYNOSO", "nosocomial"), ("ANYICU", "icu_acquired"), ("REACT", "reactivation")):
        own = firsts[firsts["PARAMCD"] == code]
        found["infections", f"patients {name}", ""] = int((own["CNSR"] == 0).sum())
        found["infections", f"episodes {name}", ""] = int(own["NEPI"].sum())
    events = data["adae"][data["adae"]["USUBJID"].isin(treated) & (data["adae"]["TRTEMFL"] == "Y")]
    kinds = {"any": events, "serious": events[events["AESER"] == "Y"]}
    kinds["grade 3 or more"] = events[events["AETOXGR"].isin(["3", "4", "5"])]
    for name, own in kinds.items():
        found["ae", f"patients {name}", ""] = own["USUBJID"].nunique()
        found["ae", f"events {name}", ""] = len(own)
    compared = 0
    for t in case.rows("outcomes"):
        if t["item"] != "success true":
            assert found[t["outcome"], t["item"], t["visit"]] == int(t["count"]), t
            compared += 1
    assert compared == len(case.rows("outcomes")) - 1
