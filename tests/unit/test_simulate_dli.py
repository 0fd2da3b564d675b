"""The simulated trial of donor lymphocyte infusions: same bytes, a prefix in the number of patients, a truth that holds
together, transport files that other readers agree on, defects in the cells where they are said to be."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trialpipe.simulate import defects_dli, gvhd_truth, xport_file
from trialpipe.simulate.course_prophylactic_dli import patients
from trialpipe.simulate.main import simulate
from trialpipe.simulate.parameters import FOLDER, read_parameters
from trialpipe.simulate.recipient import ORGANS, Acute, Chronic
from trialpipe.simulate.trialmaster_forms import ADMIN, CODELISTS, FORMS
from trialpipe.simulate.write_trialmaster import PROGRAM

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "resources" / "extracts" / "elit-aml01"
PARAMETERS = FOLDER / "elit-aml01.yaml"
ARCHIVE = "trialmaster/ELIT-AML01_Export_SAS_XPORT_2028_06_15_10_30.zip"
PER_SUBJECT = ("patients", "gvhd", "gvhd_records", "grfs", "dli", "dli_doses", "imm", "findings", "medications", "ae")
CUTOFF = "2028-05-31"


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8", newline="")))


def table(folder: Path, name: str) -> list[dict[str, str]]:
    return rows(folder / "truth" / f"{name}.csv")


def content(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def members(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / ARCHIVE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def form(folder: Path, name: str) -> pd.DataFrame:
    """A form as pandas reads it."""
    data = io.BytesIO(members(folder)[f"{name}.xpt"])
    return pd.read_sas(data, format="xport", encoding=xport_file.ENCODING)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("elit-aml01")
    assert simulate(read_parameters(PARAMETERS), 124, 1, out) == set()
    return out


def test_committed_extracts_are_a_fresh_simulation(made: Path) -> None:
    fresh, stored = content(made), content(COMMITTED)
    assert sorted(fresh) == sorted(stored)
    assert [name for name in fresh if fresh[name] != stored[name]] == []
    assert sum(len(data) for data in stored.values()) < 3_000_000


def test_same_bytes_under_another_hash_seed_and_locale(made: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    environment |= {"LC_ALL": "C", "TZ": "Pacific/Auckland"}
    command = [sys.executable, "-m", "trialpipe.simulate.main", "--out", str(tmp_path), "--trial", "elit-aml01"]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path)
    assert content(made) == content(tmp_path)


def test_more_patients_start_with_the_same_ones(made: Path, tmp_path: Path) -> None:
    simulate(read_parameters(PARAMETERS), 150, 1, tmp_path)
    for name in PER_SUBJECT:
        shorter, longer = table(made, name), table(tmp_path, name)
        subjects = {row["subject"] for row in table(made, "patients")}
        assert [row for row in longer if row["subject"] in subjects] == shorter, name


@pytest.mark.parametrize("n", [1, 5])
def test_few_patients(tmp_path: Path, n: int) -> None:
    simulate(read_parameters(PARAMETERS), n, 1, tmp_path)
    assert len(table(tmp_path, "patients")) == n
    assert len(form(tmp_path, "PAT")) == n


def test_arms_are_balanced_within_strata(made: Path) -> None:
    """Permuted blocks of four: in no stratum do the arms differ by more than two at any moment."""
    order = sorted(table(made, "patients"), key=lambda row: row["randomisation"])
    assert [row["randomised"] for row in order] == sorted(row["randomised"] for row in order)
    lead: Counter[tuple[str, str]] = Counter()
    for row in order:
        stratum = (row["stratum_donor"], row["stratum_disease"])
        lead[stratum] += 1 if row["arm"] == "A" else -1
        assert abs(lead[stratum]) <= 2
    assert len(lead) == 6


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_truth_holds_together(tmp_path: Path, seed: int) -> None:
    simulate(read_parameters(PARAMETERS), 124, seed, tmp_path)
    known = {row["subject"]: row for row in table(tmp_path, "patients")}
    for row in known.values():
        check_patient(row)
    for name, item in (
        ("gvhd_records", "date"),
        ("dli_doses", "date"),
        ("imm", "date"),
        ("ae", "onset"),
        ("ae", "end"),
    ):
        for row in table(tmp_path, name):
            assert row[item] <= known[row["subject"]]["last_news"], (name, row)
    for row in table(tmp_path, "ae"):
        assert row["day"] >= "0"
        assert not row["end"] or row["end"] >= row["onset"]
    fatal = Counter(row["subject"] for row in table(tmp_path, "ae") if row["grade"] == "5")
    assert fatal == Counter(subject for subject, row in known.items() if row["death"])


def check_patient(row: dict[str, str]) -> None:
    """Dates in order, times and event codes from the dates alone (ruling 10)."""
    day = {k: (dt.date.fromisoformat(row[k]) - dt.date.fromisoformat(row["randomised"])).days
           for k in ("hsct", "relapse", "second_hsct", "death", "last_news") if row[k]}  # fmt: skip
    assert day["hsct"] < 0
    assert row["included"] <= row["randomised"] <= row["last_assessment"] or row["last_assessment"] == row["included"]
    assert row["last_assessment"] <= row["last_news"] <= CUTOFF
    assert not row["death"] or row["death"] == row["last_news"]
    assert (row["status"] == "DEAD") == bool(row["death"]) == bool(row["cause"])
    assert not row["second_hsct"] or day["second_hsct"] > day["relapse"]
    assert day.get("relapse", 0) <= day.get("death", 9999)
    assert (int(row["os_time"]), row["os_event"]) == (day["last_news"], "1" if row["death"] else "0")
    seen = int(row["last_assessment_day"])
    time, kinds = seen, ("0", "0", "0")
    if row["relapse"]:
        time, kinds = day["relapse"], ("1", "1", "2")
    elif row["death"]:
        time, kinds = day["death"], ("1", "2", "1")
    assert [int(row[f"{name}_time"]) for name in ("lfs", "relapse", "nrm")] == [time] * 3
    assert (row["lfs_event"], row["relapse_event"], row["nrm_event"]) == kinds


def test_survival_is_about_as_planned() -> None:
    """Leukaemia-free at 730 days about .70 and .50 in many patients: without the lost a plain share."""
    met: dict[str, list[bool]] = {"A": [], "B": []}
    for who in patients(read_parameters(PARAMETERS), 496, 5):
        first = min((d for d in (who.days.relapse, who.days.death) if d is not None), default=10**6)
        if first <= 730 or who.days.lost is None or who.days.lost > 730:
            met[who.arm].append(first > 730)
    assert np.mean(met["A"]) == pytest.approx(0.70, abs=0.06)
    assert np.mean(met["B"]) == pytest.approx(0.50, abs=0.06)


def test_every_end_occurs(made: Path) -> None:
    known = table(made, "patients")
    assert {row["status"] for row in known} == {"ALIVE", "DEAD", "LOST"}
    assert {row["cause"] for row in known} == {"", *CODELISTS["$CAUSE"]}
    assert sum(bool(row["second_hsct"]) for row in known) >= 2
    assert any(row["worst_acute_magic"] == "4" and row["worst_acute_glucksberg"] == "3" for row in known)
    given = table(made, "dli")
    assert {row["number"] for row in given if row["arm"] == "A"} == {"0", "1", "2", "3"}
    assert {row["number"] for row in given if row["arm"] == "B"} == {"0"}
    assert len({row["reason_none"] for row in given}) >= 4
    assert {row["component"] for row in table(made, "grfs")} == {"", "acute_gvhd", "chronic_gvhd", "relapse", "death"}


def test_infusions_are_six_to_eight_weeks_apart(made: Path) -> None:
    days: dict[str, list[int]] = {}
    for row in table(made, "dli_doses"):
        days.setdefault(row["subject"], []).append(int(row["day"]))
    gaps = [later - earlier for own in days.values() for earlier, later in zip(own, own[1:], strict=False)]
    assert gaps
    assert all(42 <= gap <= 56 for gap in gaps)


# skin, liver, upper gut, lower gut: MAGIC, modified Glucksberg; printed tables of Harris 2016 and Przepiorka 1995
ACUTE = [
    ((0, 0, 0, 0), 0, 0), ((1, 0, 0, 0), 1, 1), ((2, 0, 0, 0), 1, 1), ((3, 0, 0, 0), 2, 2), ((0, 1, 0, 0), 2, 2),
    ((0, 0, 1, 0), 2, 2), ((0, 0, 0, 1), 2, 2), ((2, 2, 0, 0), 3, 3), ((0, 3, 0, 0), 3, 3), ((0, 0, 0, 2), 3, 3),
    ((0, 0, 0, 3), 3, 3), ((0, 0, 0, 4), 4, 3), ((4, 0, 0, 0), 4, 4), ((0, 4, 0, 0), 4, 4), ((3, 1, 1, 1), 2, 2),
]  # fmt: skip
CHRONIC = [  # scores that are not 0: NIH 2014, Jagasia 2015
    ({}, 0), ({"SKIN": 1}, 1), ({"SKIN": 1, "MOUTH": 1}, 1), ({"SKIN": 1, "MOUTH": 1, "EYES": 1}, 2), ({"GI": 2}, 2),
    ({"LUNG": 1}, 2), ({"LUNG": 2}, 3), ({"LUNG": 3}, 3), ({"JOINT": 3}, 3), ({"SKIN": 2, "MOUTH": 1}, 2),
]  # fmt: skip


@pytest.mark.parametrize(("stages", "magic", "glucksberg"), ACUTE)
def test_acute_grades(stages: tuple[int, int, int, int], magic: int, glucksberg: int) -> None:
    record = Acute(dt.date(2021, 1, 1), *stages, 0, 0, 0, False)
    assert gvhd_truth.acute_grade(gvhd_truth.MAGIC, record) == magic
    assert gvhd_truth.acute_grade(gvhd_truth.GLUCKSBERG, record) == glucksberg


@pytest.mark.parametrize(("scores", "severity"), CHRONIC)
def test_chronic_severity(scores: dict[str, int], severity: int) -> None:
    record = Chronic(dt.date(2021, 1, 1), {**dict.fromkeys(ORGANS, 0), **scores}, 90, False)
    assert gvhd_truth.nih(record) == severity


def test_gvhd_leads_where_it_was_meant_to(made: Path) -> None:
    """The worst grade of the records is never worse than the course's, and measures fit their stages."""
    for who in patients(read_parameters(PARAMETERS), 124, 1):
        worst = max((gvhd_truth.acute_grade(gvhd_truth.MAGIC, r) for r in who.acute), default=0)
        assert worst <= (who.severity[0] if who.days.acute is not None else 0)
        assert max(map(gvhd_truth.nih, who.chronic), default=0) <= who.severity[1]
        for r in who.acute:
            bilirubin = sum(r.bilirubin >= limit for limit in (34, 52, 103, 258))
            assert bilirubin == r.liver
            assert r.lower == 4 or sum(r.volume >= limit for limit in (500, 1000, 1501)) == r.lower
            assert (r.area > 50) == (r.skin >= 3)
            assert (r.area >= 25) == (r.skin >= 2)
        for c in who.chronic:
            assert sum(c.fev1 < limit for limit in (80, 60, 40)) == c.scores["LUNG"]


