"""Twenty other simulated extracts of each trial: the checks of the committed ones hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import pytest
from helpers import truth_compare, truth_forms
from helpers.clean_case import ROOT
from helpers.truth_case import TruthCase
from helpers.truth_tables import derived
from reference import test_clean_truth as clean
from reference import test_clean_truth_chlh as clean_chlh
from reference import test_clean_truth_elit as clean_elit
from reference import test_clean_truth_jakahdi as clean_jakahdi
from reference import test_clean_truth_rhlh as clean_rhlh
from reference import test_derive_truth as derive_shared
from reference import test_derive_truth_chlh as derive_chlh
from reference import test_derive_truth_elit as derive_elit
from reference import test_derive_truth_jakahdi as derive_jakahdi
from reference import test_derive_truth_rhlh as derive_rhlh

from trialpipe.config import plan
from trialpipe.config.trial import load_trial
from trialpipe.derive.run import derive
from trialpipe.simulate import main as simulator

pytestmark = pytest.mark.slow
SEEDS = range(2, 22)
PLANNED = {"c-hlh": 29, "r-hlh": 20, "elit-aml01": 124, "jakahdi": 43}
STATE_FORMS = {
    "c-hlh": ("INCLUSION.csv", "GREFFE.csv", "FIN_ETUDE.csv", "SUIVI.csv", "TRAITEMENT.csv"),
    "r-hlh": ("IG.DM", "IG.PR", "IG.EOS", "IG.FU", "IG.EX"),
}
FALSE_QUERIES: dict[tuple[str, str], int] = {}
Check = Callable[[TruthCase], None]


def check_queries_without_a_defect(case: TruthCase) -> None:
    """Errors and warnings that touch no planted cell; the bound of 1 in 100 patients is over all seeds, below."""
    false = case.false_queries()
    FALSE_QUERIES[case.trial, str(case.root)] = len(false)
    assert len(false) <= 2, false


def check_states_equal_the_truth(case: TruthCase) -> None:
    """Primary state, from the raw files, of every patient whose own records no defect has left undetermined."""
    trial = load_trial(ROOT / "config" / "trials", case.trial)
    tables = case.clean.tables
    adsl = derive("adsl", plan.dataset_protocol(trial.protocol, "adsl"), (), tables, {})
    protocol = plan.dataset_protocol(trial.protocol, "adeff")
    adeff = derive("adeff", protocol, plan.dataset_outcomes(trial, "adeff"), tables, {"adsl": adsl})
    primary = adeff[adeff["SCENARIO"] == "primary"].set_index("USUBJID")["AVALC"]
    doubtful = {
        cell["subject"]
        for cell in case.cells
        if cell["determines"] != "equal" and (cell["sheet"] or cell["file"].split("/")[-1]) in STATE_FORMS[case.trial]
    }
    compared = 0
    for patient in case.rows("patients"):
        if patient["subject"] not in doubtful and case.usubjid(patient) in primary.index:
            assert primary[case.usubjid(patient)] == patient["state"], patient["subject"]
            compared += 1
    assert compared >= 10


DEFECTS: tuple[Check, ...] = (
    clean.test_every_defect_that_changes_something_is_queried,
    clean.test_rule_named_by_the_truth_speaks,
    clean.test_what_cannot_be_read_is_null_and_flagged,
    clean.test_rows_in_are_kept_or_set_aside,
    check_queries_without_a_defect,
)
HLH: tuple[Check, ...] = (
    *(partial(truth_compare.findings, domain=domain) for domain in ("lb", "vs", "pe")),
    clean.test_every_measured_finding_is_there,
    clean.test_patients,
    clean.test_adverse_events,
    derive_shared.test_states_and_their_days,
    derive_shared.test_milestones_and_last_alive,
    derive_shared.test_responses,
    derive_shared.test_statuses,
    derive_shared.test_counts_of_states_and_responders,
    check_states_equal_the_truth,
)
OWN: dict[str, tuple[Check, ...]] = {
    "c-hlh": (
        *HLH,
        *(
            partial(clean_chlh.test_milestones, domain=d, variable=v, where=w, item=i)
            for d, v, w, i in clean_chlh.MILESTONES
        ),
        clean_chlh.test_doses,
        clean_chlh.test_concentrations,
        clean_chlh.test_cytokines,
        derive_chlh.test_adverse_events_of_the_window,
    ),
    "r-hlh": (
        *HLH,
        *(
            partial(clean_rhlh.test_milestones, domain=d, variable=v, where=w, item=i)
            for d, v, w, i in clean_rhlh.MILESTONES
        ),
        clean_rhlh.test_diagnosis,
        clean_rhlh.test_doses,
        clean_rhlh.test_adverse_events_related_and_outcome,
        clean_rhlh.test_concentrations,
        clean_rhlh.test_matrix_and_dose_of_concentrations,
        clean_rhlh.test_cytokines,
        clean_rhlh.test_lanes_that_fail_are_the_planted_ones,
        clean_rhlh.test_expression_follows_from_the_counts,
        clean_rhlh.test_counts_are_those_of_the_true_levels,
        clean_rhlh.test_viruses,
        derive_rhlh.test_adverse_events_of_the_windows,
        derive_rhlh.test_hours_and_types_of_samples,
        derive_rhlh.test_cerebrospinal_fluid_over_plasma,
        derive_rhlh.test_hlh_2004_at_inclusion,
        derive_rhlh.test_eligibility,
        derive_rhlh.test_response_carried_behind_conditioning,
        derive_rhlh.test_first_response_and_reactivation,
        derive_rhlh.test_class_and_day_of_infections,
    ),
    "elit-aml01": (
        *(
            partial(clean_elit.test_milestones, domain=d, variable=v, where=w, item=i)
            for d, v, w, i in clean_elit.MILESTONES
        ),
        clean_elit.test_patients,
        clean_elit.test_characteristics,
        clean_elit.test_status_and_cause_of_death,
        clean_elit.test_infusions,
        clean_elit.test_infusions_not_given,
        clean_elit.test_last_evaluation_of_the_disease,
        clean_elit.test_assessments_of_gvhd,
        clean_elit.test_immunity_and_chimerism,
        *(partial(clean_elit.test_findings, domain=d, form=f) for d, f in clean_elit.FORMS),
        clean_elit.test_concomitant_treatment,
        clean_elit.test_adverse_events,
        *(partial(check, planted=planted) for planted in (False, True) for check in derive_elit.CHECKS),
        derive_elit.test_few_patients_are_in_doubt,
        derive_elit.test_counts_of_the_truth,
    ),
    "jakahdi": (
        clean_jakahdi.test_patients,
        clean_jakahdi.test_weights,
        clean_jakahdi.test_deaths_last_news_and_discharges,
        clean_jakahdi.test_treatments,
        clean_jakahdi.test_infections,
        clean_jakahdi.test_adverse_events,
        clean_jakahdi.test_biology,
        clean_jakahdi.test_samples,
        clean_jakahdi.test_cytokines,
        clean_jakahdi.test_a_result_whose_unit_is_not_known_is_null,
        *(partial(check, planted=planted) for planted in (False, True) for check in derive_jakahdi.CHECKS),
        derive_jakahdi.test_counts_of_the_truth,
    ),
}
RUNS = [(trial, seed) for trial in PLANNED for seed in SEEDS]


def name(check: Check) -> str:
    if isinstance(check, partial):
        words = check.keywords
        told = ("planted" if words["planted"] else "restored") if "planted" in words else None
        return "_".join([check.func.__name__, told or words.get("form") or words.get("item") or words["domain"]])
    return check.__name__


@lru_cache(maxsize=1)
def simulated(trial: str, seed: int, root: Path) -> TruthCase:
    """A simulated extract of the planned size; the one of the checks in turn is kept, with all that is made of it."""
    simulator.main(["--out", str(root), "--trial", trial, "--n", str(PLANNED[trial]), "--seed", str(seed)])
    for made in (derived, truth_forms.derived, truth_forms.restored):
        made.cache_clear()
    clean_rhlh.lanes.cache_clear()
    return TruthCase(trial, root)


@pytest.fixture
def case(run: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> TruthCase:
    return simulated(*run, tmp_path_factory.getbasetemp() / f"{run[0]}-seed-{run[1]}")


@pytest.mark.parametrize(
    ("run", "check"),
    [
        pytest.param(run, check, id=f"{run[0]}-{run[1]}-{name(check)}")
        for run in RUNS
        for check in (*DEFECTS, *OWN[run[0]])
    ],
)
def test_check_of_the_committed_extract_holds(case: TruthCase, run: tuple[str, int], check: Check) -> None:
    check(case)


def test_at_most_one_false_query_per_hundred_patients() -> None:
    """Of each trial, over all seeds that ran in this process (under pytest-xdist each worker judges its own)."""
    for trial in {trial for trial, _ in FALSE_QUERIES}:
        own = [count for (name, _), count in FALSE_QUERIES.items() if name == trial]
        assert sum(own) <= max(1, len(own) * PLANNED[trial] / 100), trial
