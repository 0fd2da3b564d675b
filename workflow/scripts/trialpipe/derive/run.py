"""The derive stage: one analysis dataset from clean domains and earlier datasets."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import pandas as pd

from trialpipe.config.datasets import AdverseEventsDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io import contracts, contracts_icu
from trialpipe.io.contracts import Contract

KINDS = {
    "adsl": "trialpipe.derive.adsl",
    "findings": "trialpipe.derive.findings",
    "concentrations": "trialpipe.derive.concentrations",
    "pk_parameters": "trialpipe.derive.pk_parameters",
    "response": "trialpipe.derive.response",
    "response_time": "trialpipe.derive.response_time",
    "reactivation": "trialpipe.derive.reactivation",
    "infections": "trialpipe.derive.infections",
    "criteria": "trialpipe.derive.criteria",
    "eligibility": "trialpipe.derive.eligibility",
    "adverse_events": "trialpipe.derive.adverse_events",
    "gvhd": "trialpipe.derive.gvhd",
    "exposure": "trialpipe.derive.exposure",
    "stay": "trialpipe.derive.stay",
    "nosocomial": "trialpipe.derive.nosocomial",
    "intercurrent": "trialpipe.derive.intercurrent_data",
    "time_to_event": "trialpipe.derive.tte",
    "state": "trialpipe.derive.state",
    "sofa": "trialpipe.derive.sofa",
    "sofa_response": "trialpipe.derive.sofa_response",
    "lab_grades": "trialpipe.derive.lab_grades",
}
"""Dataset kind to the module whose ``run`` derives it, imported when needed."""


def derive(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """The dataset with id ``dataset`` (``adsl`` or one the protocol declares), as its contract says.

    ``clean`` holds the domains and ``derived`` the datasets it is made from; ``outcomes`` matter to the
    time-to-event and state datasets. ``reference`` may replace a reference document by its file name.
    Raises DataError (UndeclaredIntercurrentEvent) when a decision is missing in the configuration.
    """
    module = import_module(KINDS[kind_of(dataset, protocol)])
    frame: pd.DataFrame = module.run(dataset, protocol, outcomes, clean, derived, reference or {})
    return frame


def kind_of(dataset: str, protocol: Protocol) -> str:
    """Kind of a dataset; KeyError if the protocol does not declare it."""
    if dataset == "adsl":
        return "adsl"
    for entry in protocol.datasets:
        if entry.id == dataset:
            return entry.kind
    raise KeyError(dataset)


def contract_for(dataset: str, protocol: Protocol) -> Contract:
    """Contract of a dataset with the columns that the trial's configuration adds."""
    kind = kind_of(dataset, protocol)
    if kind == "adsl":
        built: Contract = import_module(KINDS[kind]).contract(protocol)
        return built
    if kind in ("findings", "concentrations", "criteria", "eligibility", *_OWN):
        extended: Contract = import_module(KINDS[kind]).CONTRACT
        return extended
    if kind == "adverse_events":
        entry = next(d for d in protocol.datasets if d.id == dataset)
        assert isinstance(entry, AdverseEventsDataset)
        flagged: Contract = import_module(KINDS[kind]).contract(entry)
        return flagged
    return _PLAIN[kind]


_OWN = ("pk_parameters", "sofa", "sofa_response", "lab_grades", "gvhd", "exposure")
_PLAIN = {
    "response": contracts.ADRS,
    "response_time": contracts.ADTTR,
    "reactivation": contracts.ADTTE,
    "infections": contracts.ADINF,
    "stay": contracts_icu.ADSTAY,
    "nosocomial": contracts_icu.ADNOSO,
    "intercurrent": contracts.ADICE,
    "time_to_event": contracts.ADTTE,
    "state": contracts.ADEFF,
}
