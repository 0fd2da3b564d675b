"""Checks of records and across domains: each fires on its case and on nothing near it."""

from __future__ import annotations

import pandas as pd
import pytest

from trialpipe.clean import dates
from trialpipe.clean.checks import check, cross
from trialpipe.clean.combine import combine
from trialpipe.clean.context import context_from
from trialpipe.clean.record import Record
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.io.contracts import QUERIES, RECONCILIATION
from trialpipe.io.sdtm import date_columns

CONTEXT = context_from(
    {"trial": "t", "data_cutoff": "2020-06-30", "dialects": {}, "subject_pattern": ".*", "codelists": [], "checks": []}
)
DATES = ("DTC",)


def values(**variables: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in variables.items():
        found[name] = value
        if name.endswith("DTC"):
            day = dates.parse(value)
            found |= dict(zip(date_columns(name), (day.text, day.low, day.high, day.time), strict=True))
    return found


def record(domain: str, line: int, **variables: object) -> Record:
    raw = Raw("e.f", "f.csv", line, {})
    found = Record(raw, "01", (line,), values(**variables))
    found.cells = {name: (f"f.csv:{line}:{name}",) for name in variables}
    return found


def fired(domain: str, *records: Record) -> list[tuple[str, str]]:
    log = Log(CONTEXT.rules, domain)
    check(records, log)
    return [(row["rule"], row["origin"][0]) for row in log.rows()]


@pytest.mark.parametrize(
    ("start", "end", "fires"),
    [
        ("2020-02-03", "2020-02-02", True),
        ("2020-02-03", "2020-02-03", False),
        ("2020-02-03", "2020-02", False),
        ("2020-03", "2020-02", True),
        ("2020-03-01", "2020", False),
        ("2020-02-03T10:00", "2020-02-03T09:00", True),
        ("2020-02-03T10:00", "2020-02-03", False),
        (None, "2020-02-03", False),
    ],
)
def test_date_order(start, end, fires):
    found = fired("cm", record("cm", 2, CMSTDTC=start, CMENDTC=end))
    assert found == ([("date-order", "f.csv:2:CMENDTC")] if fires else [])


@pytest.mark.parametrize(
    ("dose", "taken", "rules"),
    [
        ("2020-02-03T10:00", "2020-02-03T09:30", ["pk-before-dose"]),
        ("2020-02-03T10:00", "2020-02-03T10:00", []),
        ("2020-02-04", "2020-02-03T10:00", ["pk-before-dose"]),
        ("2020-02-03T10:00", "2020-02-03", ["pk-time-missing"]),
        (None, "2020-02", []),
    ],
)
def test_samples_and_doses(dose, taken, rules):
    assert [rule for rule, _ in fired("pc", record("pc", 2, PCRFTDTC=dose, PCDTC=taken))] == rules


def lab(line: int, test: str, value: float | None, when: str | None = "2020-02-03", spec: str = "BLOOD") -> Record:
    return record("lb", line, LBTESTCD=test, LBSTRESN=value, LBDTC=when, LBSPEC=spec, LBORRES=str(value))


@pytest.mark.parametrize(
    ("neut", "wbc", "fires"),
    [
        (lab(2, "NEUT", 3.0), lab(2, "WBC", 2.0), True),
        (lab(2, "NEUT", 3.0), lab(9, "WBC", 2.0), True),
        (lab(2, "NEUT", 3.0, None), lab(2, "WBC", 2.0, None), True),
        (lab(2, "NEUT", 3.0, None), lab(9, "WBC", 2.0, None), False),
        (lab(2, "NEUT", 3.0), lab(9, "WBC", 2.0, "2020-02-04"), False),
        (lab(2, "NEUT", 3.0), lab(2, "WBC", 2.0, spec="CSF"), False),
        (lab(2, "NEUT", 2.03), lab(2, "WBC", 2.0), False),
        (lab(2, "NEUT", None), lab(2, "WBC", 2.0), False),
        (lab(2, "NEUT", 3.0), lab(2, "WBC", None), False),
    ],
)
def test_a_part_above_its_whole(neut, wbc, fires):
    found = fired("lb", neut, wbc)
    assert found == ([("neutrophils-above-leukocytes", "f.csv:2:LBORRES")] if fires else [])


@pytest.mark.parametrize(
    ("grade", "serious", "outcome", "rules"),
    [
        ("4", "N", None, ["ae-grade4-not-serious"]),
        ("5", "N", "FATAL", ["ae-grade4-not-serious"]),
        ("4", "Y", "FATAL", ["ae-fatal-grade"]),
        ("4", None, None, []),
        ("3", "N", None, []),
        (None, "N", "FATAL", []),
    ],
)
def test_grade_and_seriousness(grade, serious, outcome, rules):
    found = fired("ae", record("ae", 2, AETOXGR=grade, AESER=serious, AEOUT=outcome))
    assert [rule for rule, _ in found] == rules


@pytest.mark.parametrize(("age", "rules"), [(0.0, []), (1.0, ["neonate-age"]), (None, [])])
def test_neonates(age, rules):
    assert [rule for rule, _ in fired("dm", record("dm", 2, NEONATE="Y", AGE=age))] == rules


@pytest.mark.parametrize(
    ("none", "invasive", "line", "fires"),
    [("Y", "Y", 2, True), ("Y", "N", 2, False), ("N", "Y", 2, False), (None, "Y", 2, False), ("Y", "Y", 3, False)],
)
def test_two_boxes_that_exclude_each_other(none, invasive, line, fires):
    """Of one raw row; the support of another day contradicts nothing."""
    boxes = [
        record("rs", 2, RSTESTCD="RESPNONE", RSSTRESC=none, RSORRES="1"),
        record("rs", line, RSTESTCD="RESPSUP", RSSTRESC=invasive, RSORRES="1"),
        record("rs", line, RSTESTCD="RESPSUP", RSSTRESC="N", RSORRES="0"),
    ]
    assert fired("rs", *boxes) == ([("support-contradiction", "f.csv:2:RSORRES")] if fires else [])


@pytest.mark.parametrize(("status", "fires"), [("INCOMPLETE", True), ("UNVERIFIED", False), (None, False)])
@pytest.mark.parametrize("domain", ["ae", "rs"])
def test_forms_that_are_not_complete(domain, status, fires):
    item = f"{domain.upper()}FORM"
    found = fired(domain, record(domain, 2, **{item: status}))
    assert found == ([("form-incomplete", f"f.csv:2:{item}")] if fires else [])


def tables(**domains: list[dict]) -> dict[str, pd.DataFrame]:
    """Clean tables; a row is its variables with ``subject``; ``origin`` is made up from domain and place."""
    found = {}
    for domain, rows in domains.items():
        made = []
        for n, row in enumerate(rows, start=1):
            variables = {key: value for key, value in row.items() if key not in ("subject", "flags")}
            filled = values(**variables)
            filled |= {k: pd.Timestamp(v) for k, v in filled.items() if k.endswith(("_LO", "_HI"))}
            filled |= {"row_id": f"{domain}:t/{row['subject']}/{n}", "USUBJID": f"t/{row['subject']}", "DOMAIN": domain}
            filled |= {"origin": [f"{domain}.csv:{n}:N"], "flags": row.get("flags", [])}
            made.append(filled)
        found[domain] = pd.DataFrame(made)
    return found


def crossed(**domains: list[dict]) -> list[tuple[str, str | None]]:
    return [(row.rule, row.subject) for row in cross(tables(**domains), CONTEXT).itertuples()]


DM = [{"subject": "01", "RFICDTC": "2020-01-01"}, {"subject": "02", "RFICDTC": "2020-01-05"}]
EX = [{"subject": "01", "EXSTDTC": "2020-01-02"}, {"subject": "02", "EXSTDTC": "2020-01-05"}]
DEATH = {"subject": "01", "DSDECOD": "DEATH", "DSSTDTC": "2020-03-01T12:00"}


def test_a_sound_trial_has_no_query():
    ae = [{"subject": "01", "AETOXGR": "5", "AESTDTC": "2020-02-20", "AEENDTC": "2020-03-01"}]
    assert crossed(dm=DM, ex=EX, ds=[DEATH], ae=ae, lb=[{"subject": "02", "LBDTC": "2020-05-01"}]) == []


def test_unknown_patients():
    found = cross(tables(dm=DM, lb=[{"subject": "03"}, {"subject": "03"}], vs=[{"subject": "03"}]), CONTEXT)
    assert found["rule"].tolist() == ["subject-unknown"]
    assert found.iloc[0]["origin"] == ["lb.csv:1:N", "lb.csv:2:N", "vs.csv:1:N"]
    assert "lb, vs" in found.iloc[0]["message"]
    assert "01, 02" in found.iloc[0]["message"]


def test_look_alike_patients_and_patients_without_a_dose():
    assert crossed(dm=[*DM, {"subject": "O1"}], ex=EX) == [("subject-near", "01"), ("subject-without-dose", "O1")]


@pytest.mark.parametrize(
    ("consent", "dose", "fires"),
    [
        ("2020-01-03", "2020-01-02", True),
        ("2020-01-02", "2020-01-02T08:00", False),
        ("2020-01", "2020-01-02", False),
        ("2020-02", "2020-01-02", True),
        (None, "2020-01-02", False),
    ],
)
def test_dose_before_consent(consent, dose, fires):
    found = crossed(dm=[{"subject": "01", "RFICDTC": consent}], ex=[{"subject": "01", "EXSTDTC": dose}])
    assert found == ([("dose-before-consent", "01")] if fires else [])


@pytest.mark.parametrize(
    ("row", "fires"),
    [
        ({"subject": "01", "AESTDTC": "2020-03-02"}, True),
        ({"subject": "01", "AESTDTC": "2020-03-01T13:00"}, True),
        ({"subject": "01", "AESTDTC": "2020-03-01T11:00", "AEENDTC": "2020-03-01T13:00"}, False),
        ({"subject": "01", "AESTDTC": "2020-02-01", "AEENDTC": "2020-03-02"}, True),
        ({"subject": "01", "AESTDTC": "2020-02-01", "AEENDTC": "2020-03"}, False),
        ({"subject": "01", "AESTDTC": "2020-03"}, False),
        ({"subject": "01", "AESTDTC": "2105-03-02", "flags": ["AFTER_CUTOFF"]}, False),
        ({"subject": "02", "AESTDTC": "2020-03-02"}, False),
    ],
)
def test_records_after_death(row, fires):
    found = crossed(dm=DM, ex=EX, ds=[DEATH], cm=[{k.replace("AE", "CM"): v for k, v in row.items()}])
    assert found == ([("after-death", "01")] if fires else [])


def test_one_query_lists_all_records_after_a_death():
    ds = [{**DEATH, "DSSTDTC": "2019-03-01"}]
    lb = [{"subject": "01", "LBDTC": f"2020-02-{day:02d}"} for day in range(1, 9)]
    found = cross(tables(dm=DM, ex=EX, ds=ds, lb=lb), CONTEXT).set_index("rule")
    assert found.index.tolist() == ["after-death", "death-before-consent"]
    assert len(found.loc["after-death", "origin"]) == 1 + 1 + 1 + 8
    assert found.loc["after-death", "message"].startswith("10 record(s)")


def test_a_death_known_to_the_month_is_not_before_what_happened_in_it():
    ds = [{**DEATH, "DSSTDTC": "2020-03"}]
    assert crossed(dm=DM, ex=EX, ds=ds, lb=[{"subject": "01", "LBDTC": "2020-03-30"}]) == []
    assert crossed(dm=DM, ex=EX, ds=ds, lb=[{"subject": "01", "LBDTC": "2020-04-01"}]) == [("after-death", "01")]


@pytest.mark.parametrize(
    ("conditioning", "hsct", "rules"),
    [
        ("2020-03-01", "2020-03-08", []),
        ("2020-03-01", "2020-02-28", ["hsct-before-conditioning"]),
        (None, "2020-02-28", []),
        ("none", "2020-02-28", ["hsct-without-conditioning"]),
    ],
)
def test_conditioning_and_hsct(conditioning, hsct, rules):
    pr = [{"subject": "02", "PRDECOD": "CONDITIONING", "PRSTDTC": "2020-02-01"}]
    pr.append({"subject": "01", "PRDECOD": "HSCT", "PRSTDTC": hsct})
    if conditioning != "none":
        pr.append({"subject": "01", "PRDECOD": "CONDITIONING", "PRSTDTC": conditioning})
    assert [rule for rule, _ in crossed(dm=DM, ex=EX, pr=pr)] == rules


@pytest.mark.parametrize(
    ("word", "when", "rules"),
    [
        ("ICU DISCHARGE", "2020-01-04T09:59", ["icu-discharge-before-admission"]),
        ("ICU DISCHARGE", "2020-01-04T10:00", []),
        ("ICU DISCHARGE", "2020-01-04", []),
        ("ICU READMISSION", "2020-01-06", ["icu-readmission-before-discharge"]),
        ("ICU READMISSION", "2020-01-07", []),
        ("HOSPITAL DISCHARGE", "2020-01-06", ["hospital-discharge-before-icu-discharge"]),
        ("HOSPITAL DISCHARGE", "2020-01-07", []),
        ("HOSPITAL DISCHARGE", "2019-12-31", ["hospital-discharge-before-admission"]),
        ("HOSPITAL DISCHARGE", "2020-01", []),
    ],
)
def test_stays_in_order(word, when, rules):
    """Of a patient in hospital from 2 January, in intensive care from the 4th at 10:00; in two rows left on the 7th."""
    dm = [{"subject": "01", "HOSADTC": "2020-01-02", "ICUADTC": "2020-01-04T10:00"}]
    left = [{"subject": "01", "DSDECOD": "ICU DISCHARGE", "DSSTDTC": "2020-01-07T12:00"}]
    if word == "ICU DISCHARGE" or rules == ["hospital-discharge-before-admission"]:
        left = []
    ds = [*left, {"subject": "01", "DSDECOD": word, "DSSTDTC": when}]
    assert [rule for rule, _ in crossed(dm=dm, ex=[{"subject": "01", "EXSTDTC": "2020-01-05"}], ds=ds)] == rules


def test_a_trial_that_records_no_conditioning_is_not_asked_for_it():
    assert crossed(dm=DM, ex=EX, pr=[{"subject": "01", "PRDECOD": "HSCT", "PRSTDTC": "2020-02-28"}]) == []


@pytest.mark.parametrize(
    ("ae", "ds", "rules"),
    [
        ([{"subject": "02", "AETOXGR": "5"}], [], ["ae-fatal-alive"]),
        ([{"subject": "02", "AEOUT": "FATAL"}], [], ["ae-fatal-alive"]),
        ([{"subject": "01", "AETOXGR": "4"}], [DEATH], ["death-without-fatal-ae"]),
        ([{"subject": "01", "AEOUT": "FATAL"}], [DEATH], []),
        ([{"subject": "01", "AETOXGR": "3"}], [], []),
    ],
)
def test_fatal_events_and_deaths(ae, ds, rules):
    contact = {"subject": "02", "DSDECOD": "LAST CONTACT", "DSSTDTC": "2020-03-01"}
    assert [rule for rule, _ in crossed(dm=DM, ex=EX, ae=ae, ds=[contact, *ds])] == rules


MANIFEST = [
    {"subject": "01", "PRDECOD": "PK SAMPLE", "PRREFID": "A", "PRSTDTC": "2020-02-01T08:00"},
    {"subject": "02", "PRDECOD": "PK SAMPLE", "PRREFID": "B", "PRSTDTC": "2020-02-01T08:00"},
]


@pytest.mark.parametrize(
    ("subject", "sample", "when", "rules"),
    [
        ("01", "A", "2020-02-01T09:00", []),
        ("01", "A", "2020-02-02", ["sample-after-last-contact", "sample-date"]),
        ("01", "A", "2020-02", []),
        ("01", "B", "2020-02-01", ["sample-subject"]),
        ("01", "C", "2020-02-01", ["sample-unknown"]),
    ],
)
def test_samples(subject, sample, when, rules):
    pc = [{"subject": subject, "PCREFID": sample, "PCDTC": when}]
    assert [rule for rule, _ in crossed(dm=DM, ex=EX, pr=MANIFEST, pc=pc)] == rules


def test_without_a_sampling_form_no_sample_is_unknown():
    pc = [{"subject": "01", "PCREFID": "C", "PCDTC": "2020-01-02"}]
    assert crossed(dm=DM, ex=EX, pc=pc) == []


def test_a_date_long_before_the_consent():
    assert crossed(dm=DM, ex=EX, lb=[{"subject": "01", "LBDTC": "2018-12-30"}]) == [("long-before-consent", "01")]
    assert crossed(dm=DM, ex=EX, lb=[{"subject": "01", "LBDTC": "2019-01-01"}]) == []


def test_a_query_of_two_domains_at_one_cell_is_one():
    logs = []
    for domain in ("vs", "pe"):
        log = Log(CONTEXT.rules, domain)
        log.add("visit_unknown", [f"f.csv:2:V{'' if domain == 'vs' else ''}"], value="x", codelist="V")
        logs.append(pd.DataFrame(log.rows()))
    found = combine(logs, QUERIES)
    assert found[["query_id", "domain"]].values.tolist() == [["visit-unknown:f.csv:2:V", "pe, vs"]]
    assert combine([], RECONCILIATION).empty


def test_a_rule_speaks_once_per_cell():
    log = Log(CONTEXT.rules, "lb")
    log.add("number_invalid", ["f.csv:2:A"], value="x")
    log.add("number_invalid", ["f.csv:2:A", "f.csv:2:B"], value="x")
    assert [row["origin"] for row in log.rows()] == [["f.csv:2:A", "f.csv:2:B"]]
    assert log.rows()[0]["message"] == "x is no number; the value is null - correct the number"


def test_patient_numbers_may_hold_a_slash():
    dm = [{"subject": "01/001", "RFICDTC": "2020-01-03"}, {"subject": "02/001", "RFICDTC": "2020-01-01"}]
    ex = [{"subject": "01/001", "EXSTDTC": "2020-01-03"}, {"subject": "02/001", "EXSTDTC": "2020-01-02"}]
    assert crossed(dm=dm, ex=ex) == []
    assert crossed(dm=dm[:1], ex=ex) == [("subject-unknown", "02/001")]


def test_a_query_is_one_line_whatever_the_cell_holds():
    log = Log(CONTEXT.rules, "ae")
    log.add("code_unknown", ("f.csv:2:X",), value="a\nb {n} \u202e" + "x" * 5000, codelist="C")
    message = log.rows()[0]["message"]
    assert message.isprintable()
    assert len(message) <= 600
    assert "{n}" in message