def test_ibm_floats() -> None:
    """Examples of TS-140 and of the System/360 manual; then the way back."""
    assert xport_file.ibm(1).hex() == "4110000000000000"
    assert xport_file.ibm(-118.625).hex() == "c276a00000000000"
    assert xport_file.ibm(0) == bytes(8)
    assert xport_file.ibm(0.1).hex() == "401999999999999a"
    for value in (*np.geomspace(1e-6, 1e9, 50), -3.5, 23999.0, 2**52 + 1.0):
        raw = xport_file.ibm(float(value))
        back = (-1) ** (raw[0] >> 7) * int.from_bytes(raw[1:], "big") / 16**14 * 16.0 ** ((raw[0] & 127) - 64)
        assert back == value
    with pytest.raises(ValueError, match="beyond"):
        xport_file.ibm(1e80)


def test_longer_text_than_its_variable_is_refused() -> None:
    variables = [xport_file.Variable("A", "a", "char", 3)]
    with pytest.raises(ValueError, match="longer than 3"):
        xport_file.file("X", "x", variables, [["abcd"]], dt.datetime(2028, 1, 1))


def test_records_of_eighty_bytes_with_names_and_labels_that_fit(made: Path) -> None:
    for name, data in members(made).items():
        if name != PROGRAM:
            assert len(data) % 80 == 0
            assert data.count(b"15JUN28:10:30:00") == 4
    for name, (title, variables) in FORMS.items():
        assert max(len(text) for text in (name, *(v.name for v in variables))) <= 8
        assert max(len(text) for text in (title, *(v.label for v in variables))) <= 40


