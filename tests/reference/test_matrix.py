"""The matrix of statistics and oracles: it runs, it notices an error, and its page is of this code."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import needs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from matrix import compare, page  # noqa: E402
from matrix.families import FAMILIES  # noqa: E402
from matrix.run import OracleMissing  # noqa: E402
from matrix.run import compare as run  # noqa: E402

SETS = 36


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_differences_are_within_their_tolerances(family) -> None:
    try:
        rows = run(family, SETS, 1)
    except OracleMissing as error:
        needs.lacking(str(error))
    for row in rows:
        assert row.failures == [], f"{row.statistic.name}: {row.failures[:5]}"
        assert row.numbers, f"{row.statistic.name}: nothing was compared"


def test_the_page_has_the_rows_of_the_code() -> None:
    text = (ROOT / "docs" / "matrix.md").read_text(encoding="utf-8")
    found = [
        line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| statistic", "| ---"))
    ]
    wanted = [page.line(statistic) for family in FAMILIES for statistic in family.statistics]
    assert [line[: len(want)] for line, want in zip(found, wanted, strict=True)] == wanted
    sets = re.search(r"data sets per statistic: ([\d,]+), seed", text)
    assert sets is not None
    assert int(sets[1].replace(",", "")) >= 1000
    # by name and version: an R package that answers but is not said would be no oracle
    assert all(re.search(r"\d\.\d|in fractions", statistic.oracle) for f in FAMILIES for statistic in f.statistics)


def test_no_statistic_is_there_twice() -> None:
    names = [statistic.name for family in FAMILIES for statistic in family.statistics]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("ours", "theirs", "holds"),
    [
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.0 + 1e-7, False),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (1.0, math.nan, False),
        (math.inf, math.inf, True),
        (math.inf, 1.0, False),
        (1e-18, 0.0, True),
        (1e-9, 0.0, False),
    ],
)
def test_an_error_is_noticed(ours: float, theirs: float, holds: bool) -> None:
    statistic = compare.Statistic("s", "o", lambda data: {"a": ours})
    row = compare.Row(statistic)
    compare.add(row, 0, {}, {} if math.isnan(theirs) else {"a": np.array([theirs])})
    assert row.holds is holds
    excused = compare.Row(replace(statistic, excuse=lambda *given: "known"))
    compare.add(excused, 0, {}, {} if math.isnan(theirs) else {"a": np.array([theirs])})
    assert excused.holds
    assert bool(excused.excused) is not holds


def test_another_number_of_values_is_an_error() -> None:
    row = compare.Row(compare.Statistic("s", "o", lambda data: {"a": [1.0, 2.0]}))
    compare.add(row, 0, {}, {"a": np.array([1.0])})
    assert not row.holds


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_data_sets_are_the_same_each_time_and_have_the_edges(family) -> None:
    drawn = [family.draw(number, 1) for number in range(48)]
    for number, data in enumerate(drawn):
        again = family.draw(number, 1)
        assert all(np.array_equal(data[name], again[name]) for name in data)
    if family.name == "Times to events":
        assert any((d["time"] == 0).any() and d["event"][d["time"] == 0].any() for d in drawn)
        assert any(len(d["time"]) == 1 for d in drawn)
        assert any(len(d["time"]) > 3 and not d["event"].any() for d in drawn)
        assert any(len(d["time"]) > 3 and set(d["group"]) == {1} for d in drawn)
    if family.name == "Proportions, rates and tables":
        assert any((d["n"] == 0).any() for d in drawn)
        assert any((d["x"] == 0).all() for d in drawn)
