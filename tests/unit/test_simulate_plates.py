"""Simulated xPONENT plates and nCounter cartridges: files as instruments write them, lines where they are said to be,
readings that follow the truth, defects that break what they name and nothing else."""

from __future__ import annotations

import copy
import csv
import datetime as dt
import io
import math
import re
import statistics
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.reference import reference_case

from trialpipe.simulate import defects_plates, nanostring, write_rcc, write_xponent, xponent
from trialpipe.simulate.defects import Cell, Forge
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Course, Patient, Sample, Traits
from trialpipe.simulate.raw import Table
from trialpipe.simulate.rng import stream

CYTOKINES = {
    "IFNG": [6, 3.6, 0.5, 2.44, 40000], "TNFA": [12, 1.1, 0.4, 3.05, 50000], "IL6": [5, 2.0, 0.7, 1.1, 18000],
    "IL2": [1.4, 0.7, 0.6, 0.36, 6000], "IL10": [6, 3.2, 0.5, 1.83, 30000], "IL18": [450, 2.6, 0.4, 3, 8000],
    "IL1B": [0.6, 0.6, 0.5, 0.2, 3300], "CXCL9": [160, 3.5, 0.5, 6.5, 9000],
}  # fmt: skip
OTHERS = {
    "cyt_dilution": 4, "cyt_cv": 0.05, "cyt_per_plate": 36, "cyt_recovery": [0.03, 0.03], "cyt_beads": [96, 16, 52],
    "cyt_delay": 40, "cyt_run_again": [1], "cyt_excel": [2], "cyt_french": [3], "rna_interferon": [0.35, 0.15],
    "rna_lane": 0.22, "rna_input": 0.3, "rna_dispersion": 0.008, "rna_background": 7, "rna_positive": 110,
    "rna_fov": [280, 0.985], "rna_density": [0.12, 60000], "rna_controls": 14, "rna_delay": 30,
}  # fmt: skip
FORMS = {"instrument": (",", "utf-8"), "excel": (",", "utf-8-sig"), "french": (";", "cp1252")}
SEED = 3


def parameters() -> Parameters:
    values: dict[str, object] = {**OTHERS, **{f"cyt_{name}": value for name, value in CYTOKINES.items()}}
    for rank, gene in enumerate(nanostring.GENES):
        values[f"rna_{gene}"] = [100 + 25 * rank, 1.0 + (rank % 5) / 5, 0.3]
    for rank, gene in enumerate(nanostring.HOUSEKEEPING):
        values[f"rna_{gene}"] = [150 + 200 * rank, 0, 0.1]
    return Parameters("", (), values, {}, (), (), ())


def patients(n: int) -> list[Patient]:
    """Patients whose activity falls from 1.5 to 0 at different speed, with nine samples of each kind."""
    found = []
    for k in range(n):
        hours = np.arange(24 * 70)
        activity = 1.5 * np.exp(-hours / (24 * (6 + 5 * (k % 5))))
        start = dt.datetime(2024, 6, 3, 10, 30) + dt.timedelta(days=45 * k)
        traits = Traits(k, 400, "F", "PRF1", False, False, 1, 1.0, 1.0, 9.0, 75.0)
        course = Course(hours, activity, activity, activity, activity)
        day = start.date()
        patient = Patient(f"01-{k + 1:03d}", traits, "", day, day, start, course, [])
        for day_number in range(0, 63, 7):
            when = patient.clock(day_number, 8.25)
            patient.samples.append(Sample(f"RB01{k + 1:03d}-{day_number:02d}", "biobank", f"D{day_number}", when))
            patient.samples.append(Sample(f"RH01{k + 1:03d}-{day_number:02d}", "rna", f"D{day_number}", when))
        found.append(patient)
    return found


P = parameters()


def blocks(path: Path, form: str) -> dict[str, list[tuple[int, list[str]]]]:
    """Independent reading: title of a block -> (line, cells) of its header and rows; pads taken off by the header."""
    separator, encoding = FORMS[form]
    lines = path.read_bytes().decode(encoding).split("\r\n")
    table = [next(csv.reader([line], delimiter=separator), []) for line in lines]
    found: dict[str, list[tuple[int, list[str]]]] = {}
    title = None
    for number, cells in enumerate(table, start=1):
        if cells[:1] == ["DataType:"]:
            title, found[cells[1]] = cells[1], []
        elif not any(cells) or cells[0].startswith(("--", "CRC32")):
            title = None
        elif title:
            found[title].append((number, cells))
    return found


