"""Eligibility criteria: patients in whom each is met, not met or undetermined, and patients with a deviation."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trialpipe.analyse.context import Context, Group
from trialpipe.config.analyses import Deviations
from trialpipe.config.datasets import EligibilityDataset

STATES = {"met": "Met", "not met": "Not met", "undetermined": "Undetermined"}
ANY = "Any deviation"
DEVIATING, OPEN, CLEAR = (
    "Patients with at least one deviation",
    "Patients without a known deviation, a criterion undetermined",
    "Patients without deviation",
)


def run(analysis: Deviations, context: Context) -> list[dict[str, Any]]:
    """n / patients of the group per criterion (parameter) and state (category), in declared order; then patients.

    The three last lines split the group: a deviation, none known but a criterion undetermined, none. A patient without
    a row of a criterion counts as undetermined. KeyError if the dataset is not of kind eligibility.
    """
    found: list[dict[str, Any]] = []
    for group in context.groups:
        rows = context.of(group)
        for code in _codes(context):
            found += _criterion(context, group, rows[rows["PARAMCD"] == code], code)
        found += _patients(context, group, rows)
    return found


def _codes(context: Context) -> list[str]:
    for entry in context.protocol.datasets:
        if isinstance(entry, EligibilityDataset) and entry.id == context.dataset:
            return [criterion.code for criterion in entry.criteria]
    raise KeyError(context.dataset)


def _criterion(context: Context, group: Group, rows: pd.DataFrame, code: str) -> list[dict[str, Any]]:
    members = {state: context.behind(rows[rows["AVALC"] == state]) for state in STATES}
    if len(rows) < len(group.subjects):
        known = rows[rows["AVALC"].isin(["met", "not met"])]["USUBJID"]
        members["undetermined"] = context.patients(_others(group, known))
    category = rows["CATEGORY"].iloc[0] if len(rows) else None
    bad = {"INCLUSION": "not met", "EXCLUSION": "met"}.get(str(category))
    found: list[dict[str, Any]] = []
    for state, label in STATES.items():
        words = f"{label} (deviation)" if state == bad else label
        found += context.proportion(members[state], group, parameter=code, variable="AVALC", category=words)
    return found


def _patients(context: Context, group: Group, rows: pd.DataFrame) -> list[dict[str, Any]]:
    deviating = set(rows[rows["DEVIATION"] == "Y"]["USUBJID"])
    decided = rows[rows["DEVIATION"].isin(["Y", "N"])]
    complete = decided.groupby("USUBJID")["PARAMCD"].nunique() == len(_codes(context))
    clear = set(complete[complete].index) - deviating
    members = {DEVIATING: deviating, OPEN: set(_others(group, deviating | clear)), CLEAR: clear}
    found: list[dict[str, Any]] = []
    for label, patients in members.items():
        found += context.proportion(context.patients(patients), group, parameter=ANY, category=label)
    return found


def _others(group: Group, usubjids: Any) -> list[str]:
    """Patients of the group that are not among these."""
    known = set(usubjids)
    return [usubjid for usubjid in group.subjects["USUBJID"] if usubjid not in known]
