"""ADIE: eligibility criteria as checks. An inclusion criterion not met or an exclusion criterion met is a deviation."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from trialpipe.config.datasets import Criterion, EligibilityDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import at_visit, days, rules, windows
from trialpipe.derive.definitions import TABLE, definitions
from trialpipe.derive.rules import Measured, Truth
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.io.contracts import BDS, Column, Contract

CONTRACT: Contract = BDS.with_columns(
    Column("CATEGORY", "text", "INCLUSION or EXCLUSION", nullable=False),
    Column("DEVIATION", "text", "Y: inclusion not met or exclusion met; null: undetermined"),
    Column("NOTE", "text", "Why undetermined"),
)
WORDS = {True: "met", False: "not met", None: "undetermined"}
_YES_NO = {True: "Y", False: "N", None: None}


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """Rows of CONTRACT per patient of ADSL and criterion, in declared order.

    Raises DataError for a rule that is none, an unknown parameter or visit, or a parameter that two inputs declare.
    """
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, EligibilityDataset)
    document = reference.get(TABLE)
    every = definitions(document if isinstance(document, Mapping) else None)
    known = at_visit.declared(spec, protocol, derived["adsl"], every)
    for criterion in spec.criteria:
        at_visit.check(criterion.rule, f"datasets[{dataset}].criteria.{criterion.code}.rule", known)
    people = {subject.usubjid: subject for subject in subjects(derived["adsl"], protocol)}
    rows: list[dict[str, object]] = []
    for (usubjid, row_id), now in at_visit.values(spec, derived["adsl"], derived).items():
        for criterion in spec.criteria:
            truth = rules.truth(criterion.rule, at_visit.facts(now))
            note = at_visit.unknown([criterion.rule], now, known) if truth is None else None
            sources = at_visit.used([criterion.rule], now)
            rows.append(_row(spec, criterion, truth, note, sources, people[usubjid], row_id, protocol))
    return days.frame(rows, CONTRACT)


def deviates(category: str, truth: Truth) -> Truth:
    """Whether a criterion's truth is a deviation; unknown if it is undetermined."""
    return rules.negate(truth) if category == "INCLUSION" else truth


def _row(
    spec: EligibilityDataset,
    criterion: Criterion,
    truth: Truth,
    note: str | None,
    sources: tuple[Measured, ...],
    subject: Subject,
    row_id: str,
    protocol: Protocol,
) -> dict[str, object]:
    day, zero = at_visit.latest(sources), windows.origin_day(subject, protocol)
    return {
        "row_id": f"{spec.id}:{subject.usubjid}/{criterion.code}",
        "USUBJID": subject.usubjid,
        "PARAMCD": criterion.code,
        "PARAM": criterion.text,
        "AVALC": WORDS[truth],
        "CENS": "none",
        "ADT": days.date(day),
        "ATIME": None if day is None or zero is None else float(day - zero),
        "AVISIT": spec.visit,
        "ANL01FL": "Y",
        "flags": [],
        "from": list(dict.fromkeys(source.row_id for source in sources)) or [row_id],
        "CATEGORY": criterion.category,
        "DEVIATION": _YES_NO[deviates(criterion.category, truth)],
        "NOTE": note,
    }
