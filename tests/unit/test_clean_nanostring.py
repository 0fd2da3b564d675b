"""NanoString lanes: acceptance, normalisation, censoring, scores. Lanes are built so that the factors are known.

Positive controls are powers of two times 128, 32, 8, 2, 0.5, housekeeping genes are equal: a lane loaded twice has all
counts doubled and normalises to the same values.
"""

from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pandas as pd
import pytest

from trialpipe.clean import expression
from trialpipe.clean.expression import Range, Score
from trialpipe.clean.reference import load
from trialpipe.clean.run import clean, context_from
from trialpipe.config.extracts import DomainMap
from trialpipe.io.errors import DataError

TABLE = expression.definitions()
ISG6, ISG28, CXCL9 = TABLE.scores
GENES = sorted(TABLE.genes)
SPEC = {
    "trial": "t",
    "data_cutoff": "2020-06-30",
    "dialects": {"b": {}},
    "codelists": [{"id": "G", "values": {code: code for code in (*GENES, "ISG6", "ISG28", "CXCL9FC")}}],
    "subject_pattern": "[A-Z][0-9]",
    "checks": [],
}
DOMAIN = {
    "domain": "gf",
    "label": "x",
    "observation": "finding",
    "key": ["GFTESTCD", "GFREFID"],
    "rows": [
        {
            "form": "b.lanes",
            "prepare": "nanostring",
            "subject": "SAMPLE",
            "set": {"GFREFID": {"item": "SAMPLE"}},
            "long": {"code": "TEST", "codelist": "G", "result": "RESULT", "unit": "1"},
        }
    ],
}
# mean 10, SD 2 with n - 1: limit of detection 14
NEGATIVES = (8, 8, 10, 10, 10, 10, 12, 12)
SD = math.sqrt(16 / 7)
LOD = 10 + 2 * SD
POSITIVES = {"A": 128, "B": 32, "C": 8, "D": 2, "E": 0.5, "F": 0.125}


def lane(
    sample: str,
    genes: dict[str, float] | float = 100.0,
    *,
    times: float = 1,
    name: str | None = None,
    cartridge: str = "C1",
    number: int = 1,
    date: str = "20200301",
    positives: dict[str, float] | None = None,
    housekeeping: float = 200,
    negatives: tuple = NEGATIVES,
    **attributes: str | None,
) -> list[dict]:
    """Rows of one lane; ``genes`` (others 100) and housekeeping are multiplied with ``times``, as are positives."""
    own = {gene: 100.0 for gene in GENES} | (genes if isinstance(genes, dict) else dict.fromkeys(GENES, genes))
    probes = [("Endogenous", gene, count) for gene, count in own.items()]
    probes = [(kind, gene, None if count is None else count * times) for kind, gene, count in probes]
    probes += [("Endogenous", "ACTB2", 5.0)]
    probes += [("Housekeeping", gene, housekeeping * times) for gene in ("ALAS1", "HPRT1", "TBP", "TUBB")]
    counts = {letter: conc * 64 for letter, conc in POSITIVES.items()} | (positives or {})
    probes += [("Positive", f"POS_{letter}({POSITIVES[letter]})", count * times) for letter, count in counts.items()]
    probes += [("Negative", f"NEG_{letter}(0)", count) for letter, count in zip("ABCDEFGH", negatives, strict=True)]
    head = {"SAMPLE_ID": sample, "DATE": date, "CARTRIDGE_ID": cartridge, "LANE_ID": str(number)}
    head |= {"FOV_COUNT": "280", "FOV_COUNTED": "280", "BINDING_DENSITY": "0.5", "SCANNER_ID": "1207C0049"}
    head |= {"SYSTEM_TYPE": None, "COMMENTS": None, "GENERLF": "X", **attributes}
    file = name or f"{sample}_{cartridge}_{number}"
    place = {"source_file": "cartridge.zip", "source_sheet": f"{file}.RCC"}
    return [
        {**place, "source_row": 30 + n, **head, "CODE_CLASS": kind, "NAME": probe, "COUNT": _shown(count)}
        for n, (kind, probe, count) in enumerate(probes)
    ]


def _shown(count: float | None) -> str | None:
    return None if count is None else repr(float(count))


def spread(k: int) -> float:
    """50, 100, 200 in turn: of 12, the median is 100, log2 has the mean log2(100) and the SD sqrt(8 / 11)."""
    return (50.0, 100.0, 200.0)[k % 3]


