"""Row accounting: every raw row of a mapped form ends as kept, or set aside with a reason."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from trialpipe.io.contracts import RECONCILIATION

_FILTERED = "not selected"


class Ledger:
    """Fates of the raw rows of one domain. A row that any mapping of its form keeps is kept, once."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self._rows: dict[str, dict[str, list[str]]] = {}
        self._kept: dict[str, set[str]] = {}

    def enter(self, form: str, rows: Iterable[str]) -> None:
        """All raw rows (``file:row``) of a form; a second time changes nothing."""
        known = self._rows.setdefault(form, {})
        for row in rows:
            known.setdefault(row, [])
        self._kept.setdefault(form, set())

    def keep(self, form: str, rows: Iterable[str]) -> None:
        """Rows that became part of a record. KeyError for a row that was never entered."""
        for row in rows:
            self._rows[form][row]
            self._kept[form].add(row)

    def set_aside(self, form: str, rows: Iterable[str], reason: str) -> None:
        """Rows of which one mapping makes no record. KeyError for a row that was never entered."""
        for row in rows:
            self._rows[form][row].append(reason)

    def frame(self) -> pd.DataFrame:
        """Contract reconciliation: per form rows in, rows kept, rows set aside by reason; in = kept + set aside."""
        rows = []
        for form, reasons in sorted(self._rows.items()):
            kept = self._kept[form]
            aside: dict[str, list[str]] = {}
            for row, found in reasons.items():
                if row not in kept:
                    aside.setdefault(_reason(found), []).append(row)
            rows.append(self._row(form, "in", "", len(reasons), []))
            rows.append(self._row(form, "kept", "", len(kept), []))
            rows += [self._row(form, "set_aside", why, len(aside[why]), sorted(aside[why])) for why in sorted(aside)]
        frame = pd.DataFrame(rows, columns=[column.name for column in RECONCILIATION.columns])
        return frame.astype({"rows": "Int64"})

    def _row(self, form: str, status: str, reason: str, rows: int, origin: list[str]) -> dict[str, object]:
        values = {"domain": self.domain, "form": form, "status": status, "reason": reason}
        return {**values, "rows": rows, "origin": origin}


def _reason(found: list[str]) -> str:
    """One reason: a defect of the row goes before a filter that passed it over."""
    proper = [reason for reason in found if not reason.startswith(_FILTERED)]
    return "; ".join(dict.fromkeys(proper or found)) or "no mapping reads it"
