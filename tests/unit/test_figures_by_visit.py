"""Medians by visit: a line per group, all patients together only where nothing splits them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import outcome, protocol

from trialpipe.config.analyses import DescribeByVisit
from trialpipe.figures import by_visit

VISITS = ("D1", "D7")
BLUE, ORANGE = "#1f4e79", "#c8641b"


def rows(*groups: str) -> pd.DataFrame:
    """Rows of one parameter at two visits; medians of the n-th group are n hundred."""
    found: list[dict[str, Any]] = []
    for place, group in enumerate(groups, start=1):
        for visit in VISITS:
            for statistic, value in (("q1", 90.0), ("median", 100.0), ("q3", 110.0)):
                row = {"group": group, "parameter": "CD4", "visit": visit, "unit": "/uL", "qualifier": None}
                found.append(row | {"statistic": statistic, "value": place * value})
    return pd.DataFrame(found)


@pytest.mark.parametrize(
    ("groups", "shown", "colours"),
    [
        (("A", "B", "Overall"), {"A", "B"}, (True, True)),
        (("A", "B"), {"A", "B"}, (True, True)),
        (("Overall",), {"Overall"}, (True, False)),
    ],
)
def test_a_line_per_group(tmp_path: Path, groups: tuple[str, ...], shown: set[str], colours: tuple[bool, bool]) -> None:
    given = outcome("describe_by_visit", {"kind": "findings", "dataset": "adlb"}, {"visits": list(VISITS)})
    analysis = given.analyses[0]
    assert isinstance(analysis, DescribeByVisit)
    made = by_visit.draw(rows(*groups), given, analysis, protocol())
    assert made is not None
    data, save = made
    assert set(data["group"]) == shown
    save(tmp_path / "figure.svg")
    svg = (tmp_path / "figure.svg").read_text(encoding="utf-8").lower()
    assert (BLUE in svg, ORANGE in svg) == colours