def controls(n: int = 12, genes=spread, **more) -> list[dict]:
    """Lanes of n healthy controls, ``genes`` of each from its number."""
    return [row for k in range(n) for row in lane(f"CTRL-{k:02d}", genes(k), cartridge="C0", number=k + 1, **more)]


def run(*lanes: list[dict], **spec):
    frame = pd.DataFrame([row for rows in lanes for row in rows], dtype="object")
    result = clean(DomainMap.model_validate(DOMAIN), {"b.lanes": frame}, context_from({**SPEC, **spec}))
    accounts = result.reconciliation.groupby("status")["rows"].sum()
    assert accounts["in"] == accounts.get("kept", 0) + accounts.get("set_aside", 0) == len(frame)
    return result


def rules(result) -> list[str]:
    return result.queries["rule"].tolist()


def of(result, test: str, sample: str = "A1") -> dict:
    table = result.table
    (row,) = table[(table["GFTESTCD"] == test) & (table["GFREFID"] == sample)].to_dict("records")
    return row


def number(result, test: str, sample: str = "A1") -> float:
    return of(result, test, sample)["GFSTRESN"]


def has(result, test: str, sample: str = "A1") -> bool:
    table = result.table
    return bool(((table["GFTESTCD"] == test) & (table["GFREFID"] == sample)).any())


# normalisation


def test_loading_does_not_matter():
    result = run(controls(), lane("A1", 300.0), lane("B2", 300.0, times=2, number=2))
    assert rules(result) == []
    assert number(result, "IFI27") == pytest.approx(number(result, "IFI27", "B2"), rel=1e-9)
    assert number(result, "ISG6") == pytest.approx(3)
    assert number(result, "CXCL9FC", "B2") == pytest.approx(3)
    row = of(result, "IFI27")
    assert (row["GFSTRESU"], row["GFCENS"]) == ("{count}", "none")
    assert of(result, "ISG6")["GFSTRESU"] == "1"
    assert set(result.table["GFREFID"]) == {"A1", "B2"}
    assert len(result.table) == 2 * (29 + 3)


def test_normalised_count_and_limit_by_hand():
    # two lanes; positives 64 and 128 times the concentration, housekeeping 200 and 800:
    # geometric means of A-E 512 and 1024 -> factors 1.5 and 0.75; then housekeeping 300 and 600 -> 1.5 and 0.75
    first = lane("A1", {"IFI27": 40.0})
    second = lane("B2", {"IFI27": 40.0}, times=2, housekeeping=400, number=2)
    result = run(first, second)
    assert number(result, "IFI27") == pytest.approx(40 * 1.5 * 1.5)
    assert number(result, "IFI27", "B2") == pytest.approx(80 * 0.75 * 0.75)
    assert of(result, "IFI27")["GFLLOQ"] == pytest.approx(LOD * 1.5 * 1.5)
    assert of(result, "IFI27", "B2")["GFLLOQ"] == pytest.approx(LOD * 0.75 * 0.75)


def test_a_count_below_the_limit_of_its_lane_is_censored():
    low, high = math.floor(LOD), math.ceil(LOD)
    result = run(lane("A1", {"IFI27": low, "MX1": high, "OAS1": 0.0}))
    for gene in ("IFI27", "OAS1"):
        row = of(result, gene)
        assert (row["GFCENS"], row["flags"]) == ("left", ["BLQ"])
        assert row["GFLLOQ"] == pytest.approx(LOD)
        assert row["GFSTRESC"].startswith("<13.0")
    assert (of(result, "MX1")["GFCENS"], number(result, "MX1")) == ("none", high)


def test_a_lane_without_background_has_a_limit_of_one_count():
    result = run(lane("A1", {"IFI27": 0.0, "MX1": 1.0}, negatives=(0,) * 8))
    assert of(result, "IFI27")["GFSTRESC"] == "<1"
    assert number(result, "MX1") == 1


