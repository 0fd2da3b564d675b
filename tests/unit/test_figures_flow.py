"""The drawn patient flow: one branch, or a branch per arm below the randomised patients."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers.analyse_frames import adsl, outcome, protocol, run

from trialpipe.figures.flow import draw

BOXES: list[dict[str, Any]] = [
    {"id": "assessed", "label": "Assessed"},
    {"id": "excluded", "label": "Excluded", "parent": "assessed", "absent": "first_dose"},
    {"id": "randomised", "label": "Randomised", "parent": "assessed", "require": "first_dose"},
    {"id": "died", "label": "Died", "parent": "randomised", "require": "death"},
    {"id": "alive", "label": "Alive", "parent": "randomised", "absent": "death"},
]
PEOPLE: dict[str, dict[str, Any]] = {
    "0": {"ARMCD": None, "TRTSDT": None},
    "1": {"ARMCD": "A", "DTHDT": "2020-03-01"},
    "2": {"ARMCD": "A"},
    "3": {"ARMCD": "B"},
}


def texts(tmp_path: Path, **analysis: Any) -> list[str]:
    """Words and number of every box, top to bottom and left to right as drawn."""
    given = outcome(
        "flow",
        {"kind": "subjects"},
        {"boxes": BOXES, **analysis},
        section="flow",
        estimand={"population": "included", "treatment": "t", "variable": "v", "summary": "s"},
    )
    results, _ = run(given, {"adsl": adsl(PEOPLE)})
    drawn = draw(results, given, given.analyses[0], protocol())
    assert drawn is not None
    drawn[1](tmp_path / "flow.svg")
    tree = ElementTree.parse(tmp_path / "flow.svg")
    words = [element.text or "" for element in tree.iter() if element.tag.endswith("text")]
    boxes = [element for element in tree.iter() if element.tag.endswith("rect")]
    corners = {(box.get("x"), box.get("y")) for box in boxes}
    assert len(corners) == len(boxes)
    return [f"{label} {re.sub('n = ', '', number)}" for label, number in zip(words[::2], words[1::2], strict=True)]


def test_one_branch(tmp_path: Path) -> None:
    assert texts(tmp_path) == ["Assessed 4", "Excluded 1", "Randomised 3", "Died 1", "Alive 2"]


@pytest.mark.parametrize("overall", ["true", "false"])
def test_a_branch_per_arm(tmp_path: Path, overall: str) -> None:
    found = texts(tmp_path, by="ARMCD", split_at="randomised", overall=overall)
    assert found[:3] == ["Assessed 4", "Excluded 1", "Randomised 3"]
    assert found[3:6] == ["Arm A 2", "Died 1", "Alive 1"]
    assert found[6:] == ["Arm B 1", "Died 0", "Alive 1"]


def test_split_at_the_first_box_by_default(tmp_path: Path) -> None:
    found = texts(tmp_path, by="ARMCD")
    assert found[:3] == ["Assessed 4", "Arm A 2", "Excluded 0"]
    assert "Missing 1" in found