def cells(folder: Path, name: str) -> list[dict[str, str]]:
    """A form by pandas, as text: dates ISO (pandas leaves days and seconds since 1960 as numbers), figures plain."""
    kinds = {v.name: v.kind for v in (*ADMIN, *FORMS[name][1])}
    records = form(folder, name).to_dict("records")
    return [{column: plain(value, kinds[column]) for column, value in record.items()} for record in records]


def plain(value: object, kind: str) -> str:
    if pd.isna(value):
        return ""
    if kind == "char":
        return str(value)
    if kind == "date":
        return (dt.date(1960, 1, 1) + dt.timedelta(days=float(str(value)))).isoformat()
    if kind == "moment":
        return (dt.datetime(1960, 1, 1) + dt.timedelta(seconds=float(str(value)))).isoformat()
    return f"{value:.10g}"


@pytest.mark.parametrize("name", list(FORMS))
def test_second_reader_agrees(made: Path, tmp_path: Path, name: str) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    path = tmp_path / f"{name}.xpt"
    path.write_bytes(members(made)[f"{name}.xpt"])
    encoding = "WINDOWS-1252"
    values, meta = pyreadstat.read_xport(str(path), encoding=encoding, disable_datetime_conversion=True)
    mine = form(made, name)
    title, own = FORMS[name]
    assert (meta.table_name, meta.file_label) == (name, title)
    for v in own:
        assert meta.column_names_to_labels[v.name] == v.label
        shown = f"{v.format[0]}{v.format[1] or ''}"
        assert not shown or meta.original_variable_types[v.name] == shown
    pd.testing.assert_frame_equal(values.replace("", np.nan), mine.replace("", np.nan), check_dtype=False)