def figure(text: str) -> float:
    return float(text.replace(",", "."))


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Table]]:
    out = tmp_path_factory.mktemp("plates")
    tables = xponent.plates(P, SEED, patients(14))
    write_xponent.write(tables, out)
    return out, tables


@pytest.fixture(scope="module")
def cartridges(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Table]]:
    out = tmp_path_factory.mktemp("cartridges")
    tables = nanostring.lanes(P, SEED, patients(14))
    write_rcc.write(tables, out)
    return out, tables


def form_of(tables: list[Table], name: str) -> str:
    return next(t.plate.form for t in tables if isinstance(t, write_xponent.Block) and t.path == f"cytokines/{name}")


# --- plates


def test_every_form_occurs_and_the_first_plate_is_read_again(plates: tuple[Path, list[Table]]) -> None:
    out, tables = plates
    names = sorted(path.name for path in (out / "cytokines").iterdir())
    assert names == ["plate_1.csv", "plate_1_repeat.csv", "plate_2.csv", "plate_3.csv", "plate_4.csv"]
    assert [form_of(tables, name) for name in names] == ["instrument", "instrument", "excel", "french", "instrument"]


def test_rows_stand_on_their_lines(plates: tuple[Path, list[Table]]) -> None:
    out, tables = plates
    for block in tables:
        assert isinstance(block, write_xponent.Block)
        form = block.plate.form
        read = blocks(out / block.path, form)[block.title]
        width = len(block.columns)
        assert read[0] == (block.first - 1, read[0][1])
        assert tuple(read[0][1][:width]) == block.columns
        assert not any(any(cells[width:]) for _, cells in read)
        expected = [(block.line(row), [row.cells[c] for c in block.columns]) for row in block.rows]
        assert [(line, cells[:width]) for line, cells in read[1:]] == expected


def test_layout_is_that_of_a_real_export(plates: tuple[Path, list[Table]]) -> None:
    out, _ = plates
    real = reference_case("raw_instrument", "xponent_flexmap3d") / "input.csv"
    theirs, ours = blocks(real, "instrument"), blocks(out / "cytokines" / "plate_1.csv", "instrument")
    assert set(theirs) <= set(ours)
    for title, rows in theirs.items():
        numbers = re.compile(r"-?\d+(\.\d+)?")
        head = [cell for cell in rows[0][1] if cell not in ("alpha", "bravo")]
        own = [cell for cell in ours[title][0][1] if cell not in xponent.NAMES]
        # whether averages carry Total Events differs between real exports
        assert own in (head, [cell for cell in head if cell != "Total Events"])
        if title in ("Median", "Count", "Net MFI"):
            assert rows[1][1][0] == ours[title][1][1][0] == "1(1,A1)"
            assert all(numbers.fullmatch(cell) for _, cells in ours[title][1:] for cell in cells[2:])
    first = [next(csv.reader([line]), [""]) for line in real.read_bytes().decode("utf-8", "replace").split("\r\n")[:48]]
    mine = [
        next(csv.reader([line]), [""])
        for line in (out / "cytokines" / "plate_1.csv").read_text(encoding="utf-8").split("\n")[:48]
    ]
    keys = [line[0] for line in first if line and re.fullmatch(r"[A-Z]\w+", line[0])]
    assert {line[0] for line in mine if line} >= {*keys[:20], "Samples"}


def test_checksum_is_that_of_the_text_above_it(plates: tuple[Path, list[Table]]) -> None:
    data = (plates[0] / "cytokines" / "plate_1.csv").read_bytes()
    above, _, foot = data.partition(b"-- CRC --\r\n")
    assert foot == f"CRC32: {zlib.crc32(above):08X}\r\n".encode()


