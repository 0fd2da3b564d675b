"""ODM-XML files of other programs: counts and every value, told beforehand by another parser (lxml)."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from helpers.reference import reference_case

from trialpipe.ingest import odm, run
from trialpipe.io.errors import DataError

SNAPSHOT, OPENCLINICA, METADATA = "odm132_snapshot_odmlib", "openclinica_full_extract", "odm132_metadata_only_cdash"
CASES = [SNAPSHOT, OPENCLINICA, METADATA]


def _case(case: str) -> tuple[Path, dict]:
    folder = reference_case("raw_odm", case)
    return folder / "input.xml", json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]


def _long(path: Path) -> list[dict[str, str]]:
    return [{name: value or "" for name, value in row.items()} for row in odm.long(path)]


@pytest.mark.parametrize("case", CASES)
def test_counts(case):
    path, expected = _case(case)
    assert odm.counts(path) == expected["counts"]


@pytest.mark.parametrize("case", [SNAPSHOT, OPENCLINICA])
def test_every_value_with_its_keys(case):
    path, _ = _case(case)
    with (path.parent / "expected_long.csv").open(encoding="utf-8", newline="") as stream:
        expected = list(csv.DictReader(stream))
    assert list(odm.LONG) == list(expected[0])
    assert _long(path) == expected


@pytest.mark.parametrize("case", CASES)
def test_values_subjects_and_samples(case):
    path, expected = _case(case)
    rows = _long(path)
    assert hashlib.sha256("\n".join(row["Value"] for row in rows).encode()).hexdigest() == expected["value_sha256"]
    assert Counter(row["SubjectKey"] for row in rows) == expected["per_subject_item_counts"]
    for sample in expected["sample_values"]:
        assert sample in rows


@pytest.mark.parametrize("case", CASES)
def test_tables_of_all_groups_hold_every_value_once(case):
    path, expected = _case(case)
    found: Counter[tuple] = Counter()
    rows = 0
    for group in odm.metadata(path).groups:
        table = odm.read(path, "input.xml", {"sheet": group})
        rows += table.num_rows
        columns = [c for c in table.column_names if not c.startswith("source_") and c not in odm.KEYS]
        assert list(odm.metadata(path).groups[group]) == [c for c in columns if not c.endswith(odm.UNIT)]
        for row in table.to_pylist():
            keys = tuple(row[key] for key in odm.KEYS if key != "LocationOID")
            found.update((*keys, group, c, row[c]) for c in columns if row[c] and not c.endswith(odm.UNIT))
    names = [*(key for key in odm.KEYS if key != "LocationOID"), "ItemGroupOID", "ItemOID", "Value"]
    assert rows == expected["counts"]["ItemGroupData"]
    assert found == Counter(tuple(row[name] for name in names) for row in odm.long(path) if row["Value"])


def test_units_of_definitions():
    path, _ = _case(OPENCLINICA)
    table = odm.read(path, "input.xml", {"sheet": "IG_PHYSI_UNGROUPED"})
    units = {c: set(table[c].to_pylist()) - {None} for c in table.column_names if c.endswith(odm.UNIT)}
    # by hand: the MeasurementUnitRef of the ItemDef and the Name of its MeasurementUnit
    assert units["I_PHYSI_TEMPERATURE__UNIT"] == {"F"}
    assert units["I_PHYSI_WEIGHT__UNIT"] == {"lb"}


def test_a_form_passes_the_gate():
    path, _ = _case(OPENCLINICA)
    source = {
        "id": "ecrf",
        "reader": "odm",
        "dialect": {"dates": "ISO"},
        "forms": [{"id": "ex", "files": "input.xml", "sheet": "IG_AGENT_DOSETABLE", "ignore": []}],
    }
    table, _ = run.ingest(source, path.parent, "ex")
    assert table["StudySubjectID"].to_pylist()[0] == "CAM101"
    assert table["I_AGENT_DOSE_DAT"].to_pylist()[0] == "2011-07-06"


def test_an_external_entity_is_refused():
    folder = reference_case("hostile", "xml_external_entity")
    for call in (
        lambda path: odm.read(path, "input.xml", {"sheet": "G"}),
        lambda path: list(odm.long(path)),
        odm.counts,
        odm.metadata,
    ):
        with pytest.raises(DataError, match="input.xml:1 has a DOCTYPE") as caught:
            call(folder / "input.xml")
        assert (caught.value.file, caught.value.row) == ("input.xml", 1)