def test_normalisation_against_whole_matrices():
    rng = np.random.default_rng(11)
    letters, names = "ABCDE", [f"CTRL-{k:02d}" for k in range(14)] + ["A1", "A2", "A3"]
    positives = np.array([POSITIVES[c] * 64 for c in letters]) * np.exp2(rng.normal(0, 0.15, (17, 5)))
    genes, keeping = rng.uniform(30, 4000, (17, 29)), rng.uniform(150, 900, 17)
    lanes = [
        lane(
            name,
            dict(zip(GENES, genes[k], strict=True)),
            positives=dict(zip(letters, positives[k], strict=True)),
            housekeeping=keeping[k],
            number=k,
        )
        for k, name in enumerate(names)
    ]
    first = np.exp(np.log(positives).mean(axis=1))
    first = first.mean() / first
    second = (keeping * first).mean() / (keeping * first)
    counts = pd.DataFrame(genes * (first * second)[:, None], index=names, columns=GENES)
    healthy, z = np.log2(counts.iloc[:14]), np.log2(counts)
    z = ((z - healthy.mean()) / healthy.std())[list(ISG28.genes)].sum(axis=1)
    folds = (counts / counts.iloc[:14].median())[list(ISG6.genes)].median(axis=1)
    result = run(*lanes)
    assert rules(result) == []
    for name in names[14:]:
        assert number(result, "MX1", name) == pytest.approx(counts.loc[name, "MX1"])
        assert number(result, "ISG28", name) == pytest.approx(z[name])
        assert number(result, "ISG6", name) == pytest.approx(folds[name])


# acceptance


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"FOV_COUNTED": "210"}, None),
        ({"FOV_COUNTED": "209"}, "lane-fov"),
        ({"FOV_COUNTED": None}, "lane-fov"),
        ({"BINDING_DENSITY": "0.05"}, None),
        ({"BINDING_DENSITY": "0.04"}, "lane-density"),
        ({"BINDING_DENSITY": "2.25"}, None),
        ({"BINDING_DENSITY": "2.26"}, "lane-density"),
        ({"BINDING_DENSITY": "1.9", "SYSTEM_TYPE": "nCounter SPRINT"}, "lane-density"),
        ({"BINDING_DENSITY": "1.9", "SCANNER_ID": "1605P0123"}, "lane-density"),
        ({"BINDING_DENSITY": "0.09", "SCANNER_ID": "1605P0123"}, "lane-density"),
        ({"BINDING_DENSITY": "1.8", "SCANNER_ID": "1605P0123"}, None),
        ({"positives": {"B": 64, "D": 4096}}, "lane-linearity"),
        ({"positives": {"E": 13}}, "lane-detection"),
        ({"positives": {"E": 14}}, None),
        ({"positives": {"C": 0}}, "lane-incomplete"),
        ({"housekeeping": 0}, "lane-incomplete"),
        ({"housekeeping": 200 / 9}, None),
        ({"housekeeping": 200 / 11}, "lane-housekeeping"),
        ({"housekeeping": 200 * 20}, "lane-housekeeping"),
    ],
)
def test_acceptance_of_a_lane(change, rule):
    # 39 lanes of reference keep the mean over the lanes near their own
    result = run(controls(39), lane("A1", **change))
    assert rules(result) == ([] if rule is None else [rule])
    assert has(result, "ISG6") == (rule is None)
    if rule is not None:
        reasons = result.reconciliation.set_index("reason")["rows"].to_dict()
        (failed,) = [name for name in reasons if name.startswith("lane failed")]
        assert reasons[failed] == len(lane("A1"))
        assert result.queries["severity"].tolist() == ["error"]


@pytest.mark.parametrize(("share", "accepted"), [(1 / 2.9, True), (1 / 3.2, False), (3.2, True), (3.7, False)])
def test_positive_factor(share, accepted):
    # of 40 lanes one with `share` of the positives of the others: factor (39 + share) / 40 / share
    factor = (39 + share) / 40 / share
    assert (0.3 <= factor <= 3) == accepted
    more = {letter: conc * 64 * share for letter, conc in POSITIVES.items()}
    result = run(controls(39), lane("A1", positives=more, negatives=(0,) * 8))
    assert has(result, "ISG6") == accepted
    assert rules(result) == ([] if accepted else ["lane-positive"])


def test_a_check_that_is_switched_off_does_not_judge():
    result = run(controls(), lane("A1", FOV_COUNTED="1"), checks=[{"rule": "lane-fov", "off": "x"}])
    assert (rules(result), has(result, "ISG6")) == ([], True)