def test_resaved_files_are_padded_to_one_width(plates: tuple[Path, list[Table]]) -> None:
    for name, form in (("plate_2.csv", "excel"), ("plate_3.csv", "french")):
        separator, encoding = FORMS[form]
        text = (plates[0] / "cytokines" / name).read_bytes().decode(encoding)
        assert len({len(cells) for cells in csv.reader(io.StringIO(text), delimiter=separator)}) == 1
        assert "µL d'échantillon" in text
        assert ("23,43" in text) == (form == "french")
        if form == "french":
            assert re.search(r"(^|;)[<>]?\d+\.\d+(;|$)", text) is None


def test_results_follow_from_level_and_curve(plates: tuple[Path, list[Table]]) -> None:
    """A result in range is the true level within the assay's error, a bound an end of the standards x dilution."""
    out, tables = plates
    rows = xponent.truth(P, SEED, patients(14), tables)
    assert {row["cens"] for row in rows} == {"none", "left", "right"}
    assert len(rows) == 8 * (14 * 9 + 36 + 1)
    for row in rows:
        name = str(row["file"]).rsplit("/", 1)[1]
        read = blocks(out / str(row["file"]), form_of(tables, name))
        kit, _ = xponent.ANALYTES[str(row["analyte"])]
        column = read["Result"][0][1].index(kit)
        wells = [cells[column].replace(",", ".") for _, cells in read["Result"] if cells[1] == row["sample"]]
        assert wells == [row["well_1"], row["well_2"]]
        standards = [figure(cells[1 + xponent.NAMES.index(kit)]) for _, cells in read[STANDARD][1:]]
        assert float(str(row["lloq"])) == pytest.approx(4 * min(standards), abs=0.005)
        assert float(str(row["uloq"])) == pytest.approx(4 * max(standards), abs=0.005)
        result, true = float(str(row["result"])), float(str(row["true"]))
        if row["cens"] == "none":
            assert result == pytest.approx(sum(float(w) for w in wells) / 2)
            assert abs(math.log(result / true)) < 0.2 or result < 0.5
        else:
            assert result == float(str(row["lloq" if row["cens"] == "left" else "uloq"]))
            assert any(w.startswith("<" if row["cens"] == "left" else ">") for w in wells)


STANDARD = "Standard Expected Concentration"


def test_blocks_agree_with_each_other(plates: tuple[Path, list[Table]]) -> None:
    out, tables = plates
    for path in sorted((out / "cytokines").iterdir()):
        read = blocks(path, form_of(tables, path.name))
        for k in range(len(xponent.NAMES)):
            by_sample: dict[str, list[str]] = {}
            for _, cells in read["Result"][1:]:
                by_sample.setdefault(cells[1], []).append(cells[2 + k].replace(",", "."))
            means = {cells[0]: cells[1 + k].replace(",", ".") for _, cells in read["Avg Result"][1:]}
            spreads = {cells[0]: cells[1 + k].replace(",", ".") for _, cells in read["%CV Replicates"][1:]}
            for name, texts in by_sample.items():
                if all(text[0].isdigit() for text in texts):
                    values = [float(text) for text in texts]
                    assert float(means[name]) == pytest.approx(statistics.mean(values), abs=0.0051)
                    cv = 100 * statistics.stdev(values) / statistics.mean(values)
                    assert float(spreads[name]) == pytest.approx(cv, abs=0.0051)
                    assert cv < 25 or statistics.mean(values) < 2
                else:
                    assert (means[name][0], spreads[name]) in {("<", "NaN"), (">", "NaN"), ("N", "NaN")}
        recovered = [figure(cell) for _, cells in read["% Recovery"][1:] for cell in cells[2:10]]
        assert len(recovered) == 8 * 20
        assert min(recovered) > 75
        assert max(recovered) < 125
        assert min(int(cell) for _, cells in read["Count"][1:] for cell in cells[2:10]) >= 50
        dilutions = {cells[1]: cells[2] for _, cells in read["Dilution Factor"][1:]}
        assert {v for k, v in dilutions.items() if k.startswith(("Standard", "Control", "Background"))} == {"1"}
        assert {v for k, v in dilutions.items() if k.startswith("RB")} == {"4"}


def test_signal_rises_with_the_concentration_on_a_plate(plates: tuple[Path, list[Table]]) -> None:
    read = blocks(plates[0] / "cytokines" / "plate_1.csv", "instrument")
    signals = {cells[0]: float(cells[2]) for _, cells in read["Median"][1:]}
    standards = [(float(c[2]), signals[c[0]]) for _, c in read["Result"][1:] if c[1].startswith("Standard")]
    assert len(standards) == 16
    assert [signal for _, signal in sorted(standards)] == sorted(signals[c[0]] for _, c in read["Result"][1:17])


