"""Deliveries of course ``prophylactic_dli``: a TrialMaster export."""

from __future__ import annotations

from trialpipe.simulate import defects_dli, trialmaster_forms, truth_dli
from trialpipe.simulate.delivery import Delivery
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.recipient import Recipient


def make(p: Parameters, seed: int, patients: list[Recipient]) -> Delivery:
    """All forms, without defects, and their truth."""
    forms = trialmaster_forms.forms(p, seed, patients)
    return Delivery(
        forms={**forms},
        sheets=[],
        files={"trialmaster": [*forms.values()]},
        truth=truth_dli.tables(p, patients),
        makers=defects_dli.MAKERS,
    )