def test_a_lane_that_failed_does_not_change_the_others():
    alone = run(controls(), lane("A1", 300.0))
    beside = run(controls(), lane("A1", 300.0), lane("B2", times=50, FOV_COUNTED="1", number=2))
    assert number(alone, "MX1") == number(beside, "MX1")


def test_the_last_accepted_lane_counts():
    first = lane("A1", 300.0, cartridge="C2", date="20200301")
    second = lane("A1", 400.0, cartridge="C1", date="20200302")
    result = run(controls(), second, first)
    assert number(result, "ISG6") == pytest.approx(4)
    assert rules(result) == ["lane-repeat"]
    assert result.reconciliation.set_index("reason").loc["repeated on another lane", "rows"] == len(first)
    # same day: by cartridge, then by lane, as numbers
    ninth, tenth = (lane("A1", value, number=n) for value, n in ((300.0, 9), (400.0, 10)))
    assert number(run(controls(), tenth, ninth), "ISG6") == pytest.approx(4)
    failed = lane("A1", 400.0, cartridge="C1", date="20200302", FOV_COUNTED="1")
    result = run(controls(), first, failed)
    assert number(result, "ISG6") == pytest.approx(3)
    assert rules(result) == ["lane-fov"]


def test_a_lane_without_a_readable_date_counts_as_the_earliest():
    result = run(controls(), lane("A1", 300.0), lane("A1", 400.0, number=2, date="soon"))
    assert number(result, "ISG6") == pytest.approx(3)
    assert rules(result) == ["lane-repeat", "lane-undated"]


def test_lines_are_accounted_for():
    result = run(controls(), lane("A1"), lane("", number=7))
    reasons = result.reconciliation.set_index("reason")["rows"].to_dict()
    each = len(lane("A1"))
    assert {key: value for key, value in reasons.items() if key} == {
        "healthy control": 12 * each,
        "lane without a sample number": each,
        "positive control": 6,
        "negative control": 8,
        "housekeeping gene": 4,
        "gene of no score": 1,
    }
    assert result.reconciliation.set_index("status").loc["kept", "rows"] == 29


# scores


def test_scores_by_hand():
    own = dict(zip(ISG6.genes, (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0), strict=True)) | {"CXCL9": 250.0}
    result = run(controls(), lane("A1", own))
    assert rules(result) == []
    assert number(result, "ISG6") == pytest.approx((4 + 8) / 2)
    assert number(result, "CXCL9FC") == pytest.approx(2.5)
    # log2 fold changes 0..5 of six genes, the other 22 are at the mean
    assert number(result, "ISG28") == pytest.approx(sum(range(6)) / math.sqrt(8 / 11))


def test_z_scores_against_the_standard_library():
    rng = random.Random(7)
    wide = [{gene: 20 + 1000 * rng.random() for gene in GENES} for _ in range(12)]
    own = {gene: 20 + 5000 * rng.random() for gene in GENES}
    result = run(controls(genes=lambda k: wide[k]), lane("A1", own))
    z = [
        (math.log2(own[g]) - statistics.mean(logs)) / statistics.stdev(logs)
        for g in ISG28.genes
        for logs in [[math.log2(w[g]) for w in wide]]
    ]
    assert number(result, "ISG28") == pytest.approx(sum(z), rel=1e-9)
    folds = [own[g] / statistics.median(w[g] for w in wide) for g in ISG6.genes]
    assert number(result, "ISG6") == pytest.approx(statistics.median(folds), rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "shown", "cens"),
    [
        # median of the controls 100; a censored gene has a fold change below LOD / 100 = 0.13
        ((5, 200, 300, 400, 500, 600), 3.5, "none"),
        ((5, 5, 300, 400, 500, 600), 3.5, "none"),
        ((5, 5, 5, 400, 500, 600), (LOD / 100 + 4) / 2, "left"),
        ((5, 5, 5, 5, 500, 600), LOD / 100, "left"),
        ((5, 5, 5, 5, 5, 5), LOD / 100, "left"),
    ],
)
def test_a_median_is_a_number_unless_its_middle_is_censored(counts, shown, cens):
    own = {gene: float(count) for gene, count in zip(ISG6.genes, counts, strict=True)}
    row = of(run(controls(), lane("A1", own)), "ISG6")
    assert row["GFCENS"] == cens
    assert row["GFSTRESN" if cens == "none" else "GFLLOQ"] == pytest.approx(shown)


