"""Patients with a first viral infection by virus and class, and by any virus, each with its denominator."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trialpipe.analyse.context import Context, Group
from trialpipe.config.analyses import Infections
from trialpipe.config.datasets import InfectionsDataset

ANY = "ANYVIR"
DE_NOVO, WORSENING, UNCLASSIFIABLE, NOT_TESTED = "de novo", "worsening", "unclassifiable", "not tested"
POSITIVE, NEGATIVE = "positive", "negative"


def run(analysis: Infections, context: Context) -> list[dict[str, Any]]:
    """Per group and virus in declared order, then any virus (patients with at least one):

    de novo among all patients of the group and among those negative at baseline, worsening among those positive at
    baseline, each with an exact interval; unclassifiable and not tested among all. For any virus a patient is negative
    (positive) at baseline if one virus or more was.
    """
    spec = next(d for d in context.protocol.datasets if d.id == context.dataset)
    assert isinstance(spec, InfectionsDataset)
    viruses = [virus.code for virus in spec.viruses]
    chosen = context.analysis.where.get("PARAMCD", (*viruses, ANY))
    found: list[dict[str, Any]] = []
    for group in context.groups:
        data = context.of(group)
        for code in (*viruses, ANY):
            if code in chosen:
                found += _virus(analysis, context, group, data, code)
    return found


def _virus(analysis: Infections, context: Context, group: Group, data: pd.DataFrame, code: str) -> list[dict[str, Any]]:
    own = data[data["PARAMCD"] == code]
    classed = data[data["PARAMCD"] != ANY] if code == ANY else own
    note = _left_out(group, own)
    negative = _patients(classed[classed["BASESTAT"] == NEGATIVE])
    positive = classed[classed["BASESTAT"] == POSITIVE]
    new, worse = _once(classed[classed["CLASS"] == DE_NOVO]), _once(positive[positive["CLASS"] == WORSENING])
    found = []
    for category, rows, whole in (
        (DE_NOVO, new, None),
        (f"{DE_NOVO}, negative at baseline", new, negative),
        (f"{WORSENING}, positive at baseline", worse, _patients(positive)),
    ):
        people = None if whole is None else context.patients(whole)
        found += context.proportion(
            context.behind(rows),
            group,
            people,
            analysis.conf_level,
            _worse_elsewhere(classed) if rows is worse else note,
            parameter=code,
            category=category,
        )
    unclear = _once(classed[classed["CLASS"] == UNCLASSIFIABLE])
    for category, rows in ((UNCLASSIFIABLE, unclear), (NOT_TESTED, own[own["CLASS"] == NOT_TESTED])):
        found += context.proportion(context.behind(rows), group, note=note, parameter=code, category=category)
    return found


def _once(rows: pd.DataFrame) -> pd.DataFrame:
    """The earliest row of every patient."""
    ordered = rows.sort_values(["USUBJID", "ADT", "row_id"], kind="stable")
    return ordered.drop_duplicates("USUBJID")


def _patients(rows: pd.DataFrame) -> list[str]:
    return sorted(set(rows["USUBJID"]))


def _left_out(group: Group, own: pd.DataFrame) -> str | None:
    """How many patients of the group nothing is known of: they count as without infection."""
    absent = len(group.subjects) - own["USUBJID"].nunique()
    undated = int((own["CLASS"] == "undetermined").sum())
    untested = int((own["CLASS"] == NOT_TESTED).sum())
    parts = ((untested, "not tested"), (absent, "without a record"), (undated, "with a partial date of the start"))
    said = [f"{number} patient(s) {why}" for number, why in parts if number]
    return f"{', '.join(said)}: in the denominator, not counted as infected" if said else None


def _worse_elsewhere(rows: pd.DataFrame) -> str | None:
    """Worsening after an earlier positive PCR of patients whose baseline was negative."""
    others = rows[(rows["CLASS"] == WORSENING) & (rows["BASESTAT"] != POSITIVE)]["USUBJID"].nunique()
    return f"{others} patient(s) worsened after a negative baseline and are not in it" if others else None
