"""The simulator: same bytes, a prefix in the number of patients, a truth that holds together, defects in place."""

from __future__ import annotations

import csv
import datetime as dt
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from trialpipe.simulate import defects_assay, defects_ecrf
from trialpipe.simulate.main import simulate
from trialpipe.simulate.parameters import FOLDER, read_parameters

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "resources" / "extracts" / "c-hlh"
PARAMETERS = FOLDER / "c-hlh.yaml"
PER_SUBJECT = ("patients", "findings", "response", "ae", "doses", "pk", "cytokines")


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8", newline="")))


def content(folder: Path) -> dict[str, object]:
    """Every file as bytes; a workbook as its parts, since compression may differ between builds of zlib."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                found[path.relative_to(folder).as_posix()] = {n: archive.read(n) for n in archive.namelist()}
        elif path.suffix == ".csv":
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("c-hlh")
    assert simulate(read_parameters(PARAMETERS), 29, 1, out) == set()
    return out


def test_committed_extracts_are_a_fresh_simulation(made: Path) -> None:
    fresh, stored = content(made), content(COMMITTED)
    assert sorted(fresh) == sorted(stored)
    assert [name for name in fresh if fresh[name] != stored[name]] == []


def test_same_bytes_under_another_hash_seed(made: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    command = [sys.executable, "-m", "trialpipe.simulate.main", "--out", str(tmp_path), "--trial", "c-hlh"]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path)
    names = sorted(p.relative_to(made) for p in made.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert [name for name in names if (made / name).read_bytes() != (tmp_path / name).read_bytes()] == []


@pytest.mark.parametrize("n", [30, 61])
def test_more_patients_start_with_the_same_ones(made: Path, tmp_path: Path, n: int) -> None:
    simulate(read_parameters(PARAMETERS), n, 1, tmp_path)
    for name in PER_SUBJECT:
        shorter, longer = rows(made / "truth" / f"{name}.csv"), rows(tmp_path / "truth" / f"{name}.csv")
        subjects = {row["subject"] for row in shorter}
        kept = [row for row in longer if row["subject"] in subjects]
        if name == "cytokines":  # a further plate repeats the last sample of the plate before
            kept = [row for row in kept if row in shorter]
        assert kept == shorter, name


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_truth_holds_together(tmp_path: Path, seed: int) -> None:
    simulate(read_parameters(PARAMETERS), 29, seed, tmp_path)
    patients = rows(tmp_path / "truth" / "patients.csv")
    counts = {row["item"]: int(row["count"]) for row in rows(tmp_path / "truth" / "outcomes.csv") if not row["visit"]}
    assert counts["n"] == len(patients) == 29
    assert sum(counts[state] for state in ("reached", "alive", "dead", "lost")) == 29
    assert counts["success"] == counts["reached"] + counts["alive"]
    for row in patients:
        ordered = [row[k][:10] for k in ("consent", "inclusion", "first_dose", "conditioning", "hsct") if row[k]]
        assert ordered == sorted(ordered)
        assert row["last_alive"] <= "2020-05-20T12:00"
        assert not row["death"] or row["death"] == row["last_alive"]
        assert row["state"] == expected_state(row)


def expected_state(row: dict[str, str]) -> str:
    """Ruling 7, from the dates alone."""
    limit = dt.date.fromisoformat(row["first_dose"][:10]) + dt.timedelta(days=122)
    by_then = {k: row[k] for k in ("hsct", "death") if row[k] and row[k][:10] <= limit.isoformat()}
    if by_then:
        return "reached" if min(by_then, key=lambda k: by_then[k]) == "hsct" else "dead"
    return "lost" if row["lost"] == "Y" and row["last_alive"][:10] < limit.isoformat() else "alive"


def test_every_end_occurs(made: Path) -> None:
    fates = Counter(row["fate"] for row in rows(made / "truth" / "patients.csv"))
    assert set(fates) == {"dead", "conditioning_death", "lost", "late_hsct", "not_transplanted", "transplanted"}
    patients = rows(made / "truth" / "patients.csv")
    assert 1 <= sum(row["neonate"] == "Y" for row in patients) <= 3
    assert max(int(row["age_years"]) for row in patients) <= 17
    days = [int(row["hsct_day"]) for row in patients if row["state"] == "reached"]
    assert len(days) >= 15
    assert min(days) >= 35
    assert max(days) <= 112


def test_nothing_is_recorded_after_the_last_news(made: Path) -> None:
    last = {row["subject"]: row["last_alive"] for row in rows(made / "truth" / "patients.csv")}
    for name, item in (("findings", "datetime"), ("pk", "datetime"), ("cytokines", "datetime"), ("ae", "onset")):
        for row in rows(made / "truth" / f"{name}.csv"):
            assert row[item] <= last[row["subject"]], (name, row)


def test_sicker_patients_miss_more(tmp_path: Path) -> None:
    """By construction; dead before HSCT stand for sicker."""
    simulate(read_parameters(PARAMETERS), 290, 7, tmp_path)
    dead = {r["subject"] for r in rows(tmp_path / "truth" / "patients.csv") if r["fate"] == "dead"}
    found = [
        r for r in rows(tmp_path / "truth" / "findings.csv") if r["visit"] in ("J7", "J14") and r["specimen"] == "BLOOD"
    ]
    missing = {
        group: [r["measured"] == "no" for r in found if (r["subject"] in dead) == group] for group in (True, False)
    }
    assert sum(missing[True]) / len(missing[True]) > 1.15 * sum(missing[False]) / len(missing[False])


def cell(folder: Path, defect: dict[str, str]) -> str:
    line = int(defect["row"])
    if defect["sheet"]:
        import openpyxl

        sheet = openpyxl.load_workbook(folder / defect["file"])[defect["sheet"]]
        header = next(r for r in range(1, 40) if sheet.cell(r, 1).value == "Type")
        column = next(c for c in range(1, 20) if sheet.cell(header, c).value == defect["item"])
        value = sheet.cell(line, column).value
        return "" if value is None else str(value)
    lines = (folder / defect["file"]).read_bytes().decode("cp1252").split("\r\n")
    table = list(csv.reader(lines, delimiter=";"))
    return table[line - 1][table[0].index(defect["item"])]


def test_defects_are_where_they_are_said_to_be(made: Path) -> None:
    planted = rows(made / "truth" / "defects.csv")
    for defect in planted:
        assert cell(made, defect) == defect["planted"], defect
    assert 60 <= len({defect["id"] for defect in planted}) <= 110
    assert len({defect["kind"] for defect in planted}) >= 25
    assert {defect["determines"] for defect in planted} == {"equal", "flagged_null", "undetermined"}


def test_undefective_results_say_the_truth(made: Path) -> None:
    """Haemoglobin of the raw form, in g/L, is that of the truth wherever no defect was planted in its row."""
    planted = {int(d["row"]) for d in rows(made / "truth" / "defects.csv") if d["file"] == "ecrf/BIOLOGIE.csv"}
    truth = {
        (r["subject"], r["visit"]): float(r["value"])
        for r in rows(made / "truth" / "findings.csv")
        if r["test"] == "HGB" and r["measured"] == "yes"
    }
    text = (made / "ecrf" / "BIOLOGIE.csv").read_bytes().decode("cp1252")
    checked = 0
    for line, row in enumerate(csv.DictReader(text.splitlines(), delimiter=";"), start=2):
        if line not in planted and row["HB"][:1].isdigit():
            factor = {"g/dL": 10, "g/L": 1}[row["HB_UNITE"]]
            assert float(row["HB"].replace(",", ".")) * factor == pytest.approx(truth[row["NUMINC"], row["VISITE"]])
            checked += 1
    assert checked > 200


def test_every_kind_has_a_maker_and_a_known_rule() -> None:
    p = read_parameters(PARAMETERS)
    kinds = [entry["kind"] for entry in p.defects]
    assert sorted(kinds) == sorted({**defects_ecrf.MAKERS, **defects_assay.MAKERS})
    text = (ROOT / "resources" / "reference" / "checks.csv").read_text(encoding="utf-8")
    checks = {row["id"] for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))}
    assert {entry["rule"] for entry in p.defects} - checks == {""}


def test_parameters_need_unit_and_source(tmp_path: Path) -> None:
    text = PARAMETERS.read_text(encoding="utf-8").replace("{value: 6, unit: h,", "{value: 6,", 1)
    broken = tmp_path / "x.yaml"
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="infusion_hours: needs value, unit and source"):
        read_parameters(broken)


@pytest.mark.parametrize(("seed", "hidden"), [(1, []), (14, ["D020"]), (17, ["D021"]), (18, ["D021"])])
def test_record_in_the_month_of_a_death_of_unknown_day_is_not_detectable(
    tmp_path: Path, seed: int, hidden: list[str]
) -> None:
    simulate(read_parameters(PARAMETERS), 29, seed, tmp_path)
    defects = rows(tmp_path / "truth" / "defects.csv")
    partial = {d["subject"]: d["planted"][3:] for d in defects if d["kind"] == "death_day_unknown"}
    late = [d for d in defects if d["kind"] == "record_after_death" and d["planted"]]
    within = sorted({d["id"] for d in late if d["planted"][3:] == partial.get(d["subject"])})
    assert within == hidden
    assert sorted({d["id"] for d in defects if d["detectable"] == "no"}) == hidden


def test_replicates_that_differ_have_a_clear_spread(tmp_path: Path) -> None:
    """Percent CV of the two wells, of which the rule asks 25."""
    simulate(read_parameters(PARAMETERS), 29, 17, tmp_path)
    defects = rows(tmp_path / "truth" / "defects.csv")
    for d in defects:
        if d["kind"] == "cytokine_replicates_differ" and d["item"] == "Obs Conc":
            pair = [
                [float(t["well_1"]), float(t["well_2"])]
                for t in rows(tmp_path / "truth" / "cytokines.csv")
                if (t["file"], t["sheet"], t["subject"], t["well_2"])
                == (d["file"], d["sheet"], d["subject"], d["original"])
            ]
            first = pair[0][0]
            assert 100 * abs(float(d["planted"]) - first) / 2**0.5 / ((float(d["planted"]) + first) / 2) > 30