def test_last_sample_opens_the_next_plate_and_later_readings_count(plates: tuple[Path, list[Table]]) -> None:
    rows = xponent.truth(P, SEED, patients(14), plates[1])
    by_file: dict[str, list[str]] = {}
    for row in rows:
        if row["analyte"] == "IFNG":
            by_file.setdefault(str(row["file"]), []).append(str(row["sample"]))
    first, again, second = (by_file[f"cytokines/{n}.csv"] for n in ("plate_1", "plate_1_repeat", "plate_2"))
    assert first == again
    assert second[0] == first[-1]
    assert (len(first), len(second)) == (36, 37)
    last = {(r["sample"], r["file"]): r["last"] for r in rows}
    assert {last[name, "cytokines/plate_1.csv"] for name in first} == {"no"}
    assert {last[name, "cytokines/plate_1_repeat.csv"] for name in first[:-1]} == {"yes"}
    assert last[first[-1], "cytokines/plate_2.csv"] == "yes"
    assert sum(value == "yes" for value in last.values()) == 14 * 9
    french = set(by_file["cytokines/plate_3.csv"])
    assert not any(french & set(names) for name, names in by_file.items() if name != "cytokines/plate_3.csv")
    made = {b.path: b.plate.made for b in plates[1] if isinstance(b, write_xponent.Block)}
    assert list(made.values()) == sorted(made.values())


# --- cartridges


def members(out: Path) -> dict[tuple[str, str], list[str]]:
    found = {}
    for path in sorted((out / "expression").iterdir()):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                assert info.date_time == (1980, 1, 1, 0, 0, 0)
                assert info.compress_type == zipfile.ZIP_STORED
                text = archive.read(info).decode("utf-8")
                found[f"expression/{path.name}", info.filename] = text.split("\r\n")
    return found


def attributes(lines: list[str], section: str) -> dict[str, str]:
    start, end = lines.index(f"<{section}>"), lines.index(f"</{section}>")
    return dict(line.split(",", 1) for line in lines[start + 1 : end])


def counts(lines: list[str]) -> dict[str, int]:
    start, end = lines.index("<Code_Summary>"), lines.index("</Code_Summary>")
    assert lines[start + 1] == "CodeClass,Name,Accession,Count"
    return {line.split(",")[1]: int(line.split(",")[3]) for line in lines[start + 2 : end]}


def linearity(found: dict[str, int]) -> float:
    known = [(math.log2(float(n[6:-1])), math.log2(max(c, 1))) for n, c in found.items() if n.startswith("POS_")]
    return statistics.correlation(*zip(*known, strict=True)) ** 2


def test_lanes_are_complete_and_pass(cartridges: tuple[Path, list[Table]]) -> None:
    out, tables = cartridges
    found = members(out)
    assert len(found) == len(tables)
    controls = set()
    for (path, name), lines in found.items():
        sections = [line for line in lines if re.fullmatch(r"<[A-Z]\w+>", line)]
        assert sections == ["<Header>", "<Sample_Attributes>", "<Lane_Attributes>", "<Code_Summary>", "<Messages>"]
        sample, lane = attributes(lines, "Sample_Attributes"), attributes(lines, "Lane_Attributes")
        found_counts = counts(lines)
        assert len(found_counts) == 29 + 4 + 6 + 8
        assert name == f"{sample['Date']}_{lane['CartridgeID']}_{sample['ID']}_{int(lane['ID']):02d}.RCC"
        assert path == f"expression/cartridge_{int(lane['CartridgeID'][4:])}.zip"
        assert int(lane["FovCounted"]) / int(lane["FovCount"]) >= 0.75
        assert 0.05 <= float(lane["BindingDensity"]) <= 2.25
        assert linearity(found_counts) >= 0.95
        if sample["ID"].startswith("CTRL-"):
            controls.add(sample["ID"])
    assert len(controls) >= 14
    per_file: dict[str, int] = {}
    for path, _ in found:
        per_file[path] = per_file.get(path, 0) + 1
    assert max(per_file.values()) == 12
    names = [attributes(lines, "Sample_Attributes")["ID"] for lines in found.values()]
    assert sorted(n for n in set(names) if names.count(n) > 1) == ["RH01002-00"]