def test_code_lists_are_used_and_complete(made: Path) -> None:
    program = members(made)[PROGRAM].decode(xport_file.ENCODING)
    assert program.startswith("proc format;")
    spoilt = {(d["sheet"], d["item"], d["planted"]) for d in table(made, "defects")}
    for name, (_, own) in FORMS.items():
        for v in own:
            if v.format[0] in CODELISTS:
                assert f"value {v.format[0]}\r\n" in program
                texts = {row[v.name] for row in cells(made, name)} - {""}
                known = set(CODELISTS[v.format[0]])
                assert {text for text in texts if (name, v.name, text) not in spoilt} <= known, (name, v.name)


def test_defects_are_where_they_are_said_to_be(made: Path) -> None:
    forms = {name: cells(made, name) for name in FORMS}
    planted = table(made, "defects")
    for defect in planted:
        assert defect["file"] == ARCHIVE
        row = forms[defect["sheet"]][int(defect["row"]) - 1]
        assert row[defect["item"]] == defect["planted"], defect
        assert row["PTNO"] == defect["subject"] or defect["item"] == "PTNO", defect
    assert len({defect["kind"] for defect in planted}) >= 40
    assert {defect["determines"] for defect in planted} == {"equal", "flagged_null", "undetermined"}


def test_without_defects_the_forms_are_the_truth(made: Path) -> None:
    """Rows per form and every milestone; cells with a defect put aside."""
    planted = table(made, "defects")
    wrong = {(d["sheet"], d["subject"]) for d in planted}
    added = Counter(d["sheet"] for d in planted if not d["original"])
    truth = {name: table(made, name) for name in PER_SUBJECT}
    infused = {row["subject"]: [] for row in truth["patients"]}
    for row in truth["dli_doses"]:
        infused[row["subject"]].append(row)
    assert len(cells(made, "AE")) == len(truth["ae"]) + added["AE"]
    assert len(cells(made, "DLI")) == len(truth["dli_doses"]) + added["DLI"]
    assert len(cells(made, "AGVHD")) + len(cells(made, "CGVHD")) == len(truth["gvhd_records"])
    ends = {row["PTNO"]: row for row in cells(made, "END")}
    arms = {row["PTNO"]: row for row in cells(made, "RAND")}
    for row in truth["patients"]:
        number = row["subject"]
        if ("END", number) not in wrong:
            end = [ends[number][item] for item in ("LASTDT", "DTHDT", "STATUS", "CAUSE")]
            assert end == [row[item] for item in ("last_news", "death", "status", "cause")]
        assert (arms[number]["ARM"], arms[number]["RANDDT"]) == (row["arm"], row["randomised"])
    for row in cells(made, "DLI"):
        if ("DLI", row["PTNO"]) not in wrong:
            expected = infused[row["PTNO"]].pop(0)
            assert row["DLIDT"] == expected["date"]
            assert float(row["CD3"]) * 10 ** (int(row["CD3EXP"]) - 6) == pytest.approx(
                float(expected["cells"]), rel=1e-5
            )


