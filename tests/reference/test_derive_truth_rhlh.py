"""Derivation that only the oral trial has, against the simulator's truth."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.truth_case import TruthCase, committed
from helpers.truth_tables import derived
from reference.test_derive_truth import LAST_DAY

CRITERIA = {
    "fever": "HLSFEVER",
    "spleen": "HLSSPLEN",
    "cytopenia": "HLSCYTOP",
    "tg_fibrinogen": "HLSTGFIB",
    "haemophagocytosis": "HLSHAEMO",
    "nk": "HLSNKACT",
    "ferritin": "HLSFERRI",
    "cd25_or_activated_t": "HLSCD25S",
    "diagnosis": "HLSDIAG",
}


@pytest.fixture(scope="module")
def case() -> TruthCase:
    return committed("r-hlh")


def test_adverse_events_of_the_windows(case):
    adae = derived(case)["adae"].set_index("row_id")
    for a in case.rows("ae"):
        row = adae.loc[f"adae:{case.usubjid(a)}/{a['number']}/1"]
        assert (row["TRTEMFL"], row["TRTEM30FL"]) == (a["on_treatment"], a["on_treatment_30"]), a
        assert (row["SMPCFL"], row["ATIME"]) == (a["listed"], float(a["day"])), a


def test_hours_and_types_of_samples(case):
    """A peak 0.5 to 3 hours and a trough 9 to 15 hours after the dose before the sample."""
    adpc = derived(case)["adpc"]
    own = adpc[adpc["PARAMCD"].isin(["RUXO", "RUXOCSF"])]
    rows = {source.split("/")[-2]: row for _, row in own.iterrows() for source in row["from"]}
    conditioning = {p["subject"]: p["conditioning"] for p in case.rows("patients")}
    for t in case.rows("pk"):
        if t["measured"] == "no" or t["datetime"][:10] >= (conditioning[t["subject"]] or "9"):
            continue
        row = rows[t["sample"]]
        assert row["PARAMCD"] == {"Plasma": "RUXO", "CSF": "RUXOCSF"}[t["matrix"]], t
        if not t["hours"]:
            assert row["SAMPTYPE"] not in ("PEAK", "TROUGH"), t
            continue
        hours = float(t["hours"])
        assert row["TSLD"] == pytest.approx(hours, rel=1e-5), t
        expected = "PEAK" if 0.5 <= hours <= 3 else "TROUGH" if 9 <= hours <= 15 else "OTHER"
        assert row["SAMPTYPE"] == expected, t
    assert len(rows) > 90


def test_cerebrospinal_fluid_over_plasma(case):
    """Pairs within an hour; a value in fluid outside 0.5 to 500 ng/mL bounds the ratio, one in plasma makes none."""
    adpc = derived(case)["adpc"]
    ratios = adpc[adpc["PARAMCD"] == "RUXORAT"]
    found = {tuple(source.split("/")[-2] for source in row["from"]): row for _, row in ratios.iterrows()}
    known = {t["sample"]: t for t in case.rows("pk")}
    conditioning = {p["subject"]: p["conditioning"] for p in case.rows("patients")}
    expected = set()
    for t in case.rows("csf_pairs"):
        limits = t["csf_limit"], t["plasma_limit"]
        late = known[t["csf"]]["datetime"][:10] >= (conditioning[t["subject"]] or "9")
        if t["within_1h"] == "N" or late or "not measured" in limits:
            continue
        row = found.get((t["csf"], t["plasma"]))
        if limits == ("none", "none"):
            assert row["AVAL"] == pytest.approx(float(t["ratio"]), rel=1e-5), t
            assert row["CENS"] == "none", t
        elif limits == ("below", "none"):
            assert row["CENS"] == "left", t
            assert pd.isna(row["AVAL"]), t
            assert row["LLOQ"] == pytest.approx(0.5 / float(known[t["plasma"]]["value"]), rel=1e-6), t
        elif limits == ("above", "none"):
            assert row["CENS"] == "right", t
            assert row["ULOQ"] == pytest.approx(500 / float(known[t["plasma"]]["value"]), rel=1e-6), t
        else:
            assert row is None, t
            continue
        expected.add((t["csf"], t["plasma"]))
    assert set(found) == expected
    assert expected


def test_hlh_2004_at_inclusion(case):
    """Reading ``baseline``: the last values in days -14 to 0, as the visit of the protocol takes them."""
    found = derived(case)["adhlh"].set_index(["USUBJID", "PARAMCD"])
    words = {"Y": "Y", "N": "N", "unknown": None}
    for t in (t for t in case.rows("hlh2004") if t["reading"] == "baseline"):
        for name, code in CRITERIA.items():
            value = found.loc[(case.usubjid(t), code), "AVALC"]
            assert (value if isinstance(value, str) else None) == words[t[name]], (t["subject"], name)
        numbers = [found.loc[(case.usubjid(t), code), "AVAL"] for code in ("HLSNMET", "HLSNASS")]
        assert numbers == [float(t["met"]), float(t["assessed"])], t


def test_eligibility(case):
    found = derived(case)["adie"].set_index(["USUBJID", "PARAMCD"])["AVALC"]
    words = {"Y": "met", "N": "not met", "unknown": "unknown"}
    for t in (t for t in case.rows("hlh2004") if t["reading"] == "baseline"):
        assert found.loc[(case.usubjid(t), "INCL02")] == words[t["eligible"]], t
    treated = {"Y": "met", "N": "not met", "": "unknown"}
    for p in case.rows("patients"):
        assert found.loc[(case.usubjid(p), "EXCL01")] == treated[p["priortrt"]], p["subject"]


def test_response_carried_behind_conditioning(case):
    """A visit behind the start of conditioning repeats the last one whose response could be told."""
    adrs = derived(case)["adrs"]
    told = adrs[(adrs["PARAMCD"] == "OVRLRESP") & (adrs["STATUS"] == "assessed")]
    told = set(zip(told["USUBJID"], told["RULESET"], told["AVISIT"], strict=True))
    carried = adrs[(adrs["CARRIED"] == "Y") & adrs["PARAMCD"].isin(["CR", "PR"])]
    truth = {
        (case.usubjid(t), t["rule_set"], t["level"], t["visit"]): t
        for t in case.rows("response")
        if t["reading"] == "carried"
    }
    order = list(LAST_DAY[case.trial])
    for _, row in carried.iterrows():
        level = {"CR": "CR", "PR": "CR or PR"}[row["PARAMCD"]]
        known = {visit: truth.get((row["USUBJID"], row["RULESET"], level, visit)) for visit in order}
        if known[row["AVISIT"]] is None:
            continue
        assert known[row["AVISIT"]]["status"] == "conditioned"
        place = order.index(row["AVISIT"])
        before = [known[v] for v in order[:place] if (row["USUBJID"], row["RULESET"], v) in told]
        assert row["AVALC"] == before[-1]["holds"], (row["row_id"], before[-1])
    assert len(carried) > 10


def test_first_response_and_reactivation(case):
    rows = derived(case)["adtrea"]
    rows = rows[rows["PARAMCD"] == rows["PARAMCD"].iloc[0]].set_index("USUBJID")
    assert sorted(rows.index) == sorted(case.usubjid(t) for t in case.rows("reactivation"))
    for t in case.rows("reactivation"):
        row = rows.loc[case.usubjid(t)]
        assert str(row["STARTDT"].date()) == t["response"], t
        note = row["NOTE"] or ""
        assert ("partial response" in note) == (t["level"] == "PR"), t
        assert (row["CNSR"] == 0) == (t["status"] == "reactivated"), t
        if t["status"] == "reactivated":
            assert str(row["ADT"].date()) == t["reactivation"], t
        opened = int(t["undetermined"])
        assert (f"undetermined on {opened} " in note) if opened else ("undetermined" not in note), t


def test_class_and_day_of_infections(case):
    found = derived(case)["adinf"].set_index(["USUBJID", "PARAMCD"])
    seen = set()
    for t in case.rows("virus"):
        key = (case.usubjid(t), t["virus"])
        seen.add(key)
        row = found.loc[key]
        assert row["CLASS"] == t["class"], t
        assert row["BASESTAT"] == {"missing": "none"}.get(t["baseline"], t["baseline"]), t
        assert row["NTEST"] == int(t["tests_after"]) + (row["BASESTAT"] != "none"), t
        if t["class"] in ("de novo", "worsening"):
            assert (row["CNSR"], row["AVAL"]) == (0, float(t["day"])), t
    tested = found[(found["CLASS"] != "not tested") & (found.index.get_level_values(1) != "ANYVIR")]
    assert set(tested.index) == seen
    assert len(seen) > 40
