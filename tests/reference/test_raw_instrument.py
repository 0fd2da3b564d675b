"""Exports of laboratory instruments from public repositories: values told by other programs (see their READMEs)."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.reference import reference_case

from trialpipe.ingest import intelliflex, msd, xponent

FLEXMAP, MAGPIX, BLANKS = "xponent_flexmap3d", "xponent_magpix_covid_reduced", "xponent_random_blanks"
INTELLIFLEX, MSD = "intelliflex_single_dataset", "msd_workbench_csv"
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def _case(case: str, reader) -> tuple[pa.Table, dict, dict, Path]:
    folder = reference_case("raw_instrument", case)
    told = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    table = reader.read(folder / "input.csv", "input.csv", {})
    return table, told["expected"], told["tolerance"], folder


def _measurements(folder: Path) -> list[dict[str, str]]:
    with (folder / "expected_measurements.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _numbers(rows: list[dict], item: str = "VALUE") -> list[float]:
    return [float(r[item]) for r in rows if r[item] and _NUMBER.fullmatch(r[item])]


def _well(location: str) -> str:
    """1(1,A1), 1,A1 or A1 -> A1."""
    return location.rstrip(")").rpartition(",")[2]


def _blocks(table: pa.Table) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for row in table.to_pylist():
        found.setdefault(row["BLOCK"], []).append(row)
    return found


def test_flexmap_plate():
    table, expected, _, _ = _case(FLEXMAP, xponent)
    blocks = _blocks(table)
    median = blocks["Median"]
    assert len({r["LOCATION"] for r in median}) == expected["n_wells"]
    assert len({r["SAMPLE"] for r in median}) == expected["n_samples"]
    assert len(median) == expected["n_measurements"]
    assert sorted({r["ANALYTE"] for r in median}) == expected["analytes"]
    assert table.column("PLATE_PROGRAM").unique().to_pylist() == [expected["software"]]
    assert table.column("PLATE_BUILD").unique().to_pylist() == [expected["software_version"]]
    assert table.column("PLATE_SERIAL").unique().to_pylist() == [expected["serial"]]
    assert set(table.column("PLATE_DATE").to_pylist()) == {"05/17/2023 6:42 PM"}
    net = _numbers(blocks["Net MFI"])
    assert len(net) == expected["calculated"]["Net MFI"]["n"]
    assert sum(net) == expected["calculated"]["Net MFI"]["sum_of_numeric"]


def test_flexmap_measurements():
    table, _, _, folder = _case(FLEXMAP, xponent)
    blocks = _blocks(table)
    beads = {r["ANALYTE"]: r["VALUE"] for r in blocks["Units"] if r["SAMPLE"] == "BeadID:"}
    counts = {(r["LOCATION"], r["ANALYTE"]): r["VALUE"] for r in blocks["Count"]}
    errors = {_well(r["LOCATION"]): r["VALUE"] for r in blocks["Warnings/Errors"] if r["ANALYTE"] == "Message"}
    found = [
        (
            r["SAMPLE"],
            _well(r["LOCATION"]),
            r["ANALYTE"],
            beads[r["ANALYTE"]],
            float(counts[r["LOCATION"], r["ANALYTE"]]),
            float(r["TOTAL_EVENTS"]),
            errors.get(_well(r["LOCATION"]), ""),
            float(r["VALUE"]),
        )
        for r in blocks["Median"]
    ]
    assert sorted(found) == sorted(
        (
            e["sample"],
            e["location"],
            e["analyte"],
            e["bead_region"],
            float(e["bead_count"]),
            float(e["well_bead_total"]),
            e["well_errors"],
            float(e["fluorescence:median role"]),
        )
        for e in _measurements(folder)
    )


def test_magpix_blocks():
    table, expected, tolerance, _ = _case(MAGPIX, xponent)
    blocks = _blocks(table)
    for name, told in expected["blocks"].items():
        rows = blocks.get(name, [])
        assert len({r["source_row"] for r in rows}) == told["rows"], name
        if not rows:
            continue
        assert list(dict.fromkeys(r["ANALYTE"] for r in rows)) == told["analytes"], name
        numbers = _numbers(rows)
        assert len(numbers) == told["numeric_cells"], name
        assert sum(numbers) == pytest.approx(told["sum"], rel=0, abs=tolerance["sum_abs"]), name
        assert (rows[0]["LOCATION"], rows[0]["SAMPLE"]) == (told["first_location"], told["first_sample"]), name
    assert set(table.column("PLATE_BATCH").to_pylist()) == {expected["batch"]}
    assert set(table.column("PLATE_SERIAL").to_pylist()) == {expected["sn"]}
    assert set(table.column("PLATE_BUILD").to_pylist()) == {expected["build"][0]}


def test_locations_that_lost_their_quotes():
    """The case tells what a naive reader sees: location ``1(1``, sample ``A1)`` and so every figure one column late.

    Its numeric cells are therefore those of the columns behind the first two of the file that are in the header's
    width: the first two analytes of the repaired rows. Its rows and analytes hold as they are.
    """
    table, expected, tolerance, _ = _case(BLANKS, xponent)
    blocks = _blocks(table)
    for name, told in expected["blocks"].items():
        rows = blocks.get(name, [])
        assert len({r["source_row"] for r in rows}) == told["rows"], name
        if not rows:
            continue
        assert list(dict.fromkeys(r["ANALYTE"] for r in rows)) == told["analytes"], name
        assert f"{told['first_location']},{told['first_sample']}" == rows[0]["LOCATION"] == "1(1,A1)"
        assert rows[0]["SAMPLE"] == "BLANK"
        seen = _numbers([r for r in rows if r["ANALYTE"] in told["analytes"][:2]])
        assert len(seen) == told["numeric_cells"]
        assert sum(seen) == pytest.approx(told["sum"], rel=0, abs=tolerance["sum_abs"])
        assert len(_numbers(rows)) == told["rows"] * len(told["analytes"])
    assert set(table.column("PLATE_BATCH").to_pylist()) == {expected["batch"]}
    assert set(table.column("PLATE_SERIAL").to_pylist()) == {expected["sn"]}
    assert set(table.column("PLATE_BUILD").to_pylist()) == {expected["build"][0]}
    assert set(table.column("PLATE_PROGRAM").to_pylist()) == {expected["program"][0]}


def test_intelliflex():
    table, expected, _, folder = _case(INTELLIFLEX, intelliflex)
    assert table.column_names[3:] == list(xponent.COLUMNS)
    blocks = _blocks(table)
    median = blocks["Median"]
    assert len({r["LOCATION"] for r in median}) == expected["n_wells"]
    assert len({r["SAMPLE"] for r in median}) == expected["n_samples"]
    assert len(median) == expected["n_measurements"]
    assert sorted({r["ANALYTE"] for r in median}) == expected["analytes"]
    for column, key in (("PROGRAM", "software"), ("BUILD", "software_version"), ("SERIAL", "serial")):
        assert set(table.column(f"PLATE_{column}").to_pylist()) == {expected[key]}
    told = expected["calculated"]["Avg Net MFI"]
    average = _numbers(blocks["Avg Net MFI"])
    assert len(average) == told["n"]
    assert sum(average) == pytest.approx(told["sum_of_numeric"], rel=0, abs=1e-9)
    counts = {(r["SAMPLE"], r["ANALYTE"]): float(r["VALUE"]) for r in blocks["Count"]}
    # the file has no total; the case adds up the counts of the well
    totals = {sample: sum(n for (of, _), n in counts.items() if of == sample) for sample, _ in counts}
    found = [
        (
            r["SAMPLE"],
            r["LOCATION"],
            r["ANALYTE"],
            counts[r["SAMPLE"], r["ANALYTE"]],
            totals[r["SAMPLE"]],
            float(r["VALUE"]),
        )
        for r in median
    ]
    figures = ("bead_count", "well_bead_total", "fluorescence:median role")
    assert sorted(found) == sorted(
        (e["sample"], e["location"], e["analyte"], *(float(e[f]) for f in figures)) for e in _measurements(folder)
    )


def test_msd():
    table, expected, _, folder = _case(MSD, msd)
    rows = table.to_pylist()
    assert len({r["Well"] for r in rows}) == expected["n_wells"]
    assert len(rows) == expected["n_measurements"]
    assert sorted({r["Assay"] for r in rows}) == expected["analytes"]
    found = [
        (
            f"{r['Sample']}_{r['Well']}",
            r["Well"],
            r["Spot"],
            r["PLATE"].removeprefix("Plate_"),
            float(r["Concentration"]),
            float(r["Signal"]),
            r["Assay"],
            r["Detection Range"],
        )
        for r in rows
    ]
    told = [
        (
            e["sample"],
            e["well"],
            e["spot_or_location"],
            e["plate"],
            float(e["conc"]),
            float(e["luminescence"]),
            e["assay"],
            e["detection_range"],
        )
        for e in _measurements(folder)
    ]
    assert sorted(found) == sorted(told)
    named = {"R-Squared": "Fit Statistic: RSquared", "Calc. Concentration Mean": "Calc. Conc. Mean"}
    per_spot = {"Adjusted Signal", "% Recovery", "Calc. Concentration"}
    first = {r["Assay"]: r for r in reversed(rows)}
    for name, calculated in expected["calculated"].items():
        numbers = _numbers(rows if name in per_spot else list(first.values()), named.get(name, name))
        assert len(numbers) == calculated["n"], name
        assert sum(numbers) == pytest.approx(calculated["sum_of_numeric"], rel=0, abs=1e-9), name
    assert rows[3]["% Recovery"] == "NaN"