def test_relapses_and_evaluations_are_those_of_the_truth(made: Path) -> None:
    wrong = {d["subject"] for d in table(made, "defects") if d["sheet"] == "EVAL"}
    known = {row["subject"]: row for row in table(made, "patients")}
    relapses, last = {}, {}
    for row in cells(made, "EVAL"):
        if row["PTNO"] in wrong:
            continue
        when = dt.datetime.strptime(row["EVALDT"].title(), "%d%b%Y").date().isoformat()
        last[row["PTNO"]] = max(last.get(row["PTNO"], ""), when)
        assert (row["RELAPSE"] == "Y") == bool(row["RELDT"])
        if row["RELDT"]:
            relapses[row["PTNO"]] = row["RELDT"]
    sound = [row for subject, row in known.items() if subject not in wrong]
    assert {row["subject"]: row["relapse"] for row in sound if row["relapse"]} == relapses
    assert {row["subject"]: row["last_assessment"] for row in sound} == last


def test_outcomes_count_what_the_others_list(made: Path) -> None:
    found = {(row["outcome"], row["item"], row["arm"]): int(row["count"]) for row in table(made, "outcomes")}
    for arm in "AB":
        own = [row for row in table(made, "patients") if row["arm"] == arm]
        dead = sum(row["death"] != "" and int(row["death_day"]) <= 730 for row in own)
        assert found["os", "events by day 730", arm] == dead
        assert found["lfs", "events", arm] == found["relapse", "events", arm] + found["nrm", "events", arm]
        assert sum(found["dli", f"{k} infusions", arm] for k in range(4)) == len(own) == found["randomised", "n", arm]


def test_every_kind_has_a_maker_and_a_known_rule() -> None:
    p = read_parameters(PARAMETERS)
    assert sorted(entry["kind"] for entry in p.defects) == sorted(defects_dli.MAKERS)
    text = (ROOT / "resources" / "reference" / "checks.csv").read_text(encoding="utf-8")
    checks = {row["id"] for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))}
    assert {entry["rule"] for entry in p.defects} - checks == {""}
