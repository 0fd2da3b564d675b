"""Diagnostic criteria and scores: one row per branch of every criterion, totals, the probability table, errors."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from helpers.criteria_case import VISIT, adsl, criteria, findings, points, protocol, values
from helpers.derive_case import check_contract
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.derive import criteria as module
from trialpipe.derive.definitions import definitions
from trialpipe.derive.run import contract_for, derive
from trialpipe.io.errors import DataError

DATA = Path(__file__).parent / "data"
WORDS = {True: "Y", False: "N", None: ""}
SICK = {
    "TEMP": "39", "SPLENO": "Y", "HGB": "70", "NEONATE": "N", "PLAT": "40", "NEUT": "0.4", "TRIG": "5",
    "FIBRINO": "1.0", "HEMOPHAG": "Y", "NKACT": "ABSENT", "FERRITIN": "9000", "CD25S": "5000", "GENE": "unknown",
}  # fmt: skip
SCORED = {
    "IMMSUP": "N", "TEMP": "39", "HEPATO": "N", "SPLENO": "Y", "HGB": "70", "WBC": "2", "PLAT": "40",
    "FERRITIN": "9000", "TRIG": "5", "FIBRINO": "1.0", "AST": "20", "HEMOPHAG": "N",
}  # fmt: skip
"""0 + 33 + 23 + 34 + 50 + 64 + 30 + 0 + 0 = 234."""


def table(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def named(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in filter(None, text.split(";")))


def label(case: dict[str, str]) -> str:
    return f"{case.get('definition', '')} {case.get('code', '')} {case['case']}"


def rows(definition: str, changes: dict[str, str], start: dict[str, str], **leave: tuple[str, ...]):
    return criteria(definition, {"1": {**start, **changes}}, **leave)["1"]


@pytest.mark.parametrize("case", table("criteria_truth_hlh_2004"), ids=label)
def test_criterion(case):
    definition = definitions()[case["definition"]]
    assert WORDS[module.criterion_truth(definition, case["code"], values(named(case["values"])))] == case["expected"]


def test_every_criterion_has_each_truth():
    """The table leaves no criterion without a Y, an N and an undetermined row."""
    seen = {(case["definition"], case["code"], case["expected"]) for case in table("criteria_truth_hlh_2004")}
    for item in definitions()["HLH-2004"].items:
        assert {expected for name, code, expected in seen if (name, code) == ("HLH-2004", item.code)} == {"Y", "N", ""}


@pytest.mark.parametrize("case", table("criteria_diagnosis_hlh_2004"), ids=label)
def test_diagnosis(case):
    own = rows("HLH-2004", named(case["changes"]), SICK)
    met = own.loc["HLHNMET"]
    assert (met["AVAL"], met["AVALLO"], met["AVALHI"]) == (int(case["met"]), int(case["met"]), int(case["possible"]))
    assert own.loc["HLHNASS", "AVAL"] == int(case["assessed"])
    assert (own.loc["HLHDIAG", "AVALC"] or "") == case["diagnosis"]
    assert own.loc["HLHDIAGA", "AVALC"] == case["two_valued"]


@pytest.mark.parametrize("case", table("criteria_truth_hscore"), ids=label)
def test_points(case):
    wanted = sorted(float(part) for part in case["points"].split("|"))
    assert sorted(points("HSCORE", case["code"], named(case["values"]))) == wanted


def test_greatest_score_is_337():
    worst = {"IMMSUP": "Y", "TEMP": "40", "HEPATO": "Y", "AST": "30", "HEMOPHAG": "Y"}
    assert rows("HSCORE", worst, SCORED).loc["HSCORE", "AVAL"] == 337


@pytest.mark.parametrize(
    ("changes", "total", "low", "high", "ge169", "ge200"),
    [
        ({}, 234, 234, 234, "Y", "Y"),
        ({"FIBRINO": "3"}, 204, 204, 204, "Y", "Y"),
        ({"FERRITIN": ""}, None, 184, 234, "Y", None),
        ({"FERRITIN": "", "TRIG": ""}, None, 120, 234, None, None),
        ({"TEMP": "37", "FERRITIN": "", "TRIG": "1"}, None, 87, 137, "N", "N"),
        ({"TEMP": "37", "FERRITIN": "100", "TRIG": "1", "HEMOPHAG": ""}, None, 87, 122, "N", "N"),
        ({"IMMSUP": "", "FIBRINO": "3", "SPLENO": "N"}, None, 181, 199, "Y", "N"),
        ({"IMMSUP": "", "FIBRINO": "3", "SPLENO": "N", "AST": "30"}, None, 200, 218, "Y", "Y"),
        (dict.fromkeys(SCORED, ""), None, 0, 337, None, None),
    ],
)
def test_totals(changes, total, low, high, ge169, ge200):
    """Sums by hand from the published points."""
    own = rows("HSCORE", changes, SCORED)
    score = own.loc["HSCORE"]
    assert (None if score["AVAL"] != score["AVAL"] else score["AVAL"]) == total
    assert (score["AVALLO"], score["AVALHI"]) == (low, high)
    assert (own.loc["HSGE169", "AVALC"], own.loc["HSGE200", "AVALC"]) == (ge169, ge200)
    assert (score["NOTE"] is None) == (total is not None)


@pytest.mark.parametrize(("total", "ge"), [(168, "N"), (169, "Y")])
def test_cutoff_is_inclusive(total, ge):
    """One made-up item with the whole total."""
    definition = definitions()["HSCORE"]
    assert definition.total is not None
    item = module.Line("X", "x", total, total, total, None)
    found = {line.code: line.text for line in module._total(definition, definition.total, [item])}
    assert found["HSGE169"] == ge


NODES = table("hscore_probability")


@pytest.mark.parametrize("node", NODES, ids=lambda node: node["total"])
def test_probability_table(node):
    total = definitions()["HSCORE"].total
    assert total is not None
    found = module.probability(float(node["total"]), total.nodes)
    text = {"left": "<", "right": ">", "none": ""}[found.side] + f"{found.value:g}"
    assert text == node["percent"]


def test_table_has_15_nodes():
    total = definitions()["HSCORE"].total
    assert total is not None
    published = [(float(n["total"]), float(n["percent"])) for n in NODES if n["percent"][0] not in "<>"]
    assert len(published) == 15
    assert list(total.nodes) == published


@given(st.floats(100, 240), st.floats(100, 240))
def test_probability_is_monotone_between_nodes(a, b):
    total = definitions()["HSCORE"].total
    assert total is not None
    low, high = sorted((a, b))
    assert module.probability(low, total.nodes).value <= module.probability(high, total.nodes).value + 1e-9


def test_probability_between_nodes_is_linear_on_the_logit():
    """165: logit midway between 40 % and 54 %: odds sqrt(0.4/0.6 * 0.54/0.46)."""
    total = definitions()["HSCORE"].total
    assert total is not None
    odds = (0.4 / 0.6 * 0.54 / 0.46) ** 0.5
    assert module.probability(165, total.nodes).value == pytest.approx(100 * odds / (1 + odds), rel=1e-12)


def test_probability_rows():
    inside = rows("HSCORE", {"FIBRINO": "3"}, SCORED).loc["HSPROB"]
    assert 88 < inside["AVAL"] < 93
    assert (inside["CENS"], inside["AVALU"]) == ("none", "%")
    low = rows("HSCORE", {"TEMP": "37", "FERRITIN": "1", "TRIG": "1"}, SCORED).loc["HSPROB"]
    assert (low["AVALC"], low["CENS"], low["LLOQ"], low["AVALLO"], low["AVALHI"]) == ("<1", "left", 1, 0, 1)
    assert low["AVAL"] != low["AVAL"]
    high = rows("HSCORE", {"HEMOPHAG": "Y"}, SCORED).loc["HSPROB"]
    assert (high["AVALC"], high["CENS"], high["ULOQ"], high["AVALLO"], high["AVALHI"]) == (">99", "right", 99, 99, 100)
    open_ = rows("HSCORE", {"TRIG": ""}, SCORED).loc["HSPROB"]
    assert (open_["AVALC"], open_["CENS"], open_["AVALLO"]) == (None, "none", 54)
    assert 98 < open_["AVALHI"] < 99
    assert open_["NOTE"] == "undetermined: HSTRIG"
    certain = rows("HSCORE", {"HEMOPHAG": "Y", "IMMSUP": ""}, SCORED)
    assert certain.loc["HSPROB", "AVALC"] == ">99", "269 or 287"
    assert certain.loc["HSCORE", "AVALC"] is None


def test_rows_and_their_sources(tmp_path):
    spec = {
        "kind": "criteria",
        "id": "adcrit",
        "label": "C",
        "inputs": ["adlb"],
        "visit": VISIT,
        "definitions": list(definitions()),
    }
    plan, patients = protocol(spec), {"1": SICK | SCORED, "2": {}}
    frame = derive("adcrit", plan, (), {}, {"adsl": adsl(patients), "adlb": findings(patients)})
    check_contract(frame, "adcrit", plan, tmp_path)
    codes = [code for definition in definitions().values() for code in definition.parameters]
    assert len(set(codes)) == len(codes)
    assert max(map(len, codes)) <= 8
    assert list(frame[frame["USUBJID"] == "t/1"]["PARAMCD"]) == codes
    fever = frame[(frame["USUBJID"] == "t/1") & (frame["PARAMCD"] == "HLHFEVER")].iloc[0]
    assert (fever["from"], fever["AVALC"], fever["ATIME"]) == (["adlb:t/1/TEMP"], "Y", -2)
    assert (fever["AVISIT"], fever["ANL01FL"], fever["DEFID"]) == (VISIT, "Y", "HLH-2004")
    nothing = frame[frame["USUBJID"] == "t/2"].set_index("PARAMCD")
    assert nothing.loc["HLHFEVER", "NOTE"] == "missing: TEMP"
    assert nothing.loc["HLHFEVER", "from"] == ["adsl:t/2"]
    assert contract_for("adcrit", plan).key == ("USUBJID", "PARAMCD", "row_id")


def test_only_the_analysed_value_of_the_visit_counts():
    """findings() puts a value of -1 that is not analysed, and one of no visit, beside each."""
    assert rows("HLH-2004", {}, SICK).loc["HLHFEVER", "AVALC"] == "Y"


def test_parameter_that_is_not_collected():
    own = rows("HLH-2004", {"NKACT": ""}, SICK, leave=("NKACT", "HLADR"))
    assert (own.loc["HLHNKACT", "AVALC"], own.loc["HLHNKACT", "NOTE"]) == (None, "not collected: NKACT")
    strict = rows("HLH-2004/strict-fibrinogen/activated-t-cells", {"CD25S": "1"}, SICK, leave=("HLADR",))
    assert strict.loc["HLSCD25S", "NOTE"] == "not collected: HLADR"
    assert strict.loc["HLSDIAG", "AVALC"] == "Y"


@pytest.mark.parametrize(
    ("changes", "cytopenia", "diagnosis"),
    [
        ({}, "Y", "Y"),
        # one lineage: haemoglobin of 95 counts in a neonate only, and nobody is one
        ({"HGB": "95", "NEUT": "2.0"}, "N", "Y"),
        ({"HGB": "", "NEUT": "2.0"}, None, "Y"),
        # four of the seven assessed are met: the eighth decides
        ({"TEMP": "37", "SPLENO": "N", "HEMOPHAG": "N", "NKACT": ""}, "Y", None),
        ({"TEMP": "37", "SPLENO": "N", "HEMOPHAG": "N", "NKACT": "NORMAL"}, "Y", "N"),
    ],
)
def test_adults_need_no_age_in_days_and_no_molecular_diagnosis(changes, cytopenia, diagnosis):
    """Fever, splenomegaly, haemophagocytosis and NK activity away leave cytopenia, triglycerides, ferritin and CD25."""
    own = rows("HLH-2004/adults", {"GENE": "", "NEONATE": "", **changes}, SICK)
    assert (own.loc["HLCCYTOP", "AVALC"], own.loc["HLCDIAG", "AVALC"]) == (cytopenia, diagnosis)
    assert "molecular" not in own.loc["HLCDIAG", "PARAM"].partition(":")[2]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"definitions": ["HLH-2005"]}, "'HLH-2005' is not in criteria.yaml - the nearest is HLH-2004;"),
        (
            {"visit": "Inclusio"},
            "'Inclusio' is no visit of the inputs - name a visit of adlb (the nearest is Inclusion)",
        ),
    ],
)
def test_errors(changes, wrong):
    spec = {"kind": "criteria", "id": "adcrit", "label": "C", "inputs": ["adlb"], "visit": VISIT}
    plan = protocol({**spec, "definitions": ["HSCORE"], **changes})
    with pytest.raises(DataError) as found:
        derive("adcrit", plan, (), {}, {"adsl": adsl({"1": SICK}), "adlb": findings({"1": SICK})})
    assert wrong in str(found.value)
    assert str(found.value).startswith("ERROR protocol.yaml datasets[adcrit]")