def test_a_sum_with_a_censored_gene_is_censored_at_its_limit():
    own = {"MX1": 5.0, "OAS1": 200.0}
    row = of(run(controls(), lane("A1", own)), "ISG28")
    expected = (math.log2(LOD / 100) + 1) / math.sqrt(8 / 11)
    assert (row["GFCENS"], row["GFLLOQ"]) == ("left", pytest.approx(expected))
    assert row["GFSTRESC"].startswith("<-2.")


def few_above(k: int, n: int) -> dict[str, float]:
    """IFIT1 and CXCL9 below the limit of detection in the first n controls."""
    return dict.fromkeys(GENES, spread(k)) | dict.fromkeys(("IFIT1", "CXCL9"), 5.0 if k < n else spread(k))


def test_controls_below_the_limit():
    own = dict.fromkeys(ISG6.genes, 400.0) | {"CXCL9": 400.0}
    # 3 of 12: the median is that of 50 and 100, the z-score takes them at the limit, with a note
    result = run(controls(genes=lambda k: few_above(k, 3)), lane("A1", own))
    assert number(result, "CXCL9FC") == pytest.approx(400 / 75)
    assert rules(result) == ["control-below"]
    logs = [math.log2(LOD)] * 3 + [math.log2(spread(k)) for k in range(3, 12)]
    z = (math.log2(400) - statistics.mean(logs)) / statistics.stdev(logs)
    assert number(result, "ISG28") == pytest.approx(z + 5 * 2 / math.sqrt(8 / 11))
    # 7 of 12: median within [0, limit): the fold change is at least 400 / limit; no z-score
    result = run(controls(genes=lambda k: few_above(k, 7)), lane("A1", own))
    row = of(result, "CXCL9FC")
    assert (row["GFCENS"], row["GFULOQ"]) == ("right", pytest.approx(400 / LOD))
    assert number(result, "ISG6") == pytest.approx(4)
    assert not has(result, "ISG28")
    assert rules(result) == ["control-below", "score-gene"]
    # below the limit in both: nothing is known
    result = run(controls(genes=lambda k: few_above(k, 7)), lane("A1", own | {"CXCL9": 5.0}))
    assert not has(result, "CXCL9FC")
    assert of(result, "CXCL9")["GFCENS"] == "left"


def test_a_median_over_controls_below_the_limit_is_right_censored():
    # three of the six genes have a fold change of at least 400 / limit, the others of 4: median from their middle on
    low = dict.fromkeys(ISG6.genes[:3], 5.0)
    result = run(controls(genes=lambda k: dict.fromkeys(GENES, 100.0) | low), lane("A1", 400.0))
    row = of(result, "ISG6")
    assert (row["GFCENS"], row["GFULOQ"]) == ("right", pytest.approx((4 + 400 / LOD) / 2))
    assert row["GFSTRESC"].startswith(">17.")


def test_controls_without_a_score_are_asked_about_once():
    lanes = [lane(f"A{n}", number=n) for n in (1, 2, 3)]
    result = run(controls(genes=lambda k: 100.0), *lanes)
    assert rules(result) == ["score-gene"]
    assert result.queries["origin"].tolist() == [["cartridge.zip[CTRL-00_C0_1.RCC]:30:SAMPLE_ID"]]
    assert "score ISG28 of every sample is null" in result.queries["message"][0]


def test_a_form_of_another_reader():
    frame = [{"source_file": "a", "source_row": 2, "source_sheet": None, "SAMPLE_ID": "A1"}]
    with pytest.raises(DataError, match="CODE_CLASS"):
        run(frame)


def test_too_few_controls():
    ten = run(controls(10), lane("A1"))
    assert has(ten, "ISG6")
    nine = run(controls(10)[: -len(lane("A1"))], lane("A1"), lane("CTRL-99", FOV_COUNTED="1", number=99))
    assert not has(nine, "ISG6")
    assert not has(nine, "ISG28")
    assert has(nine, "IFI27")
    assert rules(nine) == ["lane-fov", "score-controls"]
    assert "9 accepted control lane(s); score ISG6, ISG28, CXCL9FC is null" in nine.queries["message"][1]


def test_a_control_measured_twice_counts_once():
    twice = controls(9) + lane("CTRL-00", cartridge="C9")
    assert rules(run(twice, lane("A1"))) == ["lane-repeat", "score-controls"]


