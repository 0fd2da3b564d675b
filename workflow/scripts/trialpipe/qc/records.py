"""Which records of the derived datasets the second derivation gives, and what names one."""

from __future__ import annotations

import pandas as pd

from trialpipe.config.protocol import Protocol
from trialpipe.qc.compare import compare_records

RECORD_KEYS: dict[str, tuple[str, ...]] = {
    "adsl": ("USUBJID",),
    "time_to_event": ("PARAMCD", "SCENARIO", "USUBJID"),
    "state": ("PARAMCD", "SCENARIO", "USUBJID"),
    "sofa": ("PARAMCD", "USUBJID", "ATIME"),
    "sofa_response": ("PARAMCD", "SCENARIO", "USUBJID"),
    "response_time": ("RULESET", "LEVEL", "USUBJID"),
    "response": ("RULESET", "PARAMCD", "AVISIT", "USUBJID"),
    "stay": ("PARAMCD", "USUBJID"),
    "nosocomial": ("row_id",),
    "adverse_events": ("row_id",),
    "eligibility": ("PARAMCD", "USUBJID"),
    "reactivation": ("PARAMCD", "SCENARIO", "USUBJID"),
    "infections": ("PARAMCD", "USUBJID"),
    "gvhd": ("PARAMCD", "AVISIT", "ADTLO", "ADTHI", "USUBJID"),
    "intercurrent": ("OUTCOME", "ICE", "USUBJID"),
    "exposure": ("PARAMCD", "AVISIT", "USUBJID"),
}
"""Dataset kind -> columns that name a record."""

SCOPE = {
    "time_to_event": ("PARAMCD", "SCENARIO"),
    "state": ("PARAMCD", "SCENARIO"),
    "sofa_response": ("PARAMCD", "SCENARIO"),
    "response_time": ("RULESET", "LEVEL"),
    "response": ("RULESET", "PARAMCD"),
    "reactivation": ("PARAMCD", "SCENARIO"),
    "intercurrent": ("OUTCOME", "ICE"),
}
"""Dataset kind -> columns whose values the second derivation must have for a record to be compared."""


def compare_datasets(
    protocol: Protocol, ours: dict[str, pd.DataFrame], theirs: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """Every dataset that both sides have, stacked (contract ``RECORDS``)."""
    kinds = {"adsl": "adsl", **{dataset.id: dataset.kind for dataset in protocol.datasets}}
    parts = []
    for name in sorted(set(ours) & set(theirs)):
        kind = kinds[name]
        if kind in RECORD_KEYS:
            mine = _in_scope(ours[name], theirs[name], SCOPE.get(kind, ()))
            parts.append(compare_records(name, mine, theirs[name], RECORD_KEYS[kind]))
    columns = ["dataset", "record", "variable", "ours", "theirs", "verdict"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns, dtype=object)


def _in_scope(ours: pd.DataFrame, theirs: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    if not columns:
        return ours
    known = set(theirs[list(columns)].itertuples(index=False, name=None))
    return ours[[row in known for row in ours[list(columns)].itertuples(index=False, name=None)]]
