"""Pages of the documentation on operating characteristics against the code, and their numbers against each other."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from helpers.characteristics_case import EXAMINED, ROOT, case, spec, trial

from trialpipe.characteristics import population
from trialpipe.characteristics.replicates import replicates
from trialpipe.characteristics.run import characteristics
from trialpipe.report.characteristics_docs import text


def without_simulated(page: str) -> str:
    """A page without its simulated numbers, the number of replicates and the widths of columns."""
    page = re.sub(r"N=\d+", "N", page)
    page = re.sub(r"\*\*Replicates\*\*: \d+", "**Replicates**", page)
    return re.sub(r"(?:<br>)?-?\d+\.\d+ \((?:-|\d+\.\d+)\)", "", page)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMINED)
def test_page_of_the_documentation_is_that_of_the_code(name: str) -> None:
    """Two replicates give the page its rows and, where there are, its exact numbers; the big run gave the others."""
    made, pool = case(name), None
    two = made.spec.two_arms
    if two is not None:
        pool = population.make(name, two.model_copy(update={"population": 20}), made.spec.seed)
    rows = characteristics(made, replicates(made, 0, 2, pool), pool).astype(object)
    rows = rows.where(pd.notna(rows), None)
    ours = without_simulated(text(trial(name), rows.to_dict("records")))
    page = without_simulated((ROOT / "docs" / "characteristics" / f"{name}.md").read_text(encoding="utf-8"))
    if two is not None:  # the truth of the simulator's population is counted in it
        ours, page = (re.sub(r"^\| Simulator, inf.*$", "", words, flags=re.M) for words in (ours, page))
    assert page == ours


@pytest.mark.parametrize("name", EXAMINED)
def test_pages_hold_a_thousand_replicates_of_the_declared_seed(name: str) -> None:
    page = (ROOT / "docs" / "characteristics" / f"{name}.md").read_text(encoding="utf-8")
    assert f"make characteristics TRIAL={name} N=1000 DOCS=1" in page
    assert f"1000 of each truth, seed {spec(name).seed}" in page


@pytest.mark.parametrize("name", EXAMINED)
def test_simulated_numbers_of_the_pages_agree_with_the_exact_ones(name: str) -> None:
    """Every cell that holds both: within five Monte Carlo errors."""
    page = (ROOT / "docs" / "characteristics" / f"{name}.md").read_text(encoding="utf-8")
    both = re.findall(r"(-?\d+\.\d+) exact<br>(-?\d+\.\d+) \((\d+\.\d+)\)", page)
    assert both or spec(name).two_arms is not None
    half = 0.5 * 10.0 ** -np.array([len(one.partition(".")[2]) for one, _, _ in both])
    wrong = [
        cell for cell, digit in zip(both, half, strict=True)
        if abs(float(cell[0]) - float(cell[1])) > 5 * float(cell[2]) + 2 * digit and float(cell[2]) > 0
    ]  # fmt: skip
    assert wrong == []
