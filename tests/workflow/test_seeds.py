"""Twenty other simulated extracts: the checks of the committed one hold, and derived states equal the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.clean_case import ROOT, Cleaned, cleaned
from reference import test_clean_truth as committed

from trialpipe.config import plan
from trialpipe.config.trial import load_trial
from trialpipe.derive.run import derive
from trialpipe.simulate import main as simulator

pytestmark = pytest.mark.slow
TRIAL = committed.TRIAL
SEEDS = range(2, 22)
CHECKS = (
    committed.test_every_measured_finding_is_there,
    committed.test_patients,
    committed.test_doses,
    committed.test_adverse_events,
    committed.test_concentrations,
    committed.test_cytokines,
    committed.test_every_defect_that_changes_something_is_queried,
    committed.test_what_cannot_be_read_is_null_and_flagged,
    committed.test_rows_in_are_kept_or_set_aside,
)
SAME_MONTH = "a record after a death in the month of that death, whose day another defect made unknown: not detectable"
KNOWN = {
    (8, "test_cytokines"): "a planted sample id hides the repeat plate, which the truth helper ignores",
    (14, "test_every_defect_that_changes_something_is_queried"): SAME_MONTH,
    (
        17,
        "test_every_defect_that_changes_something_is_queried",
    ): f"{SAME_MONTH}; D097 plants a replicate CV of 24.8 %, under the 25 % rule",
    (18, "test_every_defect_that_changes_something_is_queried"): SAME_MONTH,
}
"""Faults that are known, by seed and check; each must still be there (strict), so that a cure is noticed."""
FALSE_QUERIES: dict[int, int] = {}


@pytest.fixture(scope="module", params=SEEDS)
def extract(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Cleaned]]:
    """A simulated extract of the registered size, ingested and cleaned; the committed checks read its truth."""
    folder = tmp_path_factory.mktemp(f"seed{request.param}")
    simulator.main(["--out", str(folder), "--trial", TRIAL, "--n", "29", "--seed", str(request.param)])
    (root,) = {path.parent.parent for path in folder.rglob("truth/patients.csv")}
    before = committed.EXTRACTS
    committed.EXTRACTS = root
    for cached in (committed.truth, committed.defects, committed.touched):
        cached.cache_clear()
    yield request.param, cleaned(TRIAL, root)
    committed.EXTRACTS = before
    for cached in (committed.truth, committed.defects, committed.touched):
        cached.cache_clear()


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_check_of_the_committed_extract_holds(
    extract: tuple[int, Cleaned], check: Callable[[Cleaned], None], request: pytest.FixtureRequest
) -> None:
    reason = KNOWN.get((extract[0], check.__name__))
    if reason:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    check(extract[1])


def test_queries_without_a_defect_are_counted(extract: tuple[int, Cleaned]) -> None:
    """Errors and warnings that touch no planted cell; the bound of 1 in 100 patients is over all seeds, below."""
    planted = {cell["cell"] for found in committed.defects().values() for cell in found}
    queries = extract[1].queries
    false = [q for q in queries.itertuples() if q.severity != "note" and not planted & set(q.origin)]
    FALSE_QUERIES[extract[0]] = len(false)
    assert len(false) <= 2, [(q.rule, q.subject, q.value) for q in false]


def test_states_equal_the_truth(extract: tuple[int, Cleaned]) -> None:
    """Primary state of every patient whose own records no defect has left undetermined."""
    trial = load_trial(ROOT / "config" / "trials", TRIAL)
    clean = extract[1].tables
    adsl = derive("adsl", plan.dataset_protocol(trial.protocol, "adsl"), (), clean, {})
    protocol = plan.dataset_protocol(trial.protocol, "adeff")
    adeff = derive("adeff", protocol, plan.dataset_outcomes(trial, "adeff"), clean, {"adsl": adsl})
    primary = adeff[adeff["SCENARIO"] == "primary"].set_index("USUBJID")["AVALC"]
    forms = ("INCLUSION", "GREFFE", "FIN_ETUDE", "SUIVI", "TRAITEMENT")
    doubtful = {
        cell["subject"]
        for found in committed.defects().values()
        for cell in found
        if cell["determines"] != "equal" and Path(cell["file"]).stem in forms
    }
    compared = 0
    for patient in committed.truth("patients"):
        if patient["subject"] not in doubtful and f"{TRIAL}/{patient['subject']}" in primary.index:
            assert primary[f"{TRIAL}/{patient['subject']}"] == patient["state"], patient["subject"]
            compared += 1
    assert compared >= 10


def test_at_most_one_false_query_per_hundred_patients() -> None:
    """Over all seeds that ran in this process (under pytest-xdist each worker judges its own)."""
    if FALSE_QUERIES:
        assert sum(FALSE_QUERIES.values()) <= max(1, 29 * len(FALSE_QUERIES) / 100)
