"""The reference tables of the clean stage, read once per job."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trialpipe.clean.rules import Rule, read_rules
from trialpipe.clean.units import Units
from trialpipe.io.reference import REFERENCE


@dataclass(frozen=True)
class TestInfo:
    """A laboratory or other test: its canonical unit (None: no unit) and plausible ranges in that unit."""

    __test__ = False

    code: str
    name: str
    unit: str | None
    hard: tuple[float | None, float | None]
    soft: tuple[float | None, float | None]


class Tests:
    """Tests by domain prefix, code and specimen."""

    __test__ = False

    def __init__(self, rows: Iterable[Mapping[str, str]]) -> None:
        self._tests: dict[tuple[str, str, str], TestInfo] = {}
        for row in rows:
            hard = (_number(row["low_hard"]), _number(row["high_hard"]))
            soft = (_number(row["low_soft"]), _number(row["high_soft"]))
            info = TestInfo(row["testcd"], row["test"], row["unit"] or None, hard, soft)
            self._tests[row["domain_prefix"], row["testcd"], row.get("spec") or ""] = info

    def with_own(self, rows: Iterable[Mapping[str, str]]) -> Tests:
        """These tests and a trial's own (columns of the table), which take the place of those of the same code."""
        merged, own = Tests(()), Tests(rows)
        replaced = {(stem, code) for stem, code, _ in own._tests}
        kept = {key: info for key, info in self._tests.items() if key[:2] not in replaced}
        merged._tests = kept | own._tests
        return merged

    def get(self, stem: str, code: str, spec: str | None = None) -> TestInfo | None:
        """The test of a specimen, or of any; None if the table does not hold it."""
        return self._tests.get((stem, code, spec or "")) or self._tests.get((stem, code, ""))


@dataclass(frozen=True)
class Reference:
    """Tables as the stage uses them; ``codelists`` are rows of id, text, value."""

    tests: Tests
    units: Units
    rules: tuple[Rule, ...]
    codelists: tuple[Mapping[str, str], ...]


def load(root: Path = REFERENCE) -> Reference:
    """Read tests, units, checks and code lists from a folder of CSV tables; FileNotFoundError if one is absent."""
    return Reference(
        Tests(_rows(root / "tests.csv")),
        Units(_rows(root / "units.csv")),
        tuple(read_rules(_rows(root / "checks.csv"))),
        tuple(_rows(root / "codelists.csv")),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def _number(text: str) -> float | None:
    return float(text) if text else None
