"""One instance of a law, and how instances are told: a verdict per subject, and each broken instance by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from trialpipe.analyse.rows import slug


class Check(NamedTuple):
    """``subject``: what the verdict is given on; ``instance``: this one case of it."""

    subject: str
    instance: str
    expected: str
    found: str
    holds: bool


def told(law: str, checks: Iterable[Check]) -> Iterator[dict[str, Any]]:
    """Rows of the laws table: per subject in first order, the one instance or a count, then broken instances."""
    subjects: dict[str, list[Check]] = {}
    for check in checks:
        subjects.setdefault(check.subject, []).append(check)
    for subject, found in subjects.items():
        broken = [check for check in found if not check.holds]
        if len(found) == 1 and found[0].instance == subject:
            yield _row(law, subject, found[0].expected, found[0].found, not broken)
            continue
        kept = len(found) - len(broken)
        yield _row(law, subject, f"{len(found)} of {len(found)} hold", f"{kept} hold", not broken)
        for check in broken:
            yield _row(law, check.instance, check.expected, check.found, False)


def _row(law: str, subject: str, expected: str, found: str, holds: bool) -> dict[str, Any]:
    name = f"{slug(law)}/{'/'.join(slug(part) for part in subject.split('/'))}"
    return {"law_id": name, "law": law, "subject": subject, "expected": expected, "found": found, "holds": holds}
