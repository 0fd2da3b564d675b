"""What cleaning depends on beside the raw rows: the trial's rules of reading and the reference tables."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trialpipe.clean.codes import Codes, codelists
from trialpipe.clean.reference import Reference, load
from trialpipe.clean.rules import Rules
from trialpipe.config.extracts import Dialect
from trialpipe.io.sdtm import prefix


@dataclass(frozen=True)
class CleanContext:
    """``dialects`` by source id, ``codelists`` by id; ``subject`` is what a patient number must look like."""

    trial: str
    cutoff: dt.date
    dialects: Mapping[str, Dialect]
    codelists: Mapping[str, Codes]
    subject: re.Pattern[str]
    reference: Reference
    rules: Rules

    def usubjid(self, number: str) -> str:
        return f"{self.trial}/{number}"


def _test_row(entry: Mapping[str, Any]) -> dict[str, str]:
    """A trial's own test as a row of the table of tests."""
    limits = {name: "" if entry.get(name) is None else str(entry[name]) for name in ("low", "high")}
    return {
        "domain_prefix": prefix(str(entry["domain"])),
        "testcd": str(entry["code"]),
        "test": str(entry["label"]),
        "unit": str(entry.get("unit") or ""),
        "low_hard": limits["low"],
        "high_hard": limits["high"],
        "low_soft": "",
        "high_soft": "",
    }


def context_from(spec: Mapping[str, Any], reference: Reference | None = None) -> CleanContext:
    """The context of a job from its spec: trial, data_cutoff, dialects, codelists, subject_pattern, checks, tests.

    Values are JSON texts, lists and mappings as dumped from the trial's typed configuration. ValueError if a check
    that is switched off is not in the table.
    """
    tables = reference or load()
    off = [check["rule"] for check in spec.get("checks") or ()]
    rules = Rules(tables.rules, off)
    unknown = sorted(set(off) - set(rules.ids))
    if unknown:
        raise ValueError(f"extracts.yaml checks: '{unknown[0]}' is no rule of resources/reference/checks.csv")
    own = {entry["id"]: entry["values"] for entry in spec.get("codelists") or ()}
    tests = tuple(spec.get("tests") or ())
    if tests:
        tables = replace(tables, tests=tables.tests.with_own(map(_test_row, tests)))
    return CleanContext(
        trial=str(spec["trial"]),
        cutoff=dt.date.fromisoformat(str(spec["data_cutoff"])[:10]),
        dialects={name: Dialect.model_validate(value) for name, value in spec["dialects"].items()},
        codelists=codelists(tables.codelists, own),
        subject=re.compile(spec["subject_pattern"]),
        reference=tables,
        rules=rules,
    )
