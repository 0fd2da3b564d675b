"""Clean tables that only the oral trial has, or has in its own form, against the truth of its extracts.

Scores of expression are compared with those computed here from the RCC counts, since the latent levels are not what the
lanes counted; the counts are compared with the latent levels within the noise of the simulation.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pandas as pd
import pytest
from helpers import rcc_scores, truth_compare
from helpers.truth_case import TruthCase, committed, text

from trialpipe.simulate.nanostring import GENES, HOUSEKEEPING
from trialpipe.simulate.parameters import FOLDER, read_parameters
from trialpipe.simulate.xponent import ANALYTES

MILESTONES = [
    ("pr", "PRSTDTC", ("PRDECOD", "HSCT"), "hsct"),
    ("pr", "PRSTDTC", ("PRDECOD", "CONDITIONING"), "conditioning"),
    ("ds", "DSSTDTC", ("DSDECOD", "DEATH"), "death"),
    ("cm", "CMSTDTC", ("CMCAT", "RESCUE"), "rescue"),
    ("ex", "EXSTDTC", ("EXTRT", "RUXOLITINIB"), "first_dose"),
]
DIAGNOSIS = {
    "GENE": "gene",
    "FAMHIST": "family_history",
    "HEMOPHAG": "hemophag",
    "NKACT": "nk",
    "HLADR": "hladr",
    "IMMSUP": "immsup",
    "PRIORTRT": "priortrt",
}


@pytest.fixture(scope="module")
def case() -> TruthCase:
    return committed("r-hlh")


@pytest.mark.parametrize(("domain", "variable", "where", "item"), MILESTONES)
def test_milestones(case, domain, variable, where, item):
    truth_compare.first_dates(case, domain, variable, where, item)


def test_diagnosis(case):
    found = {(case.subject(row), row["SCTESTCD"]): row["SCSTRESC"] for row in case.sound(case.clean.tables["sc"])}
    for patient in case.rows("patients"):
        for code, item in DIAGNOSIS.items():
            expected = patient[item] if code == "GENE" else patient[item].upper()
            seen = text(found.get((patient["subject"], code)))
            assert (seen.lower() if code == "GENE" else seen) == (expected.lower() if code == "GENE" else expected)


def test_doses(case):
    def rows(table, own):
        return Counter((case.subject(r), r["EXSTDTC"], r["EXENDTC"], f"{r['EXDOSE']:g}") for r in own(table))

    expected = Counter((t["subject"], t["start"], t["end"], f"{float(t['mg']):g}") for t in case.rows("doses"))
    found = rows(case.clean.tables["ex"], case.sound)
    assert not found - expected
    changed = {cell["raw_row"] for cell in case.cells if cell["sheet"] == "IG.EX"}
    assert (expected - found).total() == len(changed)


def test_adverse_events_related_and_outcome(case):
    known = {(t["subject"], t["number"]): t for t in case.rows("ae")}
    for row in case.sound(case.clean.tables["ae"]):
        expected = known[case.subject(row), row["AESPID"]]
        assert row["AETERM"] == expected["term"]
        assert (row["AEREL"] == "RELATED") == (expected["related"] == "Y")
        assert row["AEOUT"] == {"ongoing": "NOT RECOVERED"}.get(expected["outcome"], expected["outcome"].upper())


def test_concentrations(case):
    """Runs reported in nM print their limits with four figures."""
    assert truth_compare.concentrations(case, "ng/mL", 0.5, 500, printed=5e-4) > 0.9 * len(case.rows("pk"))


def test_matrix_and_dose_of_concentrations(case):
    known = {t["sample"]: t for t in case.rows("pk")}
    specimens = Counter()
    for row in case.sound(case.clean.tables["pc"]):
        expected = known[row["PCREFID"]]
        assert row["PCSPEC"] == expected["matrix"].upper()
        assert ("" if pd.isna(row["PCDOSE"]) else f"{row['PCDOSE']:g}") == expected["last_mg"]
        specimens[row["PCSPEC"]] += row["PCORRESU"] == "nM"
    assert min(specimens["PLASMA"], specimens["CSF"] + 1) > 0


def few_beads(case: TruthCase) -> set[tuple[str, str, str]]:
    """(file, sample, analyte) of planted low bead counts; the sample stands in the line of the count."""
    codes = {printed: code for code, (printed, _) in ANALYTES.items()}
    found = set()
    for cell in case.cells:
        if cell["kind"] == "plate_beads_low":
            lines = (case.root / cell["file"]).read_bytes().decode("cp1252").splitlines()
            location, sample = re.match(r'^"?(\d+\(1,\w+\))"?[,;]"?([^",;]+)', lines[int(cell["row"]) - 1]).groups()
            assert location
            found.add((cell["file"], sample, codes[cell["item"]]))
    return found


def test_cytokines(case):
    """A well with too few beads leaves the other one, which is the first."""
    chosen = case.last_runs()
    few = few_beads(case)
    if not any(cell["kind"] == "plate_sample_unknown" for cell in case.cells):
        assert all(row["last"] == "yes" for row in chosen.values())
    sides, seen = Counter(), set()
    for row in case.sound_wells(case.clean.tables["lbcy"]):
        key = (row["LBREFID"], row["LBTESTCD"])
        expected = chosen[key]
        seen.add(key)
        assert case.subject(row) == expected["subject"], key
        assert row["LBDTC"] == expected["datetime"], key
        assert row["LBLLOQ"] == pytest.approx(float(expected["lloq"]), rel=1e-3), key
        assert row["LBULOQ"] == pytest.approx(float(expected["uloq"]), rel=1e-3), key
        if (expected["file"], *key) in few:
            assert row["LBSTRESN"] == pytest.approx(float(expected["well_1"].replace(",", ".")), rel=1e-6), key
            continue
        assert row["LBCENS"] == expected["cens"], key
        sides[row["LBCENS"]] += 1
        if expected["cens"] == "none":
            assert row["LBSTRESN"] == pytest.approx(float(expected["result"]), rel=1e-6), key
        else:
            bound = {"left": "LBLLOQ", "right": "LBULOQ"}[expected["cens"]]
            assert pd.isna(row["LBSTRESN"]), key
            assert row[bound] == pytest.approx(float(expected["result"]), rel=1e-3), key
    moved = {(cell["file"], cell["original"]) for cell in case.cells if cell["kind"] == "plate_sample_unknown"}
    lost = {key for key in set(chosen) - seen if (chosen[key]["file"], key[0]) not in moved}
    assert len(lost) <= sum(cells[0]["file"].startswith("cytokines") for cells in case.defects.values())
    assert len(seen) > 700
    assert sides["left"] > 10


@cache
def lanes(case: TruthCase) -> list[rcc_scores.Lane]:
    return rcc_scores.read(case.root / "expression")


def test_lanes_that_fail_are_the_planted_ones(case):
    planted = {cell["sheet"] for cell in case.cells if cell["kind"] in ("lane_fov_low", "lane_density_high")}
    planted |= {cell["sheet"] for cell in case.cells if cell["kind"] == "lane_linearity"}
    assert {lane.member for lane in lanes(case) if rcc_scores.fails(lane)} == planted


def test_expression_follows_from_the_counts(case):
    counts = rcc_scores.normalised(lanes(case))
    scores = rcc_scores.scores(counts)
    own = {t["sample"]: t for t in case.rows("expression") if t["control"] == "no"}
    seen = Counter()
    for row in case.clean.tables["gf"].to_dict("records"):
        sample, test = row["GFREFID"], row["GFTESTCD"]
        assert (case.subject(row), row["GFDTC"]) == (own[sample]["subject"], own[sample]["datetime"])
        if test in scores[sample]:
            expected = scores[sample][test]
        else:
            place = list(GENES).index(test)
            expected = (counts[sample][0][place], counts[sample][1][place])
        if expected is None:
            assert pd.isna(row["GFSTRESN"])
            continue
        low, high = expected
        kind = "none" if low == high else "left" if np.isfinite(high) else "right"
        seen[test in scores[sample], kind] += 1
        assert row["GFCENS"] == kind, (sample, test)
        if kind == "none":
            assert row["GFSTRESN"] == pytest.approx(high, rel=1e-6), (sample, test)
        else:
            bound = row["GFLLOQ"] if kind == "left" else row["GFULOQ"]
            assert pd.isna(row["GFSTRESN"])
            assert bound == pytest.approx(high if kind == "left" else low, rel=1e-6), (sample, test)
    failed = {cell["original"] for cell in case.cells if cell["kind"] == "lane_sample_unknown"}
    lost = {lane.sample for lane in lanes(case) if rcc_scores.fails(lane)} | failed
    assert {row for row in own} - set(case.clean.tables["gf"]["GFREFID"]) == lost - set(counts) | failed
    assert seen[False, "none"] > 2000
    assert seen[True, "none"] > 150


def test_counts_are_those_of_the_true_levels(case):
    """Normalised count over true level is one constant, with the noise of counting and of the housekeeping genes."""
    p = read_parameters(FOLDER / f"{case.trial}.yaml")
    extra, background = p.number("rna_dispersion"), p.number("rna_background")
    spread = sum(p.numbers(f"rna_{gene}")[2] ** 2 + extra for gene in HOUSEKEEPING) / len(HOUSEKEEPING) ** 2
    levels: dict[str, dict[str, float]] = defaultdict(dict)
    for t in case.rows("expression"):
        if t["item"] in GENES:
            levels[t["sample"]][t["item"]] = float(t["value"])
    away = []
    for sample, (low, high) in rcc_scores.normalised(lanes(case)).items():
        for gene, least, most in zip(GENES, low, high, strict=True):
            true = levels.get(sample, {}).get(gene, 0.0)
            if least == most and true > 20 * background:
                away.append((np.log(most / true), np.sqrt(spread + extra + 1 / true)))
    ratios, sds = np.array(away).T
    z = (ratios - np.median(ratios)) / sds
    assert len(z) > 1000
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.5
    assert np.abs(z).max() < 6


def test_viruses(case):
    """PCRs of a patient without planted defects: how many, how many positive, and the load at inclusion."""
    spoilt = {cell["subject"] for cell in case.cells if cell["sheet"] == "IG.MB"}
    found = defaultdict(list)
    for row in case.clean.tables["mb"].to_dict("records"):
        found[case.subject(row), row["MBTESTCD"]].append(row)
    first = {p["subject"]: p["first_dose"][:10] for p in case.rows("patients")}
    compared = 0
    for t in case.rows("virus"):
        if t["subject"] in spoilt:
            continue
        rows = sorted(found.pop((t["subject"], t["virus"])), key=lambda row: row["MBDTC"])
        before = [row for row in rows if row["MBDTC"] <= first[t["subject"]]]
        later = [row for row in rows if row["MBDTC"] > first[t["subject"]]]
        assert len(later) == int(t["tests_after"]), t
        assert sum(row["MBQUAL"] == "POSITIVE" for row in later) == int(t["positive_after"]), t
        assert bool(before) == (t["baseline"] != "missing"), t
        if before:
            assert before[-1]["MBQUAL"] == t["baseline"].upper(), t
        if t["baseline_load"]:
            assert before[-1]["MBSTRESN"] == float(t["baseline_load"]), t
        assert any(row["MBORGAN"] == "Y" for row in rows) == (t["organ"] == "Y"), t
        compared += 1
    assert {subject for subject, _ in found} <= spoilt
    assert compared > 20