def test_a_missing_gene():
    rows = [row for row in lane("A1") if row["NAME"] != "MX1"]
    result = run(controls(), rows)
    assert rules(result) == ["score-gene"]
    assert "MX1" in result.queries["message"][0]
    assert (has(result, "ISG6"), has(result, "ISG28"), has(result, "MX1")) == (True, False, False)
    text = [row | ({"COUNT": "many"} if row["NAME"] == "MX1" else {}) for row in lane("A1")]
    result = run(controls(), text)
    assert rules(result) == ["number-invalid", "score-gene"]
    assert pd.isna(number(result, "MX1"))


def test_equal_controls_have_no_z_score():
    result = run(controls(genes=lambda k: 100.0), lane("A1"))
    assert (has(result, "ISG6"), has(result, "ISG28")) == (True, False)
    assert rules(result) == ["score-gene"]


def test_the_order_of_the_rows_and_of_the_files_does_not_matter():
    rows = controls(genes=lambda k: few_above(k, 3)) + lane("A1", 300.0) + lane("A1", 400.0, cartridge="C2")
    rows += lane("B2", {"MX1": 5.0}, times=2, number=3)
    expected = run(rows)
    assert not expected.table.empty
    for seed in range(3):
        shuffled = rows[:]
        random.Random(seed).shuffle(shuffled)
        again = run(shuffled)
        for name in ("table", "queries", "reconciliation"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(expected, name))


def test_lanes_of_several_files():
    rows = controls() + lane("A1", 300.0)
    apart = [row | {"source_file": f"{row['source_sheet']}", "source_sheet": None} for row in rows]
    columns = ["row_id", "GFSTRESN", "GFSTRESC", "GFCENS", "GFLLOQ"]
    pd.testing.assert_frame_equal(run(rows).table[columns], run(apart).table[columns])


# functions


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Range(2, 2), (2, "none")),
        (Range(0, 3), (3, "left")),
        (Range(-math.inf, -1), (-1, "left")),
        (Range(1, 3), (3, "left")),
        (Range(2, math.inf), (2, "right")),
        (Range(0, math.inf), (None, "none")),
    ],
)
def test_what_an_interval_says(found, expected):
    assert expression.censored(found) == expected


def test_linearity_against_the_closed_form():
    assert expression.linearity([128, 32, 8, 2, 0.5], [64 * c for c in (128, 32, 8, 2, 0.5)]) == pytest.approx(1)
    # log2 x = 0, 1, 2; log2 y = 0, 2, 1: r = 0.5
    assert expression.linearity([1, 2, 4], [1, 4, 2]) == pytest.approx(0.25)
    assert expression.linearity([1, 2, 4], [8, 8, 8]) == 0


def test_limit_of_detection():
    assert expression.detection(NEGATIVES, 2) == pytest.approx(
        statistics.mean(NEGATIVES) + 2 * statistics.stdev(NEGATIVES)
    )


def test_the_median_of_intervals_bounds_every_median_inside():
    rng = random.Random(3)
    score = Score("x", "median_fold_change", tuple("abcdef"))
    for _ in range(200):
        counts = {
            g: Range(0.0, 10.0) if rng.random() < 0.4 else Range(c, c)
            for g in score.genes
            for c in [rng.uniform(10, 99)]
        }
        values = {
            g: [Range(0.0, 9.0) if rng.random() < 0.4 else Range(c, c) for c in (rng.uniform(9, 50) for _ in range(5))]
            for g in score.genes
        }
        found = expression.value(score, counts, {g: expression.reference(v) for g, v in values.items()})
        for _ in range(20):
            folds = [
                rng.uniform(*counts[g]) / statistics.median(rng.uniform(*v) or 1e-9 for v in values[g])
                for g in score.genes
            ]
            assert found.low * (1 - 1e-9) <= statistics.median(folds) <= found.high * (1 + 1e-9)


def test_every_score_and_gene_is_a_test():
    tests = load().tests
    for code in (*GENES, *(score.id for score in TABLE.scores)):
        assert tests.get("GF", code) is not None
        assert len(code) <= 8
    assert (len(ISG6.genes), len(ISG28.genes), CXCL9.genes) == (6, 28, ("CXCL9",))
    assert set(ISG6.genes) < set(ISG28.genes)
