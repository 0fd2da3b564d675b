"""The simulated intensive care trial: same bytes, a prefix in the number of patients, a truth that holds together,
scores at the published bands, a REDCap export that its dictionary describes, defects where they are said to be."""

from __future__ import annotations

import csv
import datetime as dt
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median

import pytest
from helpers.reference import reference_case

from trialpipe.simulate import defects_icu
from trialpipe.simulate.main import simulate
from trialpipe.simulate.parameters import FOLDER, read_parameters
from trialpipe.simulate.redcap_fields import INSTRUMENTS
from trialpipe.simulate.sofa_truth import points

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "resources" / "extracts" / "jakahdi"
PARAMETERS = FOLDER / "jakahdi.yaml"
DATA, BOOK = "redcap/JAKAHDI_DATA.csv", "redcap/JAKAHDI_DataDictionary.csv"
PER_SUBJECT = ("patients", "sofa", "stays", "infections", "ae", "measures", "treatments")
ORGANS = ("resp", "coag", "liver", "cardio", "cns", "renal")
Rows = list[dict[str, str]]


def rows(path: Path) -> Rows:
    return list(csv.DictReader(path.open(encoding="utf-8", newline="")))


def content(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def truth(folder: Path, name: str) -> Rows:
    return rows(folder / "truth" / f"{name}.csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("icu")
    assert simulate(read_parameters(PARAMETERS), 43, 1, out) == set()
    return out


def test_committed_extracts_are_a_fresh_simulation(made: Path) -> None:
    fresh, stored = content(made), content(COMMITTED)
    assert sorted(fresh) == sorted(stored)
    assert [name for name in fresh if fresh[name] != stored[name]] == []
    assert sum(len(data) for data in stored.values()) < 2_000_000


def test_same_bytes_under_another_hash_seed(made: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    command = [sys.executable, "-m", "trialpipe.simulate.main", "--out", str(tmp_path), "--trial", "jakahdi"]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path)
    assert content(made) == content(tmp_path)


def test_more_patients_start_with_the_same_ones(made: Path, tmp_path: Path) -> None:
    simulate(read_parameters(PARAMETERS), 87, 1, tmp_path)
    for name in PER_SUBJECT:
        shorter, longer = truth(made, name), truth(tmp_path, name)
        subjects = {row["subject"] for row in shorter}
        assert [row for row in longer if row["subject"] in subjects] == shorter, name


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_truth_holds_together(tmp_path: Path, seed: int) -> None:
    simulate(read_parameters(PARAMETERS), 43, seed, tmp_path)
    patients = truth(tmp_path, "patients")
    counted = [row for row in patients if row["counted"] == "yes"]
    assert (len(patients), len(counted)) == (43, 42)
    assert Counter(row["state_6_months"] for row in counted) == {"dead": 21, "alive": 20, "lost": 1}
    assert Counter(row["icu_status"] for row in truth(tmp_path, "stays")) == {"dead": 15, "alive": 27}
    assert 18 <= sum(row["success"] == "yes" for row in counted) <= 22
    assert sum(row["treated"] == "no" for row in counted) == 2
    for row in patients:
        moments = [
            row[k] for k in ("hospital_admission", "icu_admission", "inclusion", "first_dose", "death") if row[k]
        ]
        assert moments == sorted(moments)
        assert row["origin"] == (row["first_dose"] or row["inclusion"])[:10]
        assert 0 <= (dt.date.fromisoformat(row["origin"]) - dt.date.fromisoformat(row["inclusion"][:10])).days <= 1
        assert row["last_alive"] <= "2026-02-01T12:00"
        assert not row["death"] or row["death"] == row["last_alive"]
        assert int(row["age"]) >= 18
    last = {row["subject"]: row["last_alive"] for row in counted}
    for name, item in (("infections", "onset"), ("ae", "onset"), ("measures", "datetime"), ("cytokines", "datetime")):
        for row in truth(tmp_path, name):
            assert row[item] <= last[row["subject"]], (name, row)


def test_the_primary_outcome_follows_from_the_scores(made: Path) -> None:
    scores = {(row["subject"], row["visit"]): row for row in truth(made, "sofa")}
    whys = Counter()
    for row in truth(made, "patients"):
        if row["counted"] == "no":
            assert (row["subject"], "D1") not in scores
            continue
        base, week = scores[row["subject"], "D1"], scores[row["subject"], "D7"]
        fallen = base["total_filled"] and week["total_filled"]
        fallen = fallen and int(week["total_filled"]) <= int(base["total_filled"]) - 3
        assert row["success"] == ("yes" if fallen else "no")
        death = row["death"][:10]
        assert (row["why"] == "dead") == (bool(death) and death <= week["date"])
        whys[row["why"]] += 1
    assert set(whys) == {"dead", "decrease", "no decrease", "sofa missing"}
    counts = {(row["outcome"], row["item"]): int(row["count"]) for row in truth(made, "outcomes") if not row["visit"]}
    assert counts["primary", "success"] == whys["decrease"]


def test_scores_add_up_and_those_fully_measured_agree(made: Path) -> None:
    full = 0
    for row in truth(made, "sofa"):
        for reading in ("", "_filled"):
            own = [row[organ + reading] for organ in ORGANS]
            assert row["total" + reading] == ("" if "" in own else str(sum(int(value) for value in own)))
            assert all(value in ("", "0", "1", "2", "3", "4") for value in own)
        if row["n_measured"] == "6":
            full += 1
            assert [row[o] for o in ORGANS] == [row[f"{o}_filled"] for o in ORGANS]
        for organ in row["measured"].split():
            assert row[organ] == row[f"{organ}_filled"]
    assert full > 60
    base = [int(row["total_filled"]) for row in truth(made, "sofa") if row["visit"] == "D1" and row["total_filled"]]
    assert min(base) >= 4, "registered eligibility: SOFA of 4 or more"


BANDS = [
    ("coag", {"d_plt": text}, score)
    for text, score in (("150", 0), ("149", 1), ("100", 1), ("99", 2), ("50", 2), ("49", 3), ("20", 3), ("19", 4))
]
BANDS += [
    ("liver", {"d_bili": text}, score)
    for text, score in (("19", 0), ("20", 1), ("32", 1), ("33", 2), ("101", 2), ("102", 3), ("204", 3), ("205", 4))
]
BANDS += [
    ("renal", {"d_creat": text}, score)
    for text, score in (("109", 0), ("110", 1), ("170", 1), ("171", 2), ("299", 2), ("300", 3), ("440", 3), ("441", 4))
]
BANDS += [
    ("renal", {"urine": text, "d_creat": "80", "rrt": rrt}, score)
    for text, rrt, score in (("500", "0", 0), ("490", "0", 3), ("200", "0", 3), ("190", "0", 4), ("900", "1", 4))
]
BANDS += [
    ("cns", {"gcs": text, "sedated": "0"}, score)
    for text, score in (("15", 0), ("14", 1), ("13", 1), ("12", 2), ("10", 2), ("9", 3), ("6", 3), ("5", 4))
]
BANDS += [("cns", {"gcs": "3", "sedated": "1", "gcs_presed": "14"}, 1)]
BANDS += [
    ("resp", {"pao2": p, "pao2_unit": unit, "fio2": f, "support": support}, score)
    for p, unit, f, support, score in (
        ("84", "1", "21", "0", 0), ("80", "1", "21", "0", 1), ("89", "1", "30", "3", 2), ("79", "1", "40", "0", 2),
        ("79", "1", "40", "1", 3), ("99", "1", "100", "0", 2), ("99", "1", "100", "1", 4), ("53.4", "2", "100", "0", 0),
        ("26.6", "2", "100", "1", 3), ("13.3", "2", "100", "2", 4),
    )
]  # fmt: skip
BANDS += [
    ("cardio", {"map_min": "60", **rates}, score)
    for rates, score in (
        ({}, 1), ({"dobu_rate": "3"}, 2), ({"dopa_rate": "5"}, 2), ({"dopa_rate": "6"}, 3), ({"dopa_rate": "16"}, 4),
        ({"epi_rate": "0.1"}, 3), ({"epi_rate": "0.11"}, 4),
        ({"ne_rate": "0.1", "ne_unit": "1", "ne_salt": "1"}, 3),
        ({"ne_rate": "0.12", "ne_unit": "1", "ne_salt": "1"}, 4),
        ({"ne_rate": "0.2", "ne_unit": "1", "ne_salt": "2"}, 3),
        ({"ne_rate": "0.4", "ne_unit": "2", "ne_salt": "1"}, 3),
        ({"ne_rate": "0.5", "ne_unit": "2", "ne_salt": "1"}, 4),
        ({"ne_rate": "0.9", "ne_unit": "2", "ne_salt": "2"}, 4),
    )
]  # fmt: skip
BANDS += [("cardio", {"map_min": "70"}, 0), ("cardio", {"ne_rate": "0"}, None), ("resp", {"pao2": "80"}, None)]


@pytest.mark.parametrize(("organ", "cells", "score"), BANDS)
def test_points_are_those_of_the_published_table(organ: str, cells: dict[str, str], score: int | None) -> None:
    """Vincent 1996 Intensive Care Med 22:707, table 3, 70 kg; tartrate is half base."""
    assert points(organ, cells, 70.0) == score


def test_stays_and_infections_follow_from_their_dates(made: Path) -> None:
    patients = {row["subject"]: row for row in truth(made, "patients")}
    for row in truth(made, "stays"):
        start = dt.date.fromisoformat(row["inclusion"][:10])
        assert int(row["icu_days"]) == (dt.date.fromisoformat(row["icu_end"][:10]) - start).days
        day = (
            dt.date.fromisoformat(row["icu_end"][:10]) - dt.date.fromisoformat(patients[row["subject"]]["origin"])
        ).days
        assert row["icu_status"] == "dead" or day not in (0, 6, 13, 27)
    kinds = Counter()
    for row in truth(made, "infections"):
        own, onset = patients[row["subject"]], dt.datetime.fromisoformat(row["onset"])
        late = onset - dt.datetime.fromisoformat(own["hospital_admission"]) > dt.timedelta(hours=48)
        until = dt.date.fromisoformat(own["origin"]) + dt.timedelta(days=27)
        wanted = late and onset > dt.datetime.fromisoformat(own["inclusion"]) and onset.date() <= until
        assert wanted == (row["nosocomial"] == "yes" or row["reactivation"] == "yes")
        assert row["icu_acquired"] == "no" or (row["nosocomial"], row["site"]) == ("yes", "icu")
        kinds[row["nosocomial"], row["reactivation"], row["after_48h"], row["site"]] += 1
    assert {key[3] for key in kinds if key[0] == "yes"} == {"icu", "ward"}
    assert any(key[1] == "yes" for key in kinds)
    assert any(key[2] == "no" for key in kinds)


def test_every_end_occurs(made: Path) -> None:
    patients, stays = truth(made, "patients"), truth(made, "stays")
    assert [row["emergency"] for row in patients if row["refused"]] == ["yes"]
    assert len([row for row in stays if row["readmission"]]) == 3
    assert {row["hospital_status"] for row in stays} == {"alive", "dead", "in_hospital"}
    assert Counter(row["lost"] for row in patients)["yes"] == 1
    week = {row["subject"]: row["status"] for row in truth(made, "sofa") if row["visit"] == "D7"}
    assert Counter(week.values())["ward"] == 2
    assert {row["grade"] for row in truth(made, "ae")} == {"1", "2", "3", "4", "5"}


def test_first_samples_precede_the_first_dose_and_cytokines_fall(made: Path) -> None:
    dose = {row["subject"]: row["first_dose"] for row in truth(made, "patients")}
    levels: dict[tuple[str, str], list[float]] = {}
    for row in truth(made, "cytokines"):
        if row["visit"] == "D1":
            assert row["datetime"] < dose[row["subject"]]
        if row["last"] == "yes":
            levels.setdefault((row["analyte"], row["visit"]), []).append(float(row["true"]))
    for analyte in ("IFNG", "IL6", "IL10", "TNFA", "IL2"):
        assert median(levels[analyte, "D28"]) < median(levels[analyte, "D7"]) < median(levels[analyte, "D1"])
    runs = Counter((row["sample"], row["analyte"]) for row in truth(made, "cytokines"))
    assert set(runs.values()) == {1, 2}
    assert {row["cens"] for row in truth(made, "cytokines")} == {"none", "left", "right"}


def test_the_dictionary_describes_the_data(made: Path) -> None:
    reference = reference_case("raw_redcap", "redcap_repeating_instruments") / "dictionary.csv"
    header = next(csv.reader(reference.open(encoding="utf-8", newline="")))
    book = rows(made / BOOK)
    assert list(book[0]) == header
    names = [row[header[0]] for row in book]
    assert len(names) == len(set(names))
    assert [row[header[0]] for row in book if row["Identifier?"] == "y"] == ["initials", "birth_dt"]
    data = rows(made / DATA)
    for item in list(data[0])[4:]:
        assert item.split("___")[0] in names or item.removesuffix("_complete") in INSTRUMENTS
    comma = {row[header[0]] for row in book if row[header[7]] == "number_comma_decimal"}
    assert comma == {"weight", "b_temp", "b_fib", "b_tg"}


def test_codes_and_rows_are_those_of_the_dictionary(made: Path) -> None:
    wrong = {(int(d["row"]), d["item"]) for d in truth(made, "defects") if d["file"] == DATA}
    choices = {row["Variable / Field Name"]: row for row in rows(made / BOOK)}
    seen = Counter()
    for line, row in enumerate(rows(made / DATA), start=2):
        if row["redcap_repeat_instrument"]:
            assert row["redcap_event_name"] == "common_arm_1"
        forms = {form for form in INSTRUMENTS if row[f"{form}_complete"] != ""}
        assert len(forms) == 1
        seen[row["record_id"], *forms, row["redcap_event_name"], row["redcap_repeat_instance"]] += 1
        for item, text in row.items():
            kind = choices.get(item, {})
            if text and kind.get("Field Type") == "radio" and (line, item) not in wrong:
                codes = [c.split(",")[0].strip() for c in kind["Choices, Calculations, OR Slider Labels"].split("|")]
                assert text in codes, (line, item)
    assert sum(count > 1 for count in seen.values()) == 2, "the duplicated instances that were planted"


def test_daily_forms_hold_what_the_truth_says(made: Path) -> None:
    """Platelets and coma score of untouched days from the raw file, scored by hand, against the truth."""
    touched = {d["subject"] for d in truth(made, "defects")}
    scores = {(r["subject"], r["date"]): r for r in truth(made, "sofa")}
    checked = 0
    for row in rows(made / DATA):
        score = scores.get((row["record_id"], row["day_dt"]))
        if row["redcap_repeat_instrument"] != "icu_day" or score is None or row["record_id"] in touched:
            continue
        if row["d_plt"] and score["status"] != "dead":
            assert int(score["coag"]) == sum(float(row["d_plt"]) < limit for limit in (150, 100, 50, 20))
            checked += 1
        if row["sedated"] == "1" and row["gcs_presed"] and score["status"] != "dead":
            assert int(score["cns"]) == sum(int(row["gcs_presed"]) < limit for limit in (15, 13, 10, 6))
    assert checked >= 20


def test_units_and_salts_differ_by_site(made: Path) -> None:
    days = [row for row in rows(made / DATA) if row["redcap_repeat_instrument"] == "icu_day"]
    units = {(row["ne_unit"], row["ne_salt"]) for row in days if row["ne_rate"]}
    assert {("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")} <= units
    assert {row["pao2_unit"] for row in days if row["pao2"]} == {"1", "2"}


def test_plates_are_laid_out_as_the_instrument_does(made: Path) -> None:
    lines = (reference_case("raw_instrument", "msd_workbench_csv") / "input.csv").read_text("utf-8").splitlines()
    words = set()
    for path in sorted((made / "msd").glob("plate_*.csv")):
        table = list(csv.reader(path.open(encoding="utf-8", newline="")))
        assert table[0][0].startswith("Plate_")
        assert table[1] == next(csv.reader([lines[1]]))
        assert {row[1] for row in table[2:]} == {"IL-2", "IL-6", "IL-10", "IL-12p70", "GM-CSF", "IFN-γ", "TNF-α"}
        assert set(Counter((row[0], row[1]) for row in table[2:]).values()) == {2}
        assert set(Counter((row[1], row[2]) for row in table[2:]).values()) == {1}
        words |= {row[5] for row in table[2:]}
    assert words == {f"{side} {kind} Range" for side in ("Below", "Above") for kind in ("Detection", "Fit Curve")} | {
        "In Detection Range"
    }


def test_defects_are_where_they_are_said_to_be(made: Path) -> None:
    planted = truth(made, "defects")
    for defect in planted:
        table = list(csv.reader((made / defect["file"]).open(encoding="utf-8", newline="")))
        header = table[1] if defect["file"].startswith("msd/") else table[0]
        assert table[int(defect["row"]) - 1][header.index(defect["item"])] == defect["planted"], defect
    assert len({defect["kind"] for defect in planted}) >= 30
    assert {defect["determines"] for defect in planted} == {"equal", "flagged_null", "undetermined"}
    refused = {row["subject"] for row in truth(made, "patients") if row["refused"]}
    assert not refused & {defect["subject"] for defect in planted}


def test_every_kind_has_a_maker_and_a_known_rule() -> None:
    p = read_parameters(PARAMETERS)
    assert sorted(entry["kind"] for entry in p.defects) == sorted(defects_icu.MAKERS)
    text = (ROOT / "resources" / "reference" / "checks.csv").read_text(encoding="utf-8")
    checks = {row["id"] for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))}
    assert {entry["rule"] for entry in p.defects} - checks == {""}
