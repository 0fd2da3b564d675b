"""The simulated trial with an oral drug: same bytes, a prefix in the number of patients, a truth that holds together,
an ODM e-CRF whose snapshot and transactions end in the truth, defects on the lines where they are said to be."""

from __future__ import annotations

import csv
import datetime as dt
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from trialpipe.simulate import defects_odm, defects_pk, defects_plates
from trialpipe.simulate.kinetics_oral import Drug, levels
from trialpipe.simulate.main import simulate
from trialpipe.simulate.odm_items import CODELISTS, EVENTS, GROUPS, oid
from trialpipe.simulate.parameters import FOLDER, read_parameters

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "resources" / "extracts" / "r-hlh"
PARAMETERS = FOLDER / "r-hlh.yaml"
ODM = "{http://www.cdisc.org/ns/odm/v1.3}"
FILES = ("ecrf/rhlh_snapshot.xml", "ecrf/rhlh_transactions.xml")
PER_SUBJECT = ("patients", "findings", "response", "ae", "doses", "pk", "virus", "reactivation", "hlh2004")
Key = tuple[str, ...]


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8", newline="")))


def content(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("r-hlh")
    assert simulate(read_parameters(PARAMETERS), 20, 1, out) == set()
    return out


def test_committed_extracts_are_a_fresh_simulation(made: Path) -> None:
    fresh, stored = content(made), content(COMMITTED)
    assert sorted(fresh) == sorted(stored)
    assert [name for name in fresh if fresh[name] != stored[name]] == []
    assert sum(len(data) for data in stored.values()) < 6_000_000


def test_same_bytes_under_another_hash_seed(made: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    command = [sys.executable, "-m", "trialpipe.simulate.main", "--out", str(tmp_path), "--trial", "r-hlh"]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path)
    assert content(made) == content(tmp_path)


def test_more_patients_start_with_the_same_ones(made: Path, tmp_path: Path) -> None:
    simulate(read_parameters(PARAMETERS), 41, 1, tmp_path)
    for name in PER_SUBJECT:
        shorter, longer = rows(made / "truth" / f"{name}.csv"), rows(tmp_path / "truth" / f"{name}.csv")
        subjects = {row["subject"] for row in shorter}
        assert [row for row in longer if row["subject"] in subjects] == shorter, name


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_truth_holds_together(tmp_path: Path, seed: int) -> None:
    simulate(read_parameters(PARAMETERS), 20, seed, tmp_path)
    patients = rows(tmp_path / "truth" / "patients.csv")
    counts = Counter(row["state"] for row in patients)
    for row in rows(tmp_path / "truth" / "outcomes.csv"):
        if row["outcome"] == "survival-to-hsct" and row["item"] in counts:
            assert int(row["count"]) == counts[row["item"]]
    for row in patients:
        ordered = [row[k][:10] for k in ("consent", "inclusion", "first_dose", "conditioning", "hsct") if row[k]]
        assert ordered == sorted(ordered)
        assert row["last_alive"] <= "2027-11-30T12:00"
        assert not row["death"] or row["death"] == row["last_alive"]
        assert not row["conditioning"] or row["last_dose"][:10] < row["conditioning"]
        assert int(row["last_dose_day"]) <= 56
        assert row["state"] == expected_state(row)
    last = {row["subject"]: row["last_alive"] for row in patients}
    for name, item in (("findings", "datetime"), ("pk", "datetime"), ("ae", "onset"), ("virus", "date")):
        for row in rows(tmp_path / "truth" / f"{name}.csv"):
            assert row[item] <= last[row["subject"]], (name, row)


def expected_state(row: dict[str, str]) -> str:
    """Ruling 8, from the dates alone."""
    limit = dt.date.fromisoformat(row["first_dose"][:10]) + dt.timedelta(days=56)
    by_then = {k: row[k] for k in ("hsct", "death") if row[k] and row[k][:10] <= limit.isoformat()}
    if by_then:
        return "reached" if min(by_then, key=lambda k: by_then[k]) == "hsct" else "dead"
    return "lost" if row["lost"] == "Y" and row["last_alive"][:10] < limit.isoformat() else "alive"


def test_every_end_and_deviation_occurs(made: Path) -> None:
    patients = rows(made / "truth" / "patients.csv")
    fates = {row["fate"] for row in patients}
    assert fates == {"dead", "conditioning_death", "lost", "late_hsct", "not_transplanted", "transplanted"}
    assert any(row["priortrt"] == "Y" for row in patients)
    eligible = [row["eligible"] for row in rows(made / "truth" / "hlh2004.csv") if row["reading"] == "baseline"]
    assert eligible.count("N") == 1
    classes = {row["class"] for row in rows(made / "truth" / "virus.csv")}
    assert classes == {"none", "de novo", "worsening", "unclassifiable"}
    assert {row["status"] for row in rows(made / "truth" / "reactivation.csv")} == {"reactivated", "none"}


def test_levels_are_those_of_the_differential_equations() -> None:
    """Gut and plasma of one compartment with first-order absorption, step by step; slower clearance later."""
    drug = Drug(7.8, 28.0, 1.6, (20.0, 40.0), 0.5)
    doses = [(0.0, 10.0), (12.0, 10.0), (24.0, 5.0)]
    times = [0.0, 2.0, 12.0, 13.5, 24.0, 26.0, 50.0]
    step, gut, plasma, expected = 1 / 2000, 0.0, 0.0, {}
    for k in range(int(50 / step) + 1):
        hour = round(k * step, 6)
        if hour in times:
            expected[hour] = 1000 * plasma / 28
        gut += sum(mg for when, mg in doses if when == hour)
        clearance = 3.9 if 20 <= hour < 40 else 7.8
        plasma += step * (1.6 * gut - clearance / 28 * plasma)
        gut -= step * 1.6 * gut
    assert levels(drug, doses, times) == pytest.approx([expected[hour] for hour in times], rel=2e-3)


def trees(folder: Path) -> list[ElementTree.Element]:
    return [ElementTree.parse(folder / name).getroot() for name in FILES]


def test_files_are_odm_with_complete_metadata(made: Path) -> None:
    for root, kind in zip(trees(made), ("Snapshot", "Transactional"), strict=True):
        assert (root.get("FileType"), root.get("ODMVersion")) == (kind, "1.3.2")
        oids = [element.get("OID") for element in root.iter() if element.get("OID")]
        assert len(oids) == len(set(oids))
        for element in root.iter():
            for name, value in element.attrib.items():
                if name.endswith("OID") and name not in ("OID", "FileOID", "PriorFileOID"):
                    assert value in oids or value in ("", "V3 bis"), (element.tag, name, value)
        types = {item.get("DataType") for item in root.iter(f"{ODM}ItemDef")}
        assert types == {"date", "partialDate", "incompleteDate", "datetime", "time", "float", "integer", "text"}


def test_one_start_tag_of_an_item_group_per_line(made: Path) -> None:
    for name in FILES:
        for line in (made / name).read_text(encoding="utf-8").split("\n"):
            assert line.count("<ItemGroupData ") <= 1
            assert "<ItemGroupData " not in line or line.strip().startswith("<ItemGroupData ")


def state(folder: Path) -> dict[Key, dict[str, str]]:
    """Item groups after snapshot and transactions, applied in their order."""
    found: dict[Key, dict[str, str]] = {}
    for root in trees(folder):
        for subject in root.iter(f"{ODM}SubjectData"):
            for event in subject.iter(f"{ODM}StudyEventData"):
                for form in event.iter(f"{ODM}FormData"):
                    for group in form.iter(f"{ODM}ItemGroupData"):
                        path = (subject, event, form, group)
                        _apply(found, tuple(v for e in path for k, v in e.attrib.items() if "Transac" not in k), group)
    return found


def _apply(found: dict[Key, dict[str, str]], key: Key, group: ElementTree.Element) -> None:
    kind = group.get("TransactionType")
    if kind == "Remove":
        del found[key]
        return
    assert (key in found) == (kind == "Update"), (key, kind)
    own = found.setdefault(key, {})
    for item in group.iter(f"{ODM}ItemData"):
        if item.get("TransactionType") == "Remove" or item.get("IsNull") == "Yes":
            own.pop(item.attrib["ItemOID"], None)
        else:
            own[item.attrib["ItemOID"]] = item.attrib["Value"]


def test_transactions_lead_to_the_truth(made: Path) -> None:
    """Counts of rows and codes of the final state against the truth, defects that add or move rows put aside."""
    groups = Counter(next(part for part in key if part.startswith("IG.")) for key in state(made))
    truth = {name: len(rows(made / "truth" / f"{name}.csv")) for name in ("patients", "ae", "doses")}
    added = Counter(d["sheet"] for d in planted(made) if d["kind"] in ("duplicate_repeat", "subject_not_included"))
    assert groups["IG.DM"] == groups["IG.EOS"] == truth["patients"]
    assert groups["IG.AE"] == truth["ae"] + added["IG.AE"]
    assert groups["IG.EX"] == truth["doses"]
    untouched = {(d["sheet"], d["subject"]) for d in planted(made)}
    response = {"CR": "1", "PR": "2", "NR": "3"}
    assert set(response.values()) == set(CODELISTS["CL.RESP"])
    hsct = {row["subject"]: row["hsct"] for row in rows(made / "truth" / "patients.csv")}
    for key, items in state(made).items():
        if "IG.PR" in key and ("IG.PR", key[0]) not in untouched:
            assert items.get("IT.PR.HSCTDTM", "")[:16] == hsct[key[0]]


def test_transactions_say_who_where_when_and_why(made: Path) -> None:
    root = trees(made)[1]
    kinds: Counter[str] = Counter()
    for group in root.iter(f"{ODM}ItemGroupData"):
        audit = group.find(f"{ODM}AuditRecord")
        assert audit is not None
        assert group[0] is audit
        kind = group.attrib["TransactionType"]
        kinds[kind] += 1
        reason = audit.find(f"{ODM}ReasonForChange")
        assert (reason is not None) == (kind in ("Update", "Remove"))
    assert set(kinds) == {"Insert", "Update", "Upsert", "Remove"}
    stamps = [element.text or "" for element in root.iter(f"{ODM}DateTimeStamp")]
    assert stamps == sorted(stamps)
    assert stamps[-1] < (root.get("CreationDateTime") or "")


def planted(folder: Path) -> list[dict[str, str]]:
    return rows(folder / "truth" / "defects.csv")


def odm_cell(folder: Path, defect: dict[str, str]) -> str:
    """Text of an item in the item group whose start tag stands on the defect's line."""
    lines = (folder / defect["file"]).read_text(encoding="utf-8").split("\n")
    start = int(defect["row"]) - 1
    assert f'ItemGroupOID="{defect["sheet"]}"' in lines[start], defect
    if defect["item"] == "SubjectKey":
        above = next(line for line in reversed(lines[:start]) if "<SubjectData " in line)
        return re.findall('SubjectKey="([^"]*)"', above)[0]
    stop = next(k for k in range(start, len(lines)) if "</ItemGroupData>" in lines[k])
    item = defect["item"].removesuffix("__UNIT")
    found = [line for line in lines[start:stop] if f'ItemOID="{item}"' in line]
    if not found:
        return ""
    if item != defect["item"]:
        return "unit" if "MeasurementUnitRef" in found[0] else ""
    return ElementTree.fromstring(found[0]).get("Value", "")


def test_defects_are_where_they_are_said_to_be(made: Path) -> None:
    for defect in planted(made):
        if defect["file"].endswith(".xml"):
            assert odm_cell(made, defect) == defect["planted"], defect
        elif defect["file"].startswith("pk/"):
            table = list(csv.reader((made / defect["file"]).open(encoding="utf-8", newline="")))
            assert table[int(defect["row"]) - 1][table[0].index(defect["item"])] == defect["planted"], defect
        elif defect["file"].endswith(".zip"):
            with zipfile.ZipFile(made / defect["file"]) as archive:
                assert defect["sheet"] in archive.namelist()
    assert len({defect["kind"] for defect in planted(made)}) >= 60
    assert {defect["determines"] for defect in planted(made)} == {"equal", "flagged_null", "undetermined"}


def test_no_defect_stands_on_a_corrected_row(made: Path) -> None:
    """A row of the snapshot that a transaction changes has one place only as long as it carries no defect."""
    changed = set()
    for subject in trees(made)[1].iter(f"{ODM}SubjectData"):
        for group in subject.iter(f"{ODM}ItemGroupData"):
            if group.get("TransactionType") == "Update":
                changed.add((subject.attrib["SubjectKey"], group.attrib["ItemGroupOID"]))
    lines = (made / FILES[0]).read_text(encoding="utf-8").split("\n")
    assert changed
    for defect in planted(made):
        if defect["file"] == FILES[1]:
            text = (made / FILES[1]).read_text(encoding="utf-8").split("\n")[int(defect["row"]) - 1]
            assert 'TransactionType="Update"' not in text
            assert 'TransactionType="Remove"' not in text
        elif defect["file"] == FILES[0]:
            assert "<ItemGroupData " in lines[int(defect["row"]) - 1]


def test_undefective_haemoglobin_is_that_of_the_truth(made: Path) -> None:
    wrong = {d["subject"] for d in planted(made) if d["sheet"] == "IG.LB"}
    truth = {
        (r["subject"], r["visit"]): float(r["value"])
        for r in rows(made / "truth" / "findings.csv")
        if r["test"] == "HGB" and r["measured"] == "yes"
    }
    checked = 0
    for key, items in state(made).items():
        site, event = key[0][:2], key[1].removeprefix("SE.")
        if "IG.LB" in key and key[0] not in wrong and "IT.LB.HGB" in items:
            factor = 1 if site in ("05", "08") else 10
            assert float(items["IT.LB.HGB"]) * factor == pytest.approx(truth[key[0], event])
            checked += 1
    assert checked >= 20


def test_every_kind_has_a_maker_and_a_known_rule() -> None:
    p = read_parameters(PARAMETERS)
    makers = {**defects_odm.MAKERS, **defects_pk.MAKERS, **defects_plates.MAKERS}
    assert sorted(entry["kind"] for entry in p.defects) == sorted(makers)
    text = (ROOT / "resources" / "reference" / "checks.csv").read_text(encoding="utf-8")
    checks = {row["id"] for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))}
    assert {entry["rule"] for entry in p.defects} - checks == {""}


def test_contracted_items_are_there() -> None:
    assert len(EVENTS) == 17
    assert oid("IG.LB", "HGB") == "IT.LB.HGB"
    assert [item.name for item in GROUPS["IG.MB"].items] == ["DT", "VIRUS", "RESULT", "UNIT", "QUAL", "ORGAN"]
    assert {name for name, group in GROUPS.items() if group.repeating} == {
        "IG.EX", "IG.CM", "IG.MB", "IG.AE", "IG.SAMP",
    }  # fmt: skip
