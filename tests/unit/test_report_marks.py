"""Marks of the second derivation: what counts as confirmed, and that a report without verdicts has none."""

from __future__ import annotations

import pytest

from trialpipe.report.marks import mark, mark_of
from trialpipe.report.run import render_index


@pytest.mark.parametrize(
    ("verdicts", "ok", "text"),
    [
        ([], True, "no number to confirm"),
        (["no value"], True, "no number to confirm"),
        (["same", "same", "no value"], True, "2 of 2 numbers confirmed"),
        (
            ["same", "third way: enumeration", "third way: enumeration", "third way: closed form"],
            True,
            "4 of 4 numbers confirmed (1 by closed form, 2 by enumeration)",
        ),
        (
            ["same", "different", "not covered", "not covered"],
            False,
            "1 of 4 numbers confirmed; NOT CONFIRMED: 1 different, 2 not covered",
        ),
    ],
)
def test_mark_counts_what_is_confirmed_and_what_is_not(verdicts: list[str], ok: bool, text: str) -> None:
    assert mark_of(verdicts) == (ok, text)


def test_result_without_verdict_is_not_confirmed() -> None:
    rows = [{"result_id": "a", "value": 1.0}, {"result_id": "b", "value": 2.0}, {"result_id": "c", "value": None}]
    assert mark(rows, {"a": "same"}) == (False, "1 of 2 numbers confirmed; NOT CONFIRMED: 1 not covered")
    assert mark(rows, {"a": "same", "b": "same"}).ok


TRIAL = {
    "trial": "t",
    "acronym": "T",
    "title": "A trial",
    "synthetic": True,
    "planned": 3,
    "cutoff": "2024-01-01",
    "n": "3",
    "outcomes": (1, 1),
    "promised": (0, 0),
    "primary": [],
    "queries": {"error": 0, "warning": 0},
    "laws": 1,
    "broken": 0,
}


def test_front_page_has_marks_only_where_trials_have_them() -> None:
    assert "Second derivation" not in render_index([TRIAL])
    marked = render_index([TRIAL | {"mark": mark_of(["same", "different"])}])
    assert "1 of 2 numbers confirmed; NOT CONFIRMED: 1 different" in marked
    assert 'class="fail"' in marked
    assert "t/report/qc.html" in marked
