"""Derivation that only the trial of infusions has, against the simulator's truth."""

from __future__ import annotations

import pytest
from helpers.truth_case import TruthCase, committed
from helpers.truth_tables import derived


@pytest.fixture(scope="module")
def case() -> TruthCase:
    return committed("c-hlh")


def test_adverse_events_of_the_window(case):
    adae = derived(case)["adae"].set_index("row_id")
    for a in case.rows("ae"):
        row = adae.loc[f"adae:{case.usubjid(a)}/{a['number']}/1"]
        assert (row["TRTEMFL"], row["ATIME"]) == (a["by_hsct_or_horizon"], float(a["day"])), a