def test_count_lines_stand_where_they_are_said_to_be(cartridges: tuple[Path, list[Table]]) -> None:
    found = members(cartridges[0])
    for lane in cartridges[1]:
        lines = found[lane.path, lane.sheet or ""]
        for row in lane.rows:
            assert lines[lane.line(row) - 1] == ",".join(row.cells[c] for c in lane.columns)


def test_few_patients_still_have_their_controls() -> None:
    tables = nanostring.lanes(P, SEED, patients(1))
    assert sum(t.donor.taken is None for t in tables if isinstance(t, nanostring.Lane)) == 14


def test_scores_from_counts_follow_the_truth(cartridges: tuple[Path, list[Table]]) -> None:
    """Interferon score by the published recipe from the written counts against the true one."""
    normal: dict[str, dict[str, float]] = {}
    for lines in members(cartridges[0]).values():
        found = counts(lines)
        scale = statistics.geometric_mean([found[gene] for gene in nanostring.HOUSEKEEPING])
        normal[attributes(lines, "Sample_Attributes")["ID"]] = {g: found[g] / scale for g in nanostring.ISG6}
    controls = [own for name, own in normal.items() if name.startswith("CTRL-")]
    middle = {gene: statistics.median(own[gene] for own in controls) for gene in nanostring.ISG6}
    rows = nanostring.truth(P, SEED, patients(14), cartridges[1])
    true = {str(row["sample"]): float(str(row["value"])) for row in rows if row["item"] == "ISG6"}
    assert set(true) == set(normal)
    ratios = []
    for name, own in normal.items():
        score = statistics.median(own[gene] / middle[gene] for gene in nanostring.ISG6)
        ratios.append(math.log(score / true[name]))
    assert abs(statistics.mean(ratios)) < 0.15
    assert statistics.stdev(ratios) < 0.25
    active = [true[f"RH01{k + 1:03d}-00"] for k in range(14)]
    calm = [value for name, value in true.items() if name.startswith("CTRL-")]
    assert min(active) > max(calm)
    assert statistics.median(calm) == pytest.approx(1, abs=0.35)


# --- both


def test_same_bytes_again_and_the_same_plates_with_more_patients(
    plates: tuple[Path, list[Table]], cartridges: tuple[Path, list[Table]], tmp_path: Path
) -> None:
    more = patients(20)
    write_xponent.write(xponent.plates(P, SEED, more), tmp_path)
    write_rcc.write(nanostring.lanes(P, SEED, more), tmp_path)
    for name in ("plate_1", "plate_1_repeat", "plate_2", "plate_3"):
        path = Path("cytokines", f"{name}.csv")
        assert (tmp_path / path).read_bytes() == (plates[0] / path).read_bytes()
    full = sorted(p.name for p in (cartridges[0] / "expression").iterdir())
    lanes = {name: len(zipfile.ZipFile(cartridges[0] / "expression" / name).namelist()) for name in full}
    for name in (name for name in full if lanes[name] == 12):
        path = Path("expression", name)
        assert (tmp_path / path).read_bytes() == (cartridges[0] / path).read_bytes()


Planted = tuple[Path, list[Table], list[Cell], list[Table]]


def planted(kind: str, out: Path, times: int = 1) -> Planted:
    """(folder, tables, cells, tables before) of a kind planted alone."""
    people = patients(14)
    tables = [*xponent.plates(P, SEED, people), *nanostring.lanes(P, SEED, people)]
    before = copy.deepcopy(tables)
    forge = Forge({patient.number: patient for patient in people}, {}, tables, 2027)
    cells = []
    for k in range(times):
        made = defects_plates.MAKERS[kind](forge, stream(SEED, "defect", kind, k))
        assert made
        cells += made
    write_xponent.write(tables, out)
    write_rcc.write(tables, out)
    return out, tables, cells, before


