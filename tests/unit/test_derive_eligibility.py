"""Eligibility criteria as checks: truth, deviation and undetermined; errors of rules. Expected values by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from helpers.criteria_case import VISIT, adsl, findings, protocol
from helpers.derive_case import check_contract

from trialpipe.derive.run import derive
from trialpipe.io.errors import DataError

CRITERIA = {"kind": "criteria", "id": "adcrit", "label": "C", "inputs": ["adlb"], "visit": VISIT}
CRITERIA |= {"definitions": ["HLH-2004/strict-fibrinogen/activated-t-cells"]}
AGE = {"code": "I01", "category": "INCLUSION", "text": "Age 0 to 22 years", "rule": {"parameter": "AGE", "le": "22"}}
HLH = {
    "code": "I02",
    "category": "INCLUSION",
    "text": "Genetic diagnosis or 5 of 8 criteria",
    "rule": {"any_of": [{"parameter": "GENE", "in": ["PRF1"]}, {"parameter": "HLSDIAG", "in": ["Y"]}]},
}
PRIOR = {
    "code": "E01",
    "category": "EXCLUSION",
    "text": "Previous specific treatment",
    "rule": {"parameter": "PRIORTRT", "in": ["Y"]},
}
LABS = {
    "TEMP": "39", "SPLENO": "Y", "HGB": "70", "NEONATE": "N", "PLAT": "40", "NEUT": "0.4", "TRIG": "5",
    "FIBRINO": "1.0", "HEMOPHAG": "Y", "NKACT": "ABSENT", "FERRITIN": "9000", "CD25S": "5000", "GENE": "unknown",
    "AGE": "3", "PRIORTRT": "N",
}  # fmt: skip


def eligibility(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    base = {"kind": "eligibility", "id": "adie", "label": "E", "inputs": ["adlb", "adcrit"], "visit": VISIT}
    return {**base, "criteria": list(entries), **changes}


def run(patients: dict[str, dict[str, str]], *entries: dict[str, Any], **changes: Any) -> pd.DataFrame:
    plan = protocol(CRITERIA, eligibility(*(entries or (AGE, HLH, PRIOR)), **changes))
    derived = {"adsl": adsl(patients), "adlb": findings(patients)}
    derived["adcrit"] = derive("adcrit", plan, (), {}, derived)
    return derive("adie", plan, (), {}, derived)


@pytest.mark.parametrize(
    ("changes", "code", "state", "deviation"),
    [
        ({}, "I01", "met", "N"),
        ({"AGE": "22"}, "I01", "met", "N"),
        ({"AGE": "23"}, "I01", "not met", "Y"),
        ({"AGE": ""}, "I01", "undetermined", None),
        ({}, "I02", "met", "N"),
        ({"TEMP": "37", "SPLENO": "N", "HEMOPHAG": "N", "NKACT": "NORMAL"}, "I02", "not met", "Y"),
        ({"TEMP": "37", "SPLENO": "N", "HEMOPHAG": "N", "NKACT": ""}, "I02", "undetermined", None),
        ({"TEMP": "37", "SPLENO": "N", "HEMOPHAG": "N", "NKACT": "", "GENE": "PRF1"}, "I02", "met", "N"),
        ({}, "E01", "not met", "N"),
        ({"PRIORTRT": "Y"}, "E01", "met", "Y"),
        ({"PRIORTRT": ""}, "E01", "undetermined", None),
    ],
)
def test_state_and_deviation(changes, code, state, deviation):
    found = run({"1": {**LABS, **changes}}).set_index("PARAMCD").loc[code]
    assert (found["AVALC"], found["DEVIATION"]) == (state, deviation)
    assert (found["NOTE"] is None) == (state != "undetermined")


def test_rows(tmp_path):
    patients = {"2": LABS, "1": {}}
    found = run(patients)
    check_contract(found, "adie", protocol(CRITERIA, eligibility(AGE, HLH, PRIOR)), tmp_path)
    assert list(found["row_id"]) == [f"adie:t/{n}/{code}" for n in "12" for code in ("I01", "I02", "E01")]
    assert set(found["AVALC"][:3]) == {"undetermined"}
    assert list(found["from"][:3]) == [
        ["adsl:t/1"],
        ["adcrit:t/1/HLH-2004/strict-fibrinogen/activated-t-cells/HLSDIAG"],
        ["adsl:t/1"],
    ]
    assert found["from"][5] == ["adlb:t/2/PRIORTRT"]
    assert list(found["CATEGORY"][:3]) == ["INCLUSION", "INCLUSION", "EXCLUSION"]
    assert list(found["PARAM"][:1]) == ["Age 0 to 22 years"]


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ({"parameter": "PRIORTRTX", "in": ["Y"]}, "'PRIORTRTX' is no parameter of the inputs or of ADSL - declare it"),
        ({"parameter": "PRIORTRTX", "in": ["Y"]}, "(the nearest is PRIORTRT)"),
        ({"parameter": "AGE", "in": ["3"]}, "'AGE' is a number and cannot be one of texts"),
        ({"parameter": "GENE", "lt": "3"}, "'GENE' is a text and has no limit"),
        ({"lt": "3"}, "does not compare a value of the visit with a limit"),
        ({"parameter": "AGE", "lt": "3", "at": "baseline"}, "does not compare a value of the visit with a limit"),
        ({"parameter": "AGE", "lt": "three"}, "has no limit"),
        ({"parameter": "GENE", "in": "PRF1"}, "has no limit"),
        ({"parameter": "AGE", "below": "3"}, "is no rule"),
        ({"met": "FEVER"}, "does not compare"),
        ({"free_of": ["STEROID"], "days": "3"}, "does not compare"),
        ({"all_of": {"parameter": "AGE", "lt": "3"}}, "has no list of rules"),
        ({"at_least": "two", "of": []}, "has no list of rules"),
        ({"all_of": ["AGE"]}, "'AGE' is no rule"),
        ({"not": "AGE"}, "'AGE' is no rule"),
    ],
)
def test_errors(rule, wrong):
    with pytest.raises(DataError) as found:
        run({"1": LABS}, {**AGE, "rule": rule})
    assert wrong in str(found.value)
    assert str(found.value).startswith("ERROR protocol.yaml datasets[adie].criteria.I01.rule")


def test_unknown_visit():
    with pytest.raises(DataError, match="'Screening' is no visit of the inputs"):
        run({"1": LABS}, visit="Screening")


def test_parameter_of_two_inputs():
    """A second dataset that declares PRIORTRT makes the rule ambiguous, but only if a rule names it."""
    second = {"kind": "findings", "id": "adsc", "label": "S", "domain": "sc", "visits": "v"}
    second |= {"parameters": [{"code": "PRIORTRT", "label": "P", "where": {}, "type": "text"}]}
    derived = {"adsl": adsl({"1": LABS}), "adlb": findings({"1": LABS}), "adsc": findings({})}
    for entry, clash in ((PRIOR, True), (AGE, False)):
        plan = protocol(second, eligibility(entry, inputs=["adlb", "adsc"]))
        if clash:
            with pytest.raises(DataError, match="is a parameter of adlb and of adsc"):
                derive("adie", plan, (), {}, derived)
        else:
            assert derive("adie", plan, (), {}, derived)["AVALC"][0] == "met"


def test_not_and_nested_rules():
    rule = {"not": {"at_least": "2", "of": [{"parameter": "AGE", "gt": "2"}, {"parameter": "HGB", "lt": "90"}]}}
    assert run({"1": LABS}, {**AGE, "rule": rule})["AVALC"][0] == "not met"


def test_an_input_may_name_the_visit_otherwise():
    """The score of D1 decides beside the laboratory of inclusion; a score of another visit does not."""
    sofa = {"kind": "sofa", "id": "adsofa", "label": "S", "visits": "w", "measures": []}
    rule = {"all_of": [{"parameter": "SOFATOT", "ge": "4"}, {"parameter": "HGB", "lt": "90"}]}
    entry = eligibility({**AGE, "rule": rule}, inputs=["adlb", "adsofa"], visit_of={"adsofa": "D1"})
    days = [{"label": "D1", "day": "0", "window": ["0", "0"], "baseline": "true"}]
    days.append({"label": "D7", "day": "7", "window": ["7", "7"]})
    plan = protocol(sofa, entry)
    plan = plan.model_validate(
        {
            **plan.model_dump(mode="json"),
            "visit_sets": [*plan.model_dump(mode="json")["visit_sets"], {"id": "w", "visits": days}],
        }
    )
    scores = findings({"1": LABS})
    scores = pd.concat(
        scores.head(1).assign(
            PARAMCD="SOFATOT", AVAL=value, AVALC=str(value), AVISIT=label, ANL01FL="Y", row_id=f"s:{label}"
        )
        for label, value in (("D1", 9.0), ("D7", 2.0))
    )
    derived = {"adsl": adsl({"1": LABS}), "adlb": findings({"1": LABS}), "adsofa": scores}
    found = derive("adie", plan, (), {}, derived)
    assert found["AVALC"].tolist() == ["met"]
    assert "s:D1" in found["from"][0]
    assert "s:D7" not in found["from"][0]
    wrong = plan.model_copy(
        update={"datasets": (*plan.datasets[:-1], plan.datasets[-1].model_copy(update={"visit_of": {"adsofa": "D2"}}))}
    )
    with pytest.raises(DataError, match="visit_of.adsofa 'D2' is no visit of the input - name a visit of adsofa"):
        derive("adie", wrong, (), {}, derived)
