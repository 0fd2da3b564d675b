"""Verdicts of the comparison with the second derivation."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from trialpipe.config.analyses import AnyAnalysis
from trialpipe.io import reference
from trialpipe.qc.compare import compare_records, compare_results, confirmed, third_ways, tolerances
from trialpipe.qc.export import KEYS, clean_text, result_keys, to_csv
from trialpipe.qc.table import details, line, passed, show


def row(statistic: str, value: float | None, **key: object) -> dict:
    base: dict = dict.fromkeys(KEYS)
    base |= {"outcome": "os", "analysis": "kaplan_meier", "scenario": "primary", "group": "Overall", "time": 100.0}
    base |= {"statistic": statistic, "value": value, "note": None, "method": None}
    base |= {"value_text": None, "qualifier": None, **key}
    base["result_id"] = "/".join(str(base[name]) for name in KEYS if base[name] is not None)
    return base


def theirs(*rows: dict) -> pd.DataFrame:
    text = [{k: None if r[k] is None or r[k] != r[k] else str(r[k]).removesuffix(".0") for k in KEYS} for r in rows]
    return pd.DataFrame(
        [
            t | {"value": None if r["value"] is None else repr(r["value"]), "text": r.get("text")}
            for t, r in zip(text, rows, strict=True)
        ]
    )


def verdicts(ours: list[dict], other: list[dict]) -> list[str]:
    found = compare_results(pd.DataFrame(ours), theirs(*other))
    return found["verdict"].tolist()


@pytest.mark.parametrize(
    ("ours", "other", "verdict"),
    [
        (0.5, 0.5, "same"),
        (0.5, 0.5 + 1e-12, "same"),
        (0.5, 0.5001, "different"),
        (0.5, None, "different"),
        (None, 0.5, "different"),
        (None, None, "no value"),
        (math.inf, math.inf, "same"),
        (math.inf, 1.0, "different"),
        (math.nan, math.nan, "no value"),
    ],
)
def test_verdict(ours: float | None, other: float | None, verdict: str) -> None:
    assert verdicts([row("survival", ours)], [row("survival", other)]) == [verdict]


@pytest.mark.parametrize(
    ("ours", "words", "other", "verdict"),
    [
        (None, {"value_text": "reject p0"}, {"text": "reject p0"}, "same"),
        (None, {"value_text": "reject p0"}, {"text": "do not reject p0"}, "different"),
        (None, {"value_text": "NE"}, {}, "no value"),
        (None, {"value_text": "NE"}, {"text": "reject p0"}, "different"),
        (4.76, {"qualifier": "<"}, {"text": "<"}, "same"),
        (4.76, {"qualifier": "<"}, {"text": "="}, "different"),
        (4.76, {}, {"text": "<"}, "different"),
        (4.76, {}, {"text": "="}, "same"),
        (4.76, {"qualifier": "<"}, {}, "same"),
    ],
)
def test_words_are_compared_where_the_second_derivation_has_them(
    ours: float | None, words: dict, other: dict, verdict: str
) -> None:
    assert verdicts([row("median", ours, **words)], [row("median", ours, **other)]) == [verdict]


def test_count_has_no_tolerance() -> None:
    assert verdicts([row("n_risk", 10.0)], [row("n_risk", 10.0 + 1e-12)]) == [
        "same" if 10.0 + 1e-12 == 10.0 else "different"
    ]
    assert verdicts([row("n_risk", 10.0)], [row("n_risk", 11.0)]) == ["different"]


def test_result_without_a_second_value_is_not_covered() -> None:
    assert verdicts([row("survival", 0.5), row("survival", None, group="A")], [row("n_risk", 3.0)]) == [
        "not covered",
        "no value",
        "different",
    ]


def test_result_that_only_the_second_derivation_has_is_a_difference() -> None:
    found = compare_results(
        pd.DataFrame([row("survival", 0.5)]), theirs(row("survival", 0.5), row("survival", 0.4, time=200.0))
    )
    extra = found[found["result_id"].str.startswith("theirs:")]
    assert extra["verdict"].tolist() == ["different"]


def test_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        compare_results(pd.DataFrame([row("survival", 0.5)]), theirs(row("survival", 0.5), row("survival", 0.5)))


def test_every_kind_of_statistic_has_a_tolerance_with_a_reason() -> None:
    lines = reference.rows("qc_tolerances.csv")
    kinds = {entry["kind"] for entry in reference.rows("statistics.csv")} - {"text"}
    assert kinds <= {entry["kind"] for entry in lines if not entry["analysis"] and not entry["statistic"]}
    assert all(entry["reason"] for entry in lines)
    assert all(0 <= t.absolute < 1e-4 and 0 <= t.relative < 1e-4 for t in tolerances())


@pytest.mark.parametrize(
    ("analysis", "statistic", "method", "verdict"),
    [
        ("simon_two_stage", "umvue", "Stage-wise order of outcomes: p-value", "third way: enumeration"),
        ("simon_two_stage.x", "umvue", "Stage-wise order of outcomes: p-value", "third way: enumeration"),
        ("simon_two_stage", "n", None, "same"),
        ("simon_two_stage", "lower", "Clopper-Pearson interval", "same"),
        ("describe_by_visit", "q1", "Percentiles by Turnbull's estimate, censored", "third way: self-consistency"),
        ("describe_by_visit", "q1", "Percentiles by SAS definition 5", "same"),
        ("paired_change.a", "p", "Wilcoxon signed-rank test, exact", "third way: enumeration"),
        ("paired_change.a", "median_change", "Wilcoxon signed-rank test, exact", "same"),
    ],
)
def test_what_no_package_gives_is_confirmed_a_third_way(
    analysis: str, statistic: str, method: str | None, verdict: str
) -> None:
    ours = [row(statistic, 0.5, analysis=analysis, method=method)]
    assert verdicts(ours, [row(statistic, 0.5, analysis=analysis)]) == [verdict]
    assert confirmed(verdict)
    # a third way excuses no difference
    assert verdicts(ours, [row(statistic, 0.6, analysis=analysis)]) == ["different"]


def test_third_ways_name_kinds_and_statistics_that_exist() -> None:
    lines = reference.rows("qc_third_way.csv")
    known = {entry["statistic"] for entry in reference.rows("statistics.csv")} | {""}
    kinds = {str(model.model_fields["kind"].annotation) for model in AnyAnalysis.__args__[0].__args__}
    assert all(entry["statistic"] in known and entry["way"] and entry["reason"] for entry in lines)
    assert all(any(f"'{way.analysis}'" in kind for kind in kinds) for way in third_ways())


def test_trial_passes_only_if_all_is_covered_and_nothing_differs() -> None:
    good = {"result_id": "a", "analysis": "cox", "verdict": "same", "ours": 1.0, "theirs": 1.0}
    way = good | {"verdict": "third way: enumeration"}
    empty = good | {"verdict": "no value"}
    assert line([good, way, empty], []) == [3, 1, 1, 0, 0, 1, 0, 0]
    assert passed(line([good, way, empty], []))
    assert not passed(line([good, good | {"verdict": "not covered"}], []))
    assert not passed(line([good, good | {"verdict": "different"}], []))
    record = {"dataset": "adtte", "record": "p", "variable": "AVAL", "ours": "1", "theirs": "2", "verdict": "different"}
    assert not passed(line([good], [record]))


def test_records_agree_by_key_and_variable() -> None:
    ours = pd.DataFrame(
        {"USUBJID": ["a", "b"], "ADT": pd.to_datetime(["2020-01-01", None]), "AVAL": [1.5, 2.0], "X": [1, 2]}
    )
    other = pd.DataFrame({"USUBJID": ["a", "c"], "ADT": ["2020-01-01", None], "AVAL": ["1.6", "2"]})
    found = compare_records("adtte", ours, other, ("USUBJID",))
    assert found[["record", "variable", "verdict"]].values.tolist() == [
        ["a", "ADT", "same"],
        ["a", "AVAL", "different"],
        ["b", "*", "different"],
        ["c", "*", "different"],
    ]


def test_no_value_of_a_result_is_exported() -> None:
    results = pd.DataFrame([row("survival", 0.123456789)])
    text = to_csv(result_keys(results[list(KEYS)]))
    assert "0.123" not in text
    assert text.splitlines()[0] == ",".join(f'"{name}"' for name in KEYS)
    assert '"100"' in text


def test_clean_table_as_text() -> None:
    frame = pd.DataFrame(
        {
            "row_id": ["x"],
            "origin": [["file:1:a"]],
            "flags": [["DATE_PARTIAL", "BLQ"]],
            "LBDT_LO": pd.to_datetime(["2020-02-03"]),
            "LBSTRESN": [0.1],
            "AGE": pd.array([4], dtype="Int64"),
            "LBSTRESC": [None],
        }
    )
    header, line = to_csv(clean_text(frame)).splitlines()
    assert header == '"row_id","flags","LBDT_LO","LBSTRESN","AGE","LBSTRESC"'
    assert line == '"x","DATE_PARTIAL|BLQ","2020-02-03","0.1",4,""'


def test_summary_counts_verdicts_and_names_differences() -> None:
    results = [
        {"result_id": "a", "analysis": "cox", "verdict": "same", "ours": 1.0, "theirs": 1.0},
        {"result_id": "b", "analysis": "cox", "verdict": "different", "ours": 1.0, "theirs": 2.0},
        {"result_id": "theirs:c", "analysis": "cox", "verdict": "different", "ours": None, "theirs": 2.0},
        {"result_id": "d", "analysis": "simon.x", "verdict": "not covered", "ours": 1.0, "theirs": None},
    ]
    records = [
        {"dataset": "adtte", "record": "p1", "variable": "AVAL", "ours": "1", "theirs": "2", "verdict": "different"},
        {"dataset": "adtte", "record": "p1", "variable": "ADT", "ours": "x", "theirs": "x", "verdict": "same"},
    ]
    assert line(results, records) == [3, 1, 0, 2, 1, 0, 1, 1]
    assert show({"t": line(results, records)}).splitlines()[0].split()[0] == "trial"
    text = "\n".join(details("t", results, records))
    assert "t b: 1.0 here, 2.0 in R" in text
    assert "t adtte p1 AVAL: 1 here, 2 in R" in text
    assert "not covered: simon 1" in text