@pytest.mark.parametrize("kind", sorted(defects_plates.MAKERS))
def test_a_defect_is_where_it_is_said_to_be_and_nowhere_else(kind: str, tmp_path: Path) -> None:
    out, tables, cells, before = planted(kind, tmp_path)
    found = members(out)
    for cell in cells:
        line = cell.table.line(cell.row)
        assert cell.original != cell.planted
        if isinstance(cell.table, nanostring.Lane):
            lines = found[cell.table.path, cell.table.sheet or ""]
            if cell.item == "COUNT":
                assert lines[line - 1].split(",")[3] == cell.planted
            else:
                assert lines[line - 2].startswith("CodeClass,")
                key = {"SAMPLE_ID": "ID", "FOV_COUNTED": "FovCounted", "BINDING_DENSITY": "BindingDensity"}[cell.item]
                section = "Sample_Attributes" if key == "ID" else "Lane_Attributes"
                assert attributes(lines, section)[key] == cell.planted
        else:
            assert isinstance(cell.table, write_xponent.Block)
            separator, encoding = FORMS[cell.table.plate.form]
            text = (out / cell.table.path).read_bytes().decode(encoding).split("\r\n")[line - 1]
            column = cell.table.columns.index(cell.item)
            assert next(csv.reader([text], delimiter=separator))[column] == cell.planted
    changed = {
        (new.path, new.sheet, new.line(row), column)
        for old, new in zip(before, tables, strict=True)
        for past, row in zip(old.rows, new.rows, strict=False)
        for column in new.columns
        if past.cells[column] != row.cells[column]
    }
    own = {(c.table.path, c.table.sheet, c.table.line(c.row)) for c in cells}
    assert {address[:3] for address in changed} <= own
    if not isinstance(cells[0].table, nanostring.Lane) or cells[0].item == "COUNT":
        assert len(changed) == len(cells)


def test_replicates_differ_clearly(tmp_path: Path) -> None:
    _, _, cells, _ = planted("plate_replicates_differ", tmp_path, 5)
    cvs = [c for c in cells if isinstance(c.table, write_xponent.Block) and c.table.title == "%CV Replicates"]
    assert len(cvs) == 5
    assert all(figure(cell.planted) > 25 for cell in cvs)


def test_few_beads_come_with_a_warning(tmp_path: Path) -> None:
    out, _, cells, _ = planted("plate_beads_low", tmp_path)
    block = cells[0].table
    assert isinstance(block, write_xponent.Block)
    assert int(cells[0].planted) < 35
    warnings = blocks(out / block.path, block.plate.form)["Warnings/Errors"]
    number, well = cells[0].row.cells["Location"].split("(")
    assert number.isdigit()
    assert warnings[1][1][:2] == [well.rstrip(")"), "Warning"]


def test_failed_controls_are_on_the_plate_that_was_read_again(tmp_path: Path) -> None:
    out, _, cells, _ = planted("plate_controls_failed", tmp_path)
    assert {cell.table.path for cell in cells} == {"cytokines/plate_1.csv"}
    for name, low, high in (("plate_1", 130, 250), ("plate_1_repeat", 75, 125)):
        rows = blocks(out / "cytokines" / f"{name}.csv", "instrument")["% Recovery"]
        shares = [float(cell) for _, cells in rows if cells[1].startswith("Control") for cell in cells[2:10]]
        assert len(shares) == 32
        assert all(low < share < high for share in shares)


def test_unknown_samples_are_unknown(tmp_path: Path) -> None:
    ids = {sample.id for patient in patients(14) for sample in patient.samples}
    for kind in ("plate_sample_unknown", "lane_sample_unknown"):
        _, _, cells, _ = planted(kind, tmp_path / kind, 3)
        assert all(cell.original in ids and cell.planted not in ids for cell in cells)


def test_lane_defects_fail_their_check(tmp_path: Path) -> None:
    _, _, cells, _ = planted("lane_fov_low", tmp_path / "fov", 3)
    assert all(int(cell.planted) / 280 < 0.75 for cell in cells)
    _, _, cells, _ = planted("lane_density_high", tmp_path / "density", 3)
    assert all(float(cell.planted) > 2.25 for cell in cells)
    out, _, cells, _ = planted("lane_linearity", tmp_path / "linearity", 3)
    for lane in {(cell.table.path, cell.table.sheet or "") for cell in cells}:
        assert linearity(counts(members(out)[lane])) < 0.95
